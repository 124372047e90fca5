package tracing_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

func ExampleContextFromMessage() {
	msg := &kafka.Message{Headers: []kafka.Header{
		{Key: "traceparent", Value: []byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")},
	}}

	// The trace of a message in a log line, or in whatever else takes a context.
	ctx := tracing.ContextFromMessage(context.Background(), msg)
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	logger.Info("order received", "trace_id", trace.SpanContextFromContext(ctx).TraceID())
	// Output:
	// level=INFO msg="order received" trace_id=4bf92f3577b34da6a3ce929d0e0e4736
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

func ExampleMessageCarrier() {
	// Any propagator can read a message's headers and write them.
	msg := &kafka.Message{}
	propagator := propagation.Baggage{}
	ctx := propagator.Extract(context.Background(), propagation.MapCarrier{"baggage": "tenant=acme"})
	propagator.Inject(ctx, tracing.NewMessageCarrier(msg))

	for _, h := range msg.Headers {
		fmt.Printf("%s: %s\n", h.Key, h.Value)
	}
	// Output:
	// baggage: tenant=acme
}

func ExampleWithSpanNameFormatter() {
	// "publish orders", as the convention names spans, in place of "kafka.publish".
	// A function of one's own does as well.
	spans := tracetest.NewSpanRecorder()
	p, err := tracing.NewProducer(
		&kafka.ConfigMap{"test.mock.num.brokers": 1, "log_level": 2}, // a broker within this process
		tracing.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))),
		tracing.WithSpanNameFormatter(tracing.SemconvSpanName))
	if err != nil {
		panic(err)
	}
	defer p.Close()

	topic := "orders"
	_, err = p.Send(context.Background(), &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic}})
	fmt.Println(spans.Ended()[0].Name(), err)
	// Output:
	// publish orders <nil>
}

func ExampleWithFilter() {
	// Heartbeats are passed through untouched: no span, no metric, no header.
	spans := tracetest.NewSpanRecorder()
	p, err := tracing.NewProducer(
		&kafka.ConfigMap{"test.mock.num.brokers": 1, "log_level": 2}, // a broker within this process
		tracing.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))),
		tracing.WithFilter(func(msg *kafka.Message) bool { return string(msg.Key) != "heartbeat" }))
	if err != nil {
		panic(err)
	}
	defer p.Close()

	topic := "orders"
	for _, key := range []string{"order-1", "heartbeat", "order-2"} {
		at, err := p.Send(context.Background(), &kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: 0},
			Key:            []byte(key),
		})
		fmt.Println(key, at.Offset, err)
	}
	fmt.Println(len(spans.Ended()), "spans")
	// Output:
	// order-1 0 <nil>
	// heartbeat 1 <nil>
	// order-2 2 <nil>
	// 2 spans
}
