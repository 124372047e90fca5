package tracing_test

import (
	"context"
	"testing"

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
