// Batch sends many orders at once and handles them several at a time. With
// -embedded it brings its own broker and prints the traces:
//
//	go run ./examples/batch -embedded
//
// Else it takes a broker and exports its spans by OTLP, as the producer and
// consumer examples do. Flags win over the environment (KAFKA_BOOTSTRAP_SERVERS,
// KAFKA_TOPIC, KAFKA_GROUP).
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel"

	"github.com/kafkatrace/tracing"
	"github.com/kafkatrace/tracing/examples/internal/embedded"
	"github.com/kafkatrace/tracing/examples/internal/telemetry"
	"github.com/kafkatrace/tracing/examples/internal/tracetree"
)

// order is what travels, as JSON.
type order struct {
	ID    string `json:"id"`
	Cents int    `json:"cents"`
}

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		slog.Error("batch failed", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) (err error) {
	flags := flag.NewFlagSet("batch", flag.ContinueOnError)
	brokers := flags.String("brokers", cmp.Or(os.Getenv("KAFKA_BOOTSTRAP_SERVERS"), "localhost:9092"), "bootstrap servers")
	topic := flags.String("topic", cmp.Or(os.Getenv("KAFKA_TOPIC"), "orders"), "topic to produce to and to consume")
	group := flags.String("group", cmp.Or(os.Getenv("KAFKA_GROUP"), "warehouse"), "consumer group")
	messages := flags.Int("messages", 5, "number of orders to send, in one batch")
	size := flags.Int("size", 3, "number of orders to handle together at most")
	wait := flags.Duration("wait", 200*time.Millisecond, "how long a batch waits for more orders after its first")
	demo := flags.Bool("embedded", false, "run a broker within this program and print the traces")
	if err := flags.Parse(args); err != nil {
		return err
	}

	protocol := "classic" // known to every broker
	if *demo {
		bootstrap, stop, err := embedded.Start(*topic)
		if err != nil {
			return err
		}
		defer stop()
		*brokers, protocol = bootstrap, "consumer" // joins in milliseconds there
		collector := telemetry.Collect("order-batch")
		defer func() {
			err = errors.Join(err, tracetree.Render(stdout, collector.Traces(), tracetree.TerminalOptions(stdout)))
		}()
	} else {
		shutdown, err := telemetry.Setup(ctx, "order-batch")
		if err != nil {
			return err
		}
		defer shutdown()
	}

	sent, err := importOrders(ctx, *brokers, *topic, *messages)
	if err != nil {
		return err
	}
	consumer, err := tracing.NewConsumer(&kafka.ConfigMap{
		"bootstrap.servers":        *brokers,
		"group.id":                 *group,
		"group.protocol":           protocol,
		"client.id":                "order-warehouse",
		"auto.offset.reset":        "earliest",
		"enable.auto.offset.store": false, // ConsumeBatch stores what has been handled
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, consumer.Close()) }() // commits what is stored
	if err := consumer.Subscribe(*topic, nil); err != nil {
		return err
	}
	return storeOrders(ctx, consumer, sent, *size, *wait)
}

// importOrders sends n orders in one batch and returns their IDs.
func importOrders(ctx context.Context, brokers, topic string, n int) (map[string]bool, error) {
	producer, err := tracing.NewProducer(&kafka.ConfigMap{
		"bootstrap.servers":  brokers,
		"client.id":          "order-import",
		"enable.idempotence": true, // retries make no duplicates
	})
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	ctx, span := otel.Tracer("examples/batch").Start(ctx, "import orders")
	defer span.End()

	run, ids := time.Now().Format("0102-150405"), make(map[string]bool, n)
	msgs := make([]*kafka.Message, n)
	for i := range msgs {
		o := order{ID: fmt.Sprintf("order-%s-%d", run, i+1), Cents: 100 * (i + 1)}
		value, err := json.Marshal(o)
		if err != nil {
			return nil, err
		}
		ids[o.ID] = true
		msgs[i] = &kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny},
			Key:            []byte(o.ID),
			Value:          value,
		}
	}
	// All are on their way at once. One that fails does not hold the others up:
	// results say of each where it is, or why it is not.
	results, err := producer.SendBatch(ctx, msgs)
	for i, at := range results {
		if at.Error != nil {
			slog.Error("order not delivered", "key", string(msgs[i].Key), "error", at.Error)
		}
	}
	return ids, err
}

// storeOrders handles orders, several at a time, until those of open are done.
func storeOrders(ctx context.Context, consumer *tracing.TracedConsumer, open map[string]bool, size int, wait time.Duration) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	return consumer.ConsumeBatch(ctx, size, wait, func(ctx context.Context, msgs []*kafka.Message) error {
		// The context carries the batch's process span, which links to every
		// order's trace. This stands for one statement that stores them all.
		_, span := otel.Tracer("examples/batch").Start(ctx, "INSERT INTO orders")
		defer span.End()
		for _, msg := range msgs {
			delete(open, string(msg.Key))
		}
		slog.Info("orders stored", "messages", len(msgs), "trace_id", span.SpanContext().TraceID().String())
		if len(open) == 0 {
			stop()
		}
		return nil
	})
}
