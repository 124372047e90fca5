// Exactly-once turns orders into shipments: it reads a topic, writes another, and
// each order becomes one shipment, whatever is killed, restarted or rebalanced in
// between. What was read and what was written is committed in one transaction,
// and each shipment is part of the trace that began with its order:
//
//	go run ./examples/exactly-once
//
// Flags win over the environment (KAFKA_BOOTSTRAP_SERVERS, KAFKA_TOPIC,
// KAFKA_OUTPUT_TOPIC, KAFKA_GROUP, KAFKA_TRANSACTIONAL_ID); the exporter obeys
// the OTEL_* variables. Whoever reads the shipments sets
// isolation.level=read_committed.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing"
	"github.com/kafkatrace/tracing/examples/internal/telemetry"
)

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		slog.Error("exactly-once failed", "error", err)
		os.Exit(1) // to be started again: what was not committed is done then
	}
}

func run(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet("exactly-once", flag.ContinueOnError)
	brokers := flags.String("brokers", cmp.Or(os.Getenv("KAFKA_BOOTSTRAP_SERVERS"), "localhost:9092"), "bootstrap servers")
	input := flags.String("topic", cmp.Or(os.Getenv("KAFKA_TOPIC"), "orders"), "topic to consume")
	output := flags.String("output", cmp.Or(os.Getenv("KAFKA_OUTPUT_TOPIC"), "shipments"), "topic to produce to")
	group := flags.String("group", cmp.Or(os.Getenv("KAFKA_GROUP"), "shipping"), "consumer group")
	id := flags.String("transactional-id", cmp.Or(os.Getenv("KAFKA_TRANSACTIONAL_ID"), "shipping-1"),
		"transactional id: another one for each process that runs, the same when that is started again")
	size := flags.Int("size", 100, "number of orders in a transaction at most")
	wait := flags.Duration("wait", 100*time.Millisecond, "how long a transaction waits for more orders after its first")
	abortEvery := flags.Int("abort-every", 0, "abort every `n`th transaction, to see that nothing comes of it (0: none)")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *size < 1 || *abortEvery < 0 || *abortEvery == 1 {
		return errors.New("-size must be at least 1, and -abort-every 0 or at least 2: with 1 no transaction would ever be committed")
	}

	shutdown, err := telemetry.Setup(ctx, "order-shipper")
	if err != nil {
		return err
	}
	defer shutdown()

	producer, err := tracing.NewProducer(&kafka.ConfigMap{
		"bootstrap.servers":      *brokers,
		"client.id":              "order-shipper",
		"transactional.id":       *id,
		"transaction.timeout.ms": 20_000, // how long the transaction of a killed process holds others up
	}, tracing.WithTransactionSpans())
	if err != nil {
		return err
	}
	defer producer.Close()
	go logErrors(producer.Events())
	// Before anything is read: this ends what a killed predecessor left open, and
	// locks it out if it still lives.
	if err := settle(ctx, producer.InitTransactions); err != nil {
		return fmt.Errorf("init transactions: %w", err)
	}

	consumer, err := tracing.NewConsumer(&kafka.ConfigMap{
		"bootstrap.servers":  *brokers,
		"group.id":           *group,
		"client.id":          "order-shipper",
		"auto.offset.reset":  "earliest",
		"isolation.level":    "read_committed",
		"enable.auto.commit": false,  // offsets are committed by the transaction
		"session.timeout.ms": 10_000, // how long the partitions of a killed consumer stay with it
	})
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, consumer.Close())
		slog.Info("stopped")
	}()
	s := &shipper{consumer: consumer, producer: producer, output: *output, abortEvery: *abortEvery}
	if err := consumer.Subscribe(*input, s.onRebalance); err != nil {
		return err
	}
	return s.run(ctx, *size, *wait)
}

// logErrors reads the producer's events until it is closed. Of delivery reports
// the commit takes care: it fails if one message was not delivered.
func logErrors(events <-chan kafka.Event) {
	for event := range events {
		if err, ok := event.(kafka.Error); ok { // the client retries by itself
			slog.Warn("kafka", "error", err)
		}
	}
}
