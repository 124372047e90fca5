package tracing_test

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

func TestProducerRule10TheCallersMessageIsNotChanged(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(nil)
	// Room behind the headers, for an append to write to.
	headers := append(make([]kafka.Header, 0, 8),
		kafka.Header{Key: "a", Value: []byte("1")},
		kafka.Header{Key: "traceparent", Value: []byte("00-0102030405060708090a0b0c0d0e0f10-0102030405060708-01")},
		kafka.Header{Key: "tracestate", Value: []byte("stale=1")},
		kafka.Header{Key: "a", Value: []byte{}},
		kafka.Header{Key: "b", Value: nil},
	)
	msg := message(topic, "v")
	msg.Headers, msg.Opaque, msg.Timestamp = headers, "mine", time.Unix(1_700_000_000, 0)
	before, all := fmt.Sprintf("%#v", *msg), append([]kafka.Header(nil), headers[:cap(headers)]...)
	ctx, request := c.tp.Tracer("app").Start(context.Background(), "request")
	request.End()
	send(ctx, t, p, msg)
	if fmt.Sprintf("%#v", *msg) != before || !reflect.DeepEqual(headers[:cap(headers)], all) {
		t.Errorf("the message was changed:\n  %+v\n  %+v", *msg, headers[:cap(headers)])
	}

	got := read(t, c.consumer(topic, nil))
	var keys []string
	for _, h := range got.Headers {
		keys = append(keys, h.Key)
	}
	if want := []string{"a", "a", "b", "traceparent"}; fmt.Sprint(keys) != fmt.Sprint(want) {
		t.Errorf("headers %v on the wire, want %v", keys, want)
	}
	if got.Headers[1].Value == nil || len(got.Headers[1].Value) != 0 || got.Headers[2].Value != nil {
		t.Errorf("empty and null header values are %v and %v", got.Headers[1].Value, got.Headers[2].Value)
	}
	if !got.Timestamp.Equal(msg.Timestamp) {
		t.Errorf("timestamp %v, want %v", got.Timestamp, msg.Timestamp)
	}
}

// Two messages made from one header template, sent at once, keep their own
// contexts.
func TestProducerRule10SharedHeaderTemplate(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(2)
	p := c.producer(nil)
	template := append(make([]kafka.Header, 0, 16), kafka.Header{Key: "app", Value: []byte("till")})
	const n = 200
	reports := make(chan kafka.Event, 2*n)
	for partition := range int32(2) {
		go func() {
			for range n {
				msg := message(topic, "v")
				msg.TopicPartition.Partition = partition
				msg.Headers = template
				if err := p.Produce(msg, reports); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	for range 2 * n {
		report(t, reports)
	}
	for _, h := range template[1:cap(template)] {
		if h.Key != "" {
			t.Fatalf("%s was written to the application's array", h.Key)
		}
	}
	published := map[trace.SpanID]bool{}
	for _, s := range c.ended("kafka.publish") {
		published[s.SpanContext().SpanID()] = true
	}
	consumer := c.consumer(topic, nil, tracing.WithoutTracing())
	for range n {
		msg := read(t, consumer)
		sc := trace.SpanContextFromContext(w3c.Extract(context.Background(), tracing.NewMessageCarrier(msg)))
		if !published[sc.SpanID()] || len(msg.Headers) != 2 {
			t.Fatalf("headers %v: not the context of a publish span of its own", msg.Headers)
		}
		delete(published, sc.SpanID())
	}
	if len(published) != n { // those of the other partition
		t.Errorf("%d contexts used by one partition, want %d", 2*n-len(published), n)
	}
}

func TestProducerRule10ResendIsASibling(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(nil)
	ctx, request := c.tp.Tracer("app").Start(context.Background(), "request")
	inherited := message(topic, "v")
	w3c.Inject(ctx, tracing.NewMessageCarrier(inherited))
	request.End()
	for range 3 {
		send(context.Background(), t, p, inherited)
	}
	for _, s := range c.ended("kafka.publish") {
		if s.Parent().SpanID() != request.SpanContext().SpanID() {
			t.Errorf("parent %v, want the request %v", s.Parent().SpanID(), request.SpanContext().SpanID())
		}
	}
	c.spans.Reset()
	alone := message(topic, "v")
	for range 2 {
		send(context.Background(), t, p, alone)
	}
	if spans := c.ended("kafka.publish"); spans[0].Parent().IsValid() || spans[1].Parent().IsValid() ||
		spans[0].SpanContext().TraceID() == spans[1].SpanContext().TraceID() {
		t.Error("sending a message twice relates the two")
	}
}

func TestProducerRule11NilAndEmptyStayDifferent(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(nil)
	consumer := c.consumer(topic, nil)
	for _, want := range []struct{ key, value []byte }{
		{nil, nil}, {nil, []byte{}}, {[]byte{}, nil}, {[]byte{}, []byte{}}, {[]byte("k"), []byte("v")},
	} {
		msg := message(topic, "")
		msg.Key, msg.Value = want.key, want.value
		sent := send(t.Context(), t, p, msg)
		got := read(t, consumer)
		for where, m := range map[string]*kafka.Message{"report": sent, "wire": got} {
			if (m.Key == nil) != (want.key == nil) || (m.Value == nil) != (want.value == nil) ||
				!bytes.Equal(m.Key, want.key) || !bytes.Equal(m.Value, want.value) {
				t.Errorf("%s: key %#v, value %#v, want %#v", where, m.Key, m.Value, want)
			}
		}
	}
}
