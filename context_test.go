package tracing_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

// receive has a traced consumer receive a message that no broker has seen.
func (c *cluster) receive(msg *kafka.Message, opts ...tracing.Option) (*tracing.TracedConsumer, *kafka.Message) {
	c.t.Helper()
	consumer := c.consumer("", kafka.ConfigMap{"go.events.channel.enable": true, "client.id": "till"}, opts...)
	consumer.Consumer.Events() <- msg
	got, ok := receiveEvent(c.t, consumer.Events()).(*kafka.Message)
	if !ok || got != msg {
		c.t.Fatalf("received %v", got)
	}
	return consumer, got
}

// headed is a message of topic "orders" with headers.
func headed(headers ...kafka.Header) *kafka.Message {
	msg := message("orders", "x")
	msg.Headers = headers
	return msg
}

func header(key, value string) kafka.Header {
	return kafka.Header{Key: key, Value: []byte(value)}
}

// spanIn is the context of the span in ctx.
func spanIn(ctx context.Context) trace.SpanContext { return trace.SpanContextFromContext(ctx) }

func withBaggage(t *testing.T, ctx context.Context, s string) context.Context { //nolint:revive // t is first in a helper.
	t.Helper()
	bag, err := baggage.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return baggage.ContextWithBaggage(ctx, bag)
}

type ctxKey struct{}

func TestContextFromMessageIsTheReceiveSpan(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	_, msg := c.receive(headed(traceparent(spanContext(1)), header("tracestate", "a=b"), header("baggage", "user=7")))
	deadline := time.Now().Add(time.Hour)
	ctx, cancel := context.WithDeadline(context.WithValue(context.Background(), ctxKey{}, "mine"), deadline)
	defer cancel()

	ctx = tracing.ContextFromMessage(ctx, msg)
	receive := c.only("kafka.receive").SpanContext()
	if got := spanIn(ctx); !got.Equal(receive) || got.TraceState().Get("a") != "b" || got.IsRemote() {
		t.Errorf("continues %+v, want %+v", got, receive)
	}
	if got := baggage.FromContext(ctx).String(); got != "user=7" {
		t.Errorf("baggage %q", got)
	}
	if d, ok := ctx.Deadline(); !ok || !d.Equal(deadline) || ctx.Value(ctxKey{}) != "mine" {
		t.Error("the rest of ctx is lost")
	}
}

func TestContextFromMessageFallsBackToTheHeaders(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	headers := []kafka.Header{traceparent(spanContext(1)), header("baggage", "user=7")}
	_, overwritten := c.receive(headed(headers...))
	overwritten.Opaque = "the application's"
	_, cleared := c.receive(headed(headers...))
	cleared.Opaque = nil
	for name, msg := range map[string]*kafka.Message{
		"never received":     headed(headers...),
		"Opaque overwritten": overwritten,
		"Opaque cleared":     cleared,
	} {
		ctx := tracing.ContextFromMessage(context.Background(), msg)
		if !spanIn(ctx).Equal(spanContext(1)) || baggage.FromContext(ctx).String() != "user=7" {
			t.Errorf("%s: continues %+v with baggage %q", name, spanIn(ctx), baggage.FromContext(ctx))
		}
	}
}

func TestContextFromMessageWithoutAContext(t *testing.T) {
	t.Parallel()
	ambient := trace.ContextWithSpanContext(context.Background(), spanContext(9))
	for name, msg := range map[string]*kafka.Message{"nil message": nil, "no headers": headed(), "others": headed(header("a", "b"))} {
		if ctx := tracing.ContextFromMessage(ambient, msg); ctx != ambient {
			t.Errorf("%s: ctx is not returned as it is", name)
		}
		if ctx := tracing.ContextFromMessage(nil, msg); ctx == nil || spanIn(ctx).IsValid() { //nolint:staticcheck // A nil ctx counts as Background.
			t.Errorf("%s: %v from a nil ctx", name, ctx)
		}
	}
}

// The receive span is there also where it is not sampled: what follows must stay
// in its trace, unsampled.
func TestContextFromMessageUnsampled(t *testing.T) {
	t.Parallel()
	c := newCluster(t, sdktrace.WithSampler(sdktrace.NeverSample()))
	_, msg := c.receive(headed(traceparent(spanContext(1))))
	got := spanIn(tracing.ContextFromMessage(context.Background(), msg))
	if creation := spanContext(1); got.TraceID() != creation.TraceID() || got.SpanID() == creation.SpanID() || got.IsSampled() {
		t.Errorf("continues %+v", got)
	}
}

// renamed is W3C Trace Context under names of its own, listed or not.
type renamed struct{ unlisted bool }

func (renamed) Inject(ctx context.Context, carrier propagation.TextMapCarrier) {
	m := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(ctx, m)
	for k, v := range m {
		carrier.Set("my-"+k, v)
	}
}

func (renamed) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	return propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{
		"traceparent": carrier.Get("my-traceparent"), "tracestate": carrier.Get("my-tracestate"),
	})
}

func (r renamed) Fields() []string {
	if r.unlisted {
		return nil
	}
	return []string{"my-traceparent", "my-tracestate"}
}

// A propagator given by option is known to ContextFromMessage, which gets no
// options, through the message; with and without spans of our own. One that lists
// no fields, which its author may find optional, works all the same.
func TestContextFromMessageWithAPropagatorByOption(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]renamed{"listed": {}, "unlisted": {unlisted: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			mine := traceparent(spanContext(2))
			mine.Key = "my-traceparent"
			headers := []kafka.Header{traceparent(spanContext(1)), mine}

			consumer, msg := c.receive(headed(headers...), tracing.WithPropagators(p))
			span := c.only("kafka.receive")
			if span.Parent().SpanID() != spanContext(2).SpanID() {
				t.Errorf("the receive span's parent is %v", span.Parent())
			}
			if got := spanIn(tracing.ContextFromMessage(context.Background(), msg)); !got.Equal(span.SpanContext()) {
				t.Errorf("continues %+v", got)
			}
			_ = consumer

			_, msg = c.receive(headed(headers...), tracing.WithPropagators(p), tracing.WithoutTracing())
			if got := spanIn(tracing.ContextFromMessage(context.Background(), msg)); !got.Equal(spanContext(2)) {
				t.Errorf("without tracing: continues %+v", got)
			}

			topic := c.topic(1)
			producer := c.producer(nil, tracing.WithPropagators(p))
			if err := producer.Produce(message(topic, "x"), nil); err != nil {
				t.Fatal(err)
			}
			report(t, producer.Events())
			sent := read(t, c.rawConsumer(topic, nil))
			want := traceparent(c.only("kafka.publish").SpanContext())
			want.Key = "my-traceparent"
			if got := headerLines(sent.Headers); got != headerLines([]kafka.Header{want}) {
				t.Errorf("sent with %s", got)
			}
		})
	}
}

// WithoutTracing passes contexts on: handlers and forwarded messages continue the
// creation context itself, in either relation.
func TestContextWithoutTracing(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]tracing.Option{"default": nil, "linked": {tracing.WithLinkedTraces()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			consumer, msg := c.receive(headed(traceparent(spanContext(1)), header("baggage", "user=7")),
				append(opts, tracing.WithoutTracing())...)
			err := consumer.Process(context.Background(), msg, func(ctx context.Context) error {
				if !spanIn(ctx).Equal(spanContext(1)) || baggage.FromContext(ctx).String() != "user=7" {
					t.Errorf("the handler continues %+v with baggage %q", spanIn(ctx), baggage.FromContext(ctx))
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			if got := spanIn(tracing.ContextFromMessage(context.Background(), msg)); !got.Equal(spanContext(1)) {
				t.Errorf("continues %+v", got)
			}
			if n := len(c.spans.Started()); n != 0 {
				t.Errorf("%d spans", n)
			}
		})
	}
}

// With everything off a message is the raw client's: no Opaque.
func TestContextWithEverythingOff(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	consumer, msg := c.receive(headed(traceparent(spanContext(1))),
		tracing.WithoutTracing(), tracing.WithoutMetrics(), tracing.WithoutPropagation())
	if msg.Opaque != nil {
		t.Errorf("Opaque %v", msg.Opaque)
	}
	if consumer.Events() != consumer.Consumer.Events() {
		t.Error("events take a detour")
	}
	err := consumer.Process(context.Background(), msg, func(ctx context.Context) error {
		if spanIn(ctx).IsValid() {
			t.Errorf("the handler continues %+v", spanIn(ctx))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// An unreadable context counts as none, of whatever shape it is.
func TestContextInvalidTraceparent(t *testing.T) {
	t.Parallel()
	valid := string(traceparent(spanContext(1)).Value)
	for _, value := range []string{
		"", "-", "00", valid[:54], valid + "-extra", strings.ToUpper(valid), " " + valid,
		"ff" + valid[2:], "0" + valid, strings.Replace(valid, "-", "_", 1), valid[:53] + "zz",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
		"\xff\xfe\x00", strings.Repeat("0", 1<<20), strings.Repeat("-", 1<<20),
	} {
		msg := headed(header("traceparent", value), header("tracestate", "a=b"))
		if got := spanIn(tracing.ContextFromMessage(context.Background(), msg)); got.IsValid() {
			t.Errorf("%.60q is read as %+v", value, got)
		}
	}
	if got := spanIn(tracing.ContextFromMessage(context.Background(), headed(kafka.Header{Key: "traceparent"}))); got.IsValid() {
		t.Errorf("null is read as %+v", got)
	}
	// A tracestate that cannot be read does not spoil its traceparent.
	ctx := tracing.ContextFromMessage(context.Background(), headed(header("traceparent", valid), header("tracestate", "\xff")))
	if got := spanIn(ctx); got.SpanID() != spanContext(1).SpanID() || got.TraceState().Len() != 0 {
		t.Errorf("read as %+v", got)
	}
}
