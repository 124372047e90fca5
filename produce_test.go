package tracing_test

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

// send produces and waits for the report.
func send(ctx context.Context, t *testing.T, p *tracing.TracedProducer, msg *kafka.Message) *kafka.Message {
	t.Helper()
	reports := make(chan kafka.Event, 1)
	if err := p.ProduceContext(ctx, msg, reports); err != nil {
		t.Fatal(err)
	}
	got := report(t, reports)
	if got.TopicPartition.Error != nil {
		t.Fatal(got.TopicPartition.Error)
	}
	return got
}

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
// contexts. The race detector sees a write to the shared array.
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

// The context given, else that of the consumed message, else that in the headers,
// else none.
func TestPublishParent(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(nil)
	consumer := c.consumer(topic, nil)
	ctx, given := c.tp.Tracer("app").Start(context.Background(), "given")
	given.End()

	send(ctx, t, p, message(topic, "v"))
	first := c.only("kafka.publish").SpanContext()
	consumed := read(t, consumer)
	receive := c.only("kafka.receive").SpanContext()
	fromHeaders := *consumed
	fromHeaders.Opaque = nil

	for name, test := range map[string]struct {
		ctx    context.Context
		msg    *kafka.Message
		parent trace.SpanContext
	}{
		"ctx":                      {ctx, message(topic, "v"), given.SpanContext()},
		"ctx over consumed":        {ctx, consumed, given.SpanContext()},
		"consumed":                 {context.Background(), consumed, receive},
		"nil ctx":                  {nil, consumed, receive},
		"headers":                  {context.Background(), &fromHeaders, first},
		"none":                     {context.Background(), message(topic, "v"), trace.SpanContext{}},
		"ctx without a valid span": {trace.ContextWithSpanContext(context.Background(), trace.SpanContext{}), consumed, receive},
	} {
		c.spans.Reset()
		send(test.ctx, t, p, test.msg)
		if got := c.only("kafka.publish"); got.Parent().SpanID() != test.parent.SpanID() {
			t.Errorf("%s: parent %v, want %v", name, got.Parent().SpanID(), test.parent.SpanID())
		}
	}
}

// Baggage travels also where ctx has no span, and replaces what is in the headers.
func TestPublishBaggage(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(nil)
	consumer := c.consumer(topic, nil)
	bag, err := baggage.Parse("tenant=blue")
	if err != nil {
		t.Fatal(err)
	}
	msg := message(topic, "v")
	msg.Headers = []kafka.Header{{Key: "baggage", Value: []byte("tenant=red")}}
	send(baggage.ContextWithBaggage(context.Background(), bag), t, p, msg)
	carrier := tracing.NewMessageCarrier(read(t, consumer))
	if got := carrier.Values("baggage"); len(got) != 1 || got[0] != "tenant=blue" {
		t.Errorf("baggage %q", got)
	}
	send(context.Background(), t, p, msg)
	if got := tracing.NewMessageCarrier(read(t, consumer)).Values("baggage"); len(got) != 1 || got[0] != "tenant=red" {
		t.Errorf("inherited baggage %q", got)
	}
}

// A filtered message is passed through untouched: no header, no span, no metric.
func TestProducerFilteredMessage(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(nil, tracing.WithFilter(func(*kafka.Message) bool { return false }))
	msg := message(topic, "v")
	msg.Opaque = "mine"
	msg.Headers = []kafka.Header{{Key: "traceparent", Value: []byte("as it is")}, {Key: "a"}, {Key: "a"}}
	wantOpaque(t, "own channel", send(t.Context(), t, p, msg), "mine")
	got := read(t, c.consumer(topic, nil, tracing.WithoutTracing()))
	if len(got.Headers) != 3 || string(got.Headers[0].Value) != "as it is" {
		t.Errorf("headers %v on the wire", got.Headers)
	}
	if err := p.Produce(&kafka.Message{}, nil); code(t, err) != kafka.ErrInvalidArg {
		t.Errorf("error %v", err)
	}
	if n := len(c.spans.Started()); n != 0 {
		t.Errorf("%d spans", n)
	}
	if durations, sent := c.publishMetrics(); len(durations)+len(sent) != 0 {
		t.Errorf("metrics %v and %v", durations, sent)
	}
}

// The sampler sees the attributes of the destination and those given by option;
// what costs is not asked for when nobody records.
func TestPublishSampling(t *testing.T) {
	t.Parallel()
	sampler := &spySampler{}
	c := newCluster(t, sdktrace.WithSampler(sampler))
	topic := c.topic(1)
	asked := 0
	p := c.producer(nil, tracing.WithAttributes(attribute.String("team", "checkout")),
		tracing.WithMessageAttributes(func(*kafka.Message) []attribute.KeyValue { asked++; return nil }))
	send(t.Context(), t, p, message(topic, "v"))
	for _, want := range []attribute.KeyValue{
		attribute.String("messaging.destination.name", topic),
		attribute.String("messaging.destination.partition.id", "0"),
		attribute.String("team", "checkout"),
	} {
		set := attribute.NewSet(sampler.seen...)
		if got, _ := set.Value(want.Key); got != want.Value {
			t.Errorf("the sampler saw %s=%v, want %v", want.Key, got.String(), want.Value.String())
		}
	}
	if asked != 0 {
		t.Error("message attributes were asked for though the span is not recording")
	}
	// It is measured and its context travels all the same.
	if durations, sent := c.publishMetrics(); durations[""] != 1 || sent[""] != 1 {
		t.Errorf("metrics %v and %v", durations, sent)
	}
	msg := read(t, c.consumer(topic, nil))
	sc := trace.SpanContextFromContext(w3c.Extract(context.Background(), tracing.NewMessageCarrier(msg)))
	if !sc.IsValid() || sc.IsSampled() {
		t.Errorf("context %v on the wire, want a valid, unsampled one", sc)
	}
}

// spySampler drops everything and remembers what it saw of the last span.
type spySampler struct{ seen []attribute.KeyValue }

func (*spySampler) Description() string { return "spy" }

func (s *spySampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	if p.Kind == trace.SpanKindProducer {
		s.seen = append([]attribute.KeyValue(nil), p.Attributes...)
	}
	return sdktrace.SamplingResult{Decision: sdktrace.Drop}
}
