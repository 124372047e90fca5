package tracing_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/kafkatrace/tracing"
)

func ExampleNewProducer() {
	// kafka.NewProducer before; nothing else changes.
	p, err := tracing.NewProducer(&kafka.ConfigMap{"bootstrap.servers": "localhost:9092"})
	if err != nil {
		panic(err)
	}
	defer p.Close()

	topic := "orders"
	err = p.Produce(&kafka.Message{
		TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny},
		Value:          []byte("one espresso"),
	}, nil)
	if err != nil {
		panic(err)
	}
	p.Flush(10_000)
}

func ExampleWrapProducer() {
	raw, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": "localhost:9092"})
	if err != nil {
		panic(err)
	}
	// What a producer that exists cannot tell of itself is given by options.
	p := tracing.WrapProducer(raw, tracing.WithServerAddress("localhost:9092"))
	defer p.Close() // closes raw

	p.Flush(10_000)
}

func ExampleTracedProducer_ProduceContext() {
	var p *tracing.TracedProducer // made by NewProducer

	// In the handler of a request, whose span is in ctx: the message's span
	// becomes its child, and ends with the delivery report.
	placeOrder := func(ctx context.Context, order []byte) error {
		topic := "orders"
		return p.ProduceContext(ctx, &kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny},
			Value:          order,
		}, nil)
	}
	_ = placeOrder
}

func ExampleTracedProducer_Send() {
	spans := tracetest.NewSpanRecorder()
	p, err := tracing.NewProducer(
		&kafka.ConfigMap{"test.mock.num.brokers": 1, "log_level": 2}, // a broker within this process
		tracing.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))))
	if err != nil {
		panic(err)
	}
	defer p.Close()

	topic := "orders"
	at, err := p.Send(context.Background(), &kafka.Message{
		TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: 0},
		Value:          []byte("one espresso"),
	})
	fmt.Println(at, err)
	for _, s := range spans.Ended() {
		fmt.Println(s.Name())
	}
	// Output:
	// orders[0]@0 <nil>
	// kafka.publish
}

func ExampleTracedProducer_SendBatch() {
	p, err := tracing.NewProducer(
		&kafka.ConfigMap{"test.mock.num.brokers": 1, "log_level": 2}) // a broker within this process
	if err != nil {
		panic(err)
	}
	defer p.Close()

	topic := "orders"
	var msgs []*kafka.Message
	for _, order := range []string{"one espresso", "two cappuccinos", "a glass of water"} {
		msgs = append(msgs, &kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: 0},
			Value:          []byte(order),
		})
	}
	results, err := p.SendBatch(context.Background(), msgs)
	for i, at := range results {
		fmt.Printf("%s: offset %v, error %v\n", msgs[i].Value, at.Offset, at.Error)
	}
	fmt.Println(err)
	// Output:
	// one espresso: offset 0, error <nil>
	// two cappuccinos: offset 1, error <nil>
	// a glass of water: offset 2, error <nil>
	// <nil>
}

func ExampleWithRetry() {
	var p *tracing.TracedProducer // made by NewProducer

	placeOrder := func(ctx context.Context, msg *kafka.Message) error {
		// Up to ten attempts, within a minute.
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		at, err := p.Send(ctx, msg, tracing.WithRetry(tracing.RetryPolicy{
			Attempts:   10,
			FirstDelay: 200 * time.Millisecond,
			MaxDelay:   5 * time.Second,
		}))
		if err != nil {
			return err
		}
		slog.InfoContext(ctx, "order placed", "partition", at.Partition, "offset", at.Offset)
		return nil
	}
	_ = placeOrder
}
