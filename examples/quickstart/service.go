package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

// logLevel keeps the client from writing to the terminal: its errors come as
// events and results, too.
const logLevel = 2

// newProducer returns a traced producer of a service.
func newProducer(at *cluster, service string, provider trace.TracerProvider) (*tracing.TracedProducer, error) {
	return tracing.NewProducer(&kafka.ConfigMap{
		"bootstrap.servers":  at.bootstrap,
		"client.id":          service,
		"linger.ms":          0,      // an order is not to wait for company
		"message.timeout.ms": 10_000, // rather fail than wait minutes for a lost broker
		"log_level":          logLevel,
	}, tracing.WithTracerProvider(provider))
}

// worker reads the messages of a topic on behalf of a consumer group.
type worker struct {
	consumer *tracing.TracedConsumer
	assigned chan struct{} // holds a value once there are partitions
	topic    string
}

// newWorker returns a worker with a traced consumer.
func newWorker(at *cluster, service, group, topic string, provider trace.TracerProvider) (*worker, error) {
	consumer, err := tracing.NewConsumer(&kafka.ConfigMap{
		"bootstrap.servers": at.bootstrap,
		"client.id":         service,
		"group.id":          at.prefix + group,
		"group.protocol":    at.groupProtocol,
		"auto.offset.reset": "earliest",
		"fetch.wait.max.ms": 10, // the embedded broker answers no sooner, message or not
		"log_level":         logLevel,
	}, tracing.WithTracerProvider(provider))
	if err != nil {
		return nil, err
	}
	w := &worker{consumer: consumer, topic: topic, assigned: make(chan struct{}, 1)}
	err = consumer.Subscribe(topic, func(_ *kafka.Consumer, event kafka.Event) error {
		if e, ok := event.(kafka.AssignedPartitions); ok && len(e.Partitions) > 0 {
			select {
			case w.assigned <- struct{}{}:
			default: // known already
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, consumer.Close())
	}
	return w, nil
}

// close commits what was consumed and leaves the group.
func (w *worker) close() { _ = w.consumer.Close() }

// run lets handle process each order, in a span that is a child of the
// message's, until ctx ends. An order whose handler fails is not tried again:
// its span has the error. done is called when the span has ended.
func (w *worker) run(ctx context.Context, handle func(context.Context, order) error, done func(order, error)) error {
	for ctx.Err() == nil {
		msg, err := w.consumer.ReadMessage(100 * time.Millisecond)
		if err != nil {
			var kafkaError kafka.Error
			if !errors.As(err, &kafkaError) || kafkaError.IsFatal() {
				return fmt.Errorf("reading %s: %w", w.topic, err)
			}
			continue // nothing came, or the client is connecting again
		}
		var o order
		// The end of the program must not interrupt an order: hence WithoutCancel.
		err = w.consumer.Process(context.WithoutCancel(ctx), msg, func(ctx context.Context) error {
			if err := json.Unmarshal(msg.Value, &o); err != nil {
				return err
			}
			return handle(ctx, o)
		})
		done(o, err)
	}
	return nil
}

// ready waits until every worker has partitions, and a little longer, in which
// they find the offsets to start at: nothing needs that, but the traces are
// easier to read if no message waits for it.
func ready(ctx context.Context, workers ...*worker) error {
	deadline := time.After(readyTimeout)
	for _, w := range workers {
		select {
		case <-w.assigned:
		case <-deadline:
			return fmt.Errorf("no partition of %s was assigned within %s: is another member in the group?", w.topic, readyTimeout)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	work(200 * time.Millisecond)
	return nil
}

// fail marks a span of the application's own as failed, as the library does with
// its spans: the status in words, error.type for queries.
func fail(span trace.Span, err error) error {
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
		span.SetAttributes(semconv.ErrorType(err))
	}
	return err
}

// work stands for time spent on something useful.
func work(d time.Duration) { time.Sleep(d) }
