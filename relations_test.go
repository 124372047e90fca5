package tracing_test

import (
	"context"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/baggage"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

// lineage is kind, parent and links of a span.
type lineage struct {
	kind   trace.SpanKind
	parent trace.SpanContext // zero: a root
	links  []trace.SpanContext
}

func assertLineage(t *testing.T, span sdktrace.ReadOnlySpan, want lineage) {
	t.Helper()
	assertSpan(t, span, wantSpan{
		name: span.Name(), kind: want.kind, parent: want.parent, links: want.links,
		attributes: span.Attributes(),
	})
	if want.parent.IsValid() && span.SpanContext().TraceID() != want.parent.TraceID() {
		t.Errorf("%s: another trace than its parent's", span.Name())
	}
}

// Every relation of receive and process: to the creation context, to the receive
// span and to the span in the caller's context.
func TestRelations(t *testing.T) {
	t.Parallel()
	const consumerKind, clientKind = trace.SpanKindConsumer, trace.SpanKindClient
	creation, ambient, none := spanContext(1), spanContext(2), trace.SpanContext{}
	links := func(of ...trace.SpanContext) []trace.SpanContext { return of }
	for name, test := range map[string]struct {
		linked, created, received, ambient bool
		receive                            lineage
		process                            lineage // parent zero with receivedParent: the receive span
		receiveIsParent                    bool
	}{
		"default": {
			created: true, received: true,
			receive: lineage{kind: consumerKind, parent: creation},
			process: lineage{kind: consumerKind}, receiveIsParent: true,
		},
		"default, ambient": {
			created: true, received: true, ambient: true,
			receive: lineage{kind: consumerKind, parent: creation},
			process: lineage{kind: consumerKind, links: links(ambient)}, receiveIsParent: true,
		},
		"default, no creation context": {
			received: true,
			receive:  lineage{kind: consumerKind, parent: none},
			process:  lineage{kind: consumerKind}, receiveIsParent: true,
		},
		"default, not received": {
			created: true,
			process: lineage{kind: consumerKind, parent: creation},
		},
		"default, not received, ambient": {
			created: true, ambient: true,
			process: lineage{kind: consumerKind, parent: creation, links: links(ambient)},
		},
		"default, not received, no creation context": {
			process: lineage{kind: consumerKind, parent: none},
		},
		"default, not received, no creation context, ambient": {
			ambient: true,
			process: lineage{kind: consumerKind, parent: ambient},
		},
		"linked": {
			linked: true, created: true, received: true,
			receive: lineage{kind: clientKind, parent: none, links: links(creation)},
			process: lineage{kind: consumerKind, parent: none, links: links(creation)},
		},
		"linked, ambient": {
			linked: true, created: true, received: true, ambient: true,
			receive: lineage{kind: clientKind, parent: none, links: links(creation)},
			process: lineage{kind: consumerKind, parent: ambient, links: links(creation)},
		},
		"linked, no creation context": {
			linked: true, received: true,
			receive: lineage{kind: clientKind, parent: none},
			process: lineage{kind: consumerKind, parent: none},
		},
		"linked, not received, ambient": {
			linked: true, created: true, ambient: true,
			process: lineage{kind: consumerKind, parent: ambient, links: links(creation)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			var opts []tracing.Option
			if test.linked {
				opts = append(opts, tracing.WithLinkedTraces())
			}
			msg := headed(header("baggage", "user=7"))
			if test.created {
				msg.Headers = append(msg.Headers, traceparent(creation))
			}
			var consumer *tracing.TracedConsumer
			if test.received {
				consumer, msg = c.receive(msg, opts...)
				receive := c.only("kafka.receive")
				assertLineage(t, receive, test.receive)
				if test.receiveIsParent {
					test.process.parent = receive.SpanContext()
				}
			} else {
				consumer = c.consumer("", nil, opts...)
			}
			ctx := context.Background()
			if test.ambient {
				ctx = trace.ContextWithSpanContext(ctx, ambient)
			}
			err := consumer.Process(ctx, msg, func(ctx context.Context) error {
				if got := baggage.FromContext(ctx).String(); got != "user=7" {
					t.Errorf("baggage %q", got)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			assertLineage(t, c.only("kafka.process"), test.process)
		})
	}
}

// A context from ContextFromMessage is no other span than the message's own, and
// nor is the span itself what its headers tell of it: neither is linked.
func TestRelationsNoLinkToTheParent(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	consumer, msg := c.receive(headed(traceparent(spanContext(1))))
	process := func(ctx context.Context, msg *kafka.Message) sdktrace.ReadOnlySpan {
		if err := consumer.Process(ctx, msg, func(context.Context) error { return nil }); err != nil {
			t.Fatal(err)
		}
		spans := c.ended("kafka.process")
		return spans[len(spans)-1]
	}
	span := process(tracing.ContextFromMessage(context.Background(), msg), msg)
	assertLineage(t, span, lineage{kind: trace.SpanKindConsumer, parent: c.only("kafka.receive").SpanContext()})

	ctx, publish := c.tp.Tracer("app").Start(context.Background(), "publish")
	defer publish.End()
	span = process(ctx, headed(traceparent(publish.SpanContext())))
	assertLineage(t, span, lineage{kind: trace.SpanKindConsumer, parent: publish.SpanContext()})
}

// forward sends msg on to a topic of its own, without a ctx if that is Background, and
// returns what arrives there.
func (c *cluster) forward(ctx context.Context, msg *kafka.Message, opts ...tracing.Option) *kafka.Message {
	c.t.Helper()
	topic := c.topic(1)
	p := c.producer(nil, opts...)
	out := *msg
	out.TopicPartition = kafka.TopicPartition{Topic: &topic, Partition: 0}
	reports := make(chan kafka.Event, 1)
	var err error
	if ctx == context.Background() {
		err = p.Produce(&out, reports)
	} else {
		err = p.ProduceContext(ctx, &out, reports)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	report(c.t, reports)
	return read(c.t, c.rawConsumer(topic, nil))
}

// A consumed message that is handed to Produce continues its own trace. Headers
// of the former hop are replaced, not added to; others keep order and duplicates.
func TestForwardedMessageContinuesItsTrace(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	_, msg := c.receive(headed(
		header("a", "1"), traceparent(spanContext(3)), header("tracestate", "old=1"), traceparent(spanContext(1)),
		header("baggage", "user=7"), header("a", "2"), header("Traceparent", "mine"),
	))
	before := headerLines(msg.Headers)
	sent := c.forward(context.Background(), msg)
	publish := c.only("kafka.publish")
	assertLineage(t, publish, lineage{kind: trace.SpanKindProducer, parent: c.only("kafka.receive").SpanContext()})
	want := headerLines([]kafka.Header{
		header("a", "1"), header("a", "2"), header("Traceparent", "mine"),
		header("tracestate", "old=1"), traceparent(publish.SpanContext()), header("baggage", "user=7"),
	})
	if got := headerLines(sent.Headers); got != want {
		t.Errorf("sent with\n%s, want\n%s", got, want)
	}
	if after := headerLines(msg.Headers); after != before {
		t.Errorf("the consumed message is changed to %s", after)
	}
}

// A tracestate and baggage of another trace do not survive where a new context is
// written without them.
func TestForwardDropsWhatIsStale(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	stale := headed(traceparent(spanContext(1)), header("tracestate", "old=1"), header("baggage", "user=7"), header("k", "v"))
	ctx, request := c.tp.Tracer("app").Start(context.Background(), "request")
	defer request.End()
	sent := c.forward(ctx, stale)
	publish := c.only("kafka.publish")
	assertLineage(t, publish, lineage{kind: trace.SpanKindProducer, parent: request.SpanContext()})
	if got, want := headerLines(sent.Headers), headerLines([]kafka.Header{header("k", "v"), traceparent(publish.SpanContext())}); got != want {
		t.Errorf("sent with %s, want %s", got, want)
	}
}

// A ctx without a span counts as none for the parent; its baggage travels, before
// that of the message.
func TestForwardBaggageWithoutASpan(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	ctx := withBaggage(t, context.Background(), "user=8")
	sent := c.forward(ctx, headed(traceparent(spanContext(1)), header("baggage", "user=7")))
	publish := c.only("kafka.publish")
	assertLineage(t, publish, lineage{kind: trace.SpanKindProducer, parent: spanContext(1)})
	if got, want := headerLines(sent.Headers), headerLines([]kafka.Header{traceparent(publish.SpanContext()), header("baggage", "user=8")}); got != want {
		t.Errorf("sent with %s, want %s", got, want)
	}
}

// Without propagation headers stay as they are, and nobody reads them.
func TestForwardWithoutPropagation(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	headers := []kafka.Header{traceparent(spanContext(1)), header("baggage", "user=7"), traceparent(spanContext(3))}
	sent := c.forward(context.Background(), headed(headers...), tracing.WithoutPropagation())
	assertLineage(t, c.only("kafka.publish"), lineage{kind: trace.SpanKindProducer})
	if got, want := headerLines(sent.Headers), headerLines(headers); got != want {
		t.Errorf("sent with %s, want %s", got, want)
	}
	_, _ = c.receive(headed(headers...), tracing.WithoutPropagation())
	assertLineage(t, c.only("kafka.receive"), lineage{kind: trace.SpanKindConsumer})
}
