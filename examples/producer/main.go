// Producer sends orders to a Kafka topic, each within the span of a request, and
// exports its spans and metrics by OTLP. Together with the consumer example it makes traces
// that span both processes:
//
//	go run ./examples/producer -messages 10
//
// Flags win over the environment (KAFKA_BOOTSTRAP_SERVERS, KAFKA_TOPIC); the
// exporter obeys the OTEL_* variables.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
	"github.com/kafkatrace/tracing/examples/internal/telemetry"
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
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		slog.Error("producer failed", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("producer", flag.ContinueOnError)
	brokers := flags.String("brokers", cmp.Or(os.Getenv("KAFKA_BOOTSTRAP_SERVERS"), "localhost:9092"), "bootstrap servers")
	topic := flags.String("topic", cmp.Or(os.Getenv("KAFKA_TOPIC"), "orders"), "topic to produce to")
	messages := flags.Int("messages", 0, "number of orders to send, 0: until stopped")
	interval := flags.Duration("interval", time.Second, "pause between two orders")
	statistics := flags.Duration("statistics-interval", 5*time.Second, "how often the client's own metrics are taken")
	if err := flags.Parse(args); err != nil {
		return err
	}

	shutdown, err := telemetry.Setup(ctx, "order-producer")
	if err != nil {
		return err
	}
	defer shutdown()

	// The only line that tracing changes: kafka.NewProducer before, and no options.
	producer, err := tracing.NewProducer(&kafka.ConfigMap{
		"bootstrap.servers":  *brokers,
		"client.id":          "order-producer",
		"enable.idempotence": true, // retries make no duplicates
		// For the metrics kafka.client.*: queues, round-trip times.
		"statistics.interval.ms": int(statistics.Milliseconds()),
	}, tracing.WithStatisticsMetrics())
	if err != nil {
		return err
	}
	delivered := make(chan int)
	go func() { delivered <- readReports(producer.Events()) }()

	run, sent := time.Now().Format("0102-150405"), 0
	for (*messages == 0 || sent < *messages) && ctx.Err() == nil {
		id := fmt.Sprintf("order-%s-%d", run, sent+1)
		if err = placeOrder(ctx, producer, *topic, order{ID: id, Cents: 100 * (sent + 1)}); err != nil {
			break
		}
		sent++
		select {
		case <-time.After(*interval):
		case <-ctx.Done():
		}
	}

	// Lose nothing: wait for the reports still to come. Close ends Events, and
	// so readReports, as well as the spans of what could not be delivered.
	left := producer.Flush(10_000)
	producer.Close()
	if n := <-delivered; n < sent {
		err = errors.Join(err, fmt.Errorf("%d of %d orders were not delivered (%d still queued)", sent-n, sent, left))
	}
	slog.Info("stopped", "sent", sent)
	return err
}

// placeOrder stands for the handler of an HTTP request. The span of the message
// becomes a child of the request's, because ProduceContext is given its context.
func placeOrder(ctx context.Context, producer *tracing.TracedProducer, topic string, o order) error {
	ctx, span := otel.Tracer("examples/producer").Start(ctx, "POST /orders",
		trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(attribute.String("order.id", o.ID)))
	defer span.End()

	value, err := json.Marshal(o)
	if err != nil {
		return err
	}
	msg := &kafka.Message{
		TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny},
		Key:            []byte(o.ID),
		Value:          value,
	}
	err = producer.ProduceContext(ctx, msg, nil)
	for isQueueFull(err) && ctx.Err() == nil { // the broker is slow or away: give it time
		time.Sleep(100 * time.Millisecond)
		err = producer.ProduceContext(ctx, msg, nil)
	}
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	return err
}

func isQueueFull(err error) bool {
	var kafkaError kafka.Error
	return errors.As(err, &kafkaError) && kafkaError.Code() == kafka.ErrQueueFull
}

// readReports logs what became of the messages until events is closed, and
// returns how many were delivered.
func readReports(events <-chan kafka.Event) (delivered int) {
	for event := range events {
		switch e := event.(type) {
		case *kafka.Message:
			at := e.TopicPartition
			if at.Error != nil {
				slog.Error("order not delivered", "key", string(e.Key), "error", at.Error)
				continue
			}
			delivered++
			slog.Info("order delivered", "key", string(e.Key), "topic", *at.Topic, "partition", at.Partition, "offset", int64(at.Offset))
		case kafka.Error: // the client retries by itself
			slog.Warn("kafka", "error", e)
		}
	}
	return delivered
}
