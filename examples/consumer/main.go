// Consumer handles the orders of a Kafka topic, each within a span of the trace
// that the producer began, and exports its spans and metrics by OTLP:
//
//	go run ./examples/consumer
//
// An order is handled at least once: its offset is stored when it is done, so a
// consumer that is killed finds the order again. Flags win over the environment
// (KAFKA_BOOTSTRAP_SERVERS, KAFKA_TOPIC, KAFKA_GROUP); the exporter obeys the
// OTEL_* variables.
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
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
	"github.com/kafkatrace/tracing/examples/internal/telemetry"
)

// order is what travels, as JSON.
type order struct {
	ID    string `json:"id"`
	Cents int    `json:"cents"`
}

// errMalformed is a message that no retry will make an order of.
var errMalformed = errors.New("malformed order")

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		slog.Error("consumer failed", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("consumer", flag.ContinueOnError)
	brokers := flags.String("brokers", cmp.Or(os.Getenv("KAFKA_BOOTSTRAP_SERVERS"), "localhost:9092"), "bootstrap servers")
	topic := flags.String("topic", cmp.Or(os.Getenv("KAFKA_TOPIC"), "orders"), "topic to consume")
	group := flags.String("group", cmp.Or(os.Getenv("KAFKA_GROUP"), "billing"), "consumer group")
	statistics := flags.Duration("statistics-interval", 5*time.Second, "how often the client's own metrics are taken")
	if err := flags.Parse(args); err != nil {
		return err
	}

	shutdown, err := telemetry.Setup(ctx, "order-consumer")
	if err != nil {
		return err
	}
	defer shutdown()

	// The only line that tracing changes: kafka.NewConsumer before, and no options.
	consumer, err := tracing.NewConsumer(&kafka.ConfigMap{
		"bootstrap.servers":        *brokers,
		"group.id":                 *group,
		"client.id":                "order-consumer",
		"auto.offset.reset":        "earliest",
		"enable.auto.offset.store": false,  // Consume stores what has been handled
		"session.timeout.ms":       10_000, // how long the partitions of a killed consumer stay with it
		// For the metrics kafka.client.*: the lag, round-trip times.
		"statistics.interval.ms": int(statistics.Milliseconds()),
	}, tracing.WithStatisticsMetrics())
	if err != nil {
		return err
	}
	// Close commits the offsets stored and leaves the group, so that another
	// member takes over at once.
	defer func() {
		err = errors.Join(err, consumer.Close())
		slog.Info("stopped")
	}()
	if err := consumer.Subscribe(*topic, logRebalance); err != nil {
		return err
	}
	return consumer.Consume(ctx, handleOrder,
		tracing.WithErrorHandler(skipMalformed), tracing.WithEventHandler(logEvent))
}

// handleOrder does the work. Its context carries the process span: spans started
// from it, and requests made with it, become part of the order's trace.
func handleOrder(ctx context.Context, msg *kafka.Message) error {
	ctx = context.WithoutCancel(ctx) // a signal must not interrupt the order that is being handled
	var o order
	if err := json.Unmarshal(msg.Value, &o); err != nil {
		return fmt.Errorf("%w: %w", errMalformed, err)
	}
	logger(msg).Info("order handled", "order", o.ID, "cents", o.Cents,
		"trace_id", trace.SpanContextFromContext(ctx).TraceID().String())
	return nil
}

// skipMalformed lets the loop go on after what is no order, whose span shows the
// error. Any other error ends the program, and the next start tries again.
func skipMalformed(_ context.Context, msg *kafka.Message, err error) error {
	if !errors.Is(err, errMalformed) {
		return err
	}
	logger(msg).Error("order skipped", "error", err) // your dead-letter topic goes here: see examples/retry
	return nil
}

// logEvent logs what the client recovers from by itself.
func logEvent(_ context.Context, event kafka.Event) {
	if err, ok := event.(kafka.Error); ok {
		slog.Warn("kafka", "error", err)
	}
}

func logger(msg *kafka.Message) *slog.Logger {
	at := msg.TopicPartition
	return slog.With("topic", *at.Topic, "partition", at.Partition, "offset", int64(at.Offset), "key", string(msg.Key))
}

// logRebalance tells when the consumer is ready: once it has partitions.
func logRebalance(_ *kafka.Consumer, event kafka.Event) error {
	switch e := event.(type) {
	case kafka.AssignedPartitions:
		slog.Info("ready", "partitions", fmt.Sprint(e.Partitions))
	case kafka.RevokedPartitions:
		slog.Info("revoked", "partitions", fmt.Sprint(e.Partitions))
	}
	return nil
}
