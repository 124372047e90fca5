//go:build integration

package e2e

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/baggage"

	"github.com/kafkatrace/tracing/test/kafkatest"
)

// The wire has the application's headers, in their order, and then those of the publish span's context.
func TestHeadersOnTheWire(t *testing.T) {
	t.Parallel()
	bootstrap := kafkatest.Shared(t)
	topic := kafkatest.NewTopic(t, bootstrap, 1)
	e := newTelemetry(t)
	p := e.producer(t, bootstrap, nil)
	application := []kafka.Header{
		{Key: "z", Value: []byte("first")},
		{Key: "binary", Value: []byte{0, 0xff, '\n'}},
		{Key: "twice", Value: []byte("1")},
		{Key: "empty", Value: []byte{}},
		{Key: "null"},
		{Key: "", Value: []byte("no name")},
		{Key: "twice", Value: []byte("2")},
		{Key: "Traceparent", Value: []byte("another key")},
	}
	stale := []kafka.Header{
		{Key: "traceparent", Value: []byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")},
		{Key: "tracestate", Value: []byte("stale=1")},
		{Key: "baggage", Value: []byte("stale=1")},
	}
	member, err := baggage.NewMember("tenant", "blue")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	ctx, span := e.tp.Tracer("test").Start(baggage.ContextWithBaggage(context.Background(), bag), "request")
	for _, headers := range [][]kafka.Header{nil, application, slices.Insert(slices.Clone(application), 3, stale...)} {
		msg := message(topic, "headers")
		msg.Headers = slices.Clone(headers)
		if _, err := p.Send(ctx, msg); err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(msg.Headers, headers, sameHeader) {
			t.Errorf("the caller's headers are %v, were %v", msg.Headers, headers)
		}
	}
	span.End()

	msgs, published := messagesOf(t, bootstrap, topic, "read_committed"), e.spans("kafka.publish")
	if len(msgs) != 3 || len(published) != 3 {
		t.Fatalf("%d messages and %d publish spans, want 3", len(msgs), len(published))
	}
	for i, want := range [][]kafka.Header{nil, application, application} {
		context := []kafka.Header{
			{Key: "traceparent", Value: []byte("00-" + published[i].TraceID.String() + "-" + published[i].SpanID.String() + "-01")},
			{Key: "baggage", Value: []byte("tenant=blue")},
		}
		if want := append(slices.Clone(want), context...); !slices.EqualFunc(msgs[i].Headers, want, sameHeader) {
			t.Errorf("message %d has\n%v, want\n%v", i, msgs[i].Headers, want)
		}
	}
}

// sameHeader tells null from empty.
func sameHeader(a, b kafka.Header) bool {
	return a.Key == b.Key && bytes.Equal(a.Value, b.Value) && (a.Value == nil) == (b.Value == nil)
}
