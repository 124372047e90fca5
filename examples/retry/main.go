// Retry shows what becomes of orders when something fails. A broker, embedded in
// this program, is down for a while: the order is sent again until it is back.
// Then the order turns out to be one that nobody can handle: it is put aside in a
// dead-letter topic. All of that is one trace, which is printed:
//
//	go run ./examples/retry
package main

import (
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
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
	"github.com/kafkatrace/tracing/examples/internal/telemetry"
	"github.com/kafkatrace/tracing/examples/internal/tracetree"
)

var topic, deadLetters = "orders", "orders.dead-letters"

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
		slog.Error("retry failed", "error", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) (err error) {
	flags := flag.NewFlagSet("retry", flag.ContinueOnError)
	outage := flags.Duration("outage", 2500*time.Millisecond, "how long the broker is down")
	if err := flags.Parse(args); err != nil {
		return err
	}
	// It warns that it has no bootstrap.servers; it needs none.
	cluster, err := kafka.NewMockCluster(1)
	if err != nil {
		return err
	}
	defer cluster.Close()
	for _, name := range []string{topic, deadLetters} {
		if err := cluster.CreateTopic(name, 1, 1); err != nil {
			return err
		}
	}
	collector := telemetry.Collect("order-service")
	defer func() {
		err = errors.Join(err, tracetree.Render(stdout, collector.Traces(), tracetree.TerminalOptions(stdout)))
	}()

	producer, err := tracing.NewProducer(&kafka.ConfigMap{
		"bootstrap.servers":        cluster.BootstrapServers(),
		"message.timeout.ms":       300, // of one attempt, give or take a second; the client's default is 5 minutes
		"reconnect.backoff.max.ms": 200,
		"log_level":                2, // the outage is no news
	})
	if err != nil {
		return err
	}
	defer producer.Close()
	if err := cluster.SetBrokerDown(1); err != nil {
		return err
	}
	back := make(chan error, 1)
	time.AfterFunc(*outage, func() { back <- cluster.SetBrokerUp(1) })
	err = placeOrder(ctx, producer, order{ID: "order-1", Cents: -1999})
	if err := errors.Join(<-back, err); err != nil {
		return err
	}

	consumer, err := tracing.NewConsumer(&kafka.ConfigMap{
		"bootstrap.servers":        cluster.BootstrapServers(),
		"group.id":                 "billing",
		"group.protocol":           "consumer", // joins in milliseconds here
		"auto.offset.reset":        "earliest",
		"enable.auto.offset.store": false, // Consume stores what has been handled
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, consumer.Close()) }()
	if err := consumer.Subscribe(topic, nil); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	return consumer.Consume(ctx, charge, tracing.WithErrorHandler(
		func(ctx context.Context, msg *kafka.Message, failure error) error {
			defer stop() // there is only this one
			return putAside(ctx, producer, msg, failure)
		}))
}

// placeOrder stands for the handler of an HTTP request.
func placeOrder(ctx context.Context, producer *tracing.TracedProducer, o order) error {
	ctx, span := otel.Tracer("examples/retry").Start(ctx, "POST /orders", trace.WithSpanKind(trace.SpanKindServer))
	defer span.End()
	value, err := json.Marshal(o)
	if err != nil {
		return err
	}
	at, err := producer.Send(ctx, &kafka.Message{
		TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny},
		Key:            []byte(o.ID),
		Value:          value,
	}, tracing.WithRetry(tracing.RetryPolicy{Attempts: 20, FirstDelay: 50 * time.Millisecond, MaxDelay: time.Second}))
	if err != nil {
		return err
	}
	slog.Info("order delivered", "topic", *at.Topic, "partition", at.Partition, "offset", int64(at.Offset))
	return nil
}

// charge handles an order, or cannot.
func charge(_ context.Context, msg *kafka.Message) error {
	var o order
	if err := json.Unmarshal(msg.Value, &o); err != nil {
		return err
	}
	if o.Cents < 0 {
		return fmt.Errorf("cannot charge %d cents", o.Cents)
	}
	return nil
}

// putAside produces a message that cannot be handled to the dead-letter topic,
// with the reason. If it returns nil the message counts as handled; otherwise
// Consume ends, and the message will be consumed again: it is lost in no case.
func putAside(ctx context.Context, producer *tracing.TracedProducer, msg *kafka.Message, failure error) error {
	dead := *msg // with all its headers
	dead.TopicPartition = kafka.TopicPartition{Topic: &deadLetters, Partition: kafka.PartitionAny}
	dead.Headers = append(dead.Headers[:len(dead.Headers):len(dead.Headers)], kafka.Header{Key: "error", Value: []byte(failure.Error())})
	// A consumed message that is sent on continues its own trace.
	_, err := producer.Send(ctx, &dead, tracing.WithRetry(tracing.RetryPolicy{}))
	return err
}
