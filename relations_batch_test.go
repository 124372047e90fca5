package tracing_test

import (
	"context"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

// Every relation of a batch: to the creation contexts, to the span of the ReadBatch,
// and to the span in the caller's context, which is linked where it is none of these.
func TestRelationsOfABatch(t *testing.T) {
	t.Parallel()
	one, two, other := spanContext(1), spanContext(2), spanContext(3)
	links := func(of ...trace.SpanContext) []trace.SpanContext { return of }
	for name, test := range map[string]struct {
		linked, apart bool // apart: each message is read by itself
		ambient       func(receive trace.SpanContext) trace.SpanContext
		parent        trace.SpanContext // zero: the span of the ReadBatch, unless apart or linked
		links         []trace.SpanContext
	}{
		"no other": {links: links(one, two)},
		"another":  {ambient: func(trace.SpanContext) trace.SpanContext { return other }, links: links(one, two, other)},
		"the batch's own": {
			ambient: func(receive trace.SpanContext) trace.SpanContext { return receive },
			links:   links(one, two),
		},
		"the batch's own, as read from headers": {
			ambient: func(receive trace.SpanContext) trace.SpanContext { return receive.WithRemote(true) },
			links:   links(one, two),
		},
		"a creation context": {ambient: func(trace.SpanContext) trace.SpanContext { return two }, links: links(one, two)},
		"a creation context, as the span itself": {
			ambient: func(trace.SpanContext) trace.SpanContext { return two.WithRemote(false) },
			links:   links(one, two),
		},
		"read apart":          {apart: true, links: links(one, two)},
		"read apart, another": {apart: true, ambient: func(trace.SpanContext) trace.SpanContext { return other }, parent: other, links: links(one, two)},
		"linked":              {linked: true, links: links(one, two)},
		"linked, another":     {linked: true, ambient: func(trace.SpanContext) trace.SpanContext { return other }, parent: other, links: links(one, two)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			topic := c.topic(1)
			first, second := message(topic, "a"), message(topic, "b")
			first.Headers, second.Headers = []kafka.Header{traceparent(one)}, []kafka.Header{traceparent(two)}
			c.produceRaw(first, second)
			var opts []tracing.Option
			if test.linked {
				opts = append(opts, tracing.WithLinkedTraces())
			}
			consumer := c.consumer(topic, nil, opts...)
			size := 2
			if test.apart {
				size = 1
			}
			var batch []*kafka.Message
			for len(batch) < 2 {
				msgs, err := consumer.ReadBatch(context.Background(), size, time.Hour)
				if err != nil {
					t.Fatal(err)
				}
				batch = append(batch, msgs...)
			}
			receive := c.ended("kafka.receive")[0]
			if !test.apart {
				assertLineage(t, receive, lineage{kind: trace.SpanKindClient, links: links(one, two)})
				if !test.linked {
					test.parent = receive.SpanContext()
				}
			}
			ctx := context.Background()
			if test.ambient != nil {
				ctx = trace.ContextWithSpanContext(ctx, test.ambient(receive.SpanContext()))
			}
			if err := consumer.ProcessBatch(ctx, batch, func(context.Context) error { return nil }); err != nil {
				t.Fatal(err)
			}
			assertLineage(t, c.only("kafka.process"), lineage{kind: trace.SpanKindConsumer, parent: test.parent, links: test.links})
		})
	}
}

// A loop whose own context is that of a message: neither span links to its parent.
func TestRelationsNoLinkToTheParentOfALoop(t *testing.T) {
	t.Parallel()
	for name, linked := range map[string]bool{"default": false, "linked": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			topic := c.topic(1)
			ctx, span := c.tp.Tracer("app").Start(context.Background(), "publish")
			span.End()
			publish := span.SpanContext()
			msg := message(topic, "a")
			msg.Headers = []kafka.Header{traceparent(publish)}
			c.produceRaw(msg)
			var opts []tracing.Option
			if linked {
				opts = append(opts, tracing.WithLinkedTraces())
			}
			consumer := c.consumer(topic, kafka.ConfigMap{"enable.auto.offset.store": false}, opts...)
			ctx, stop := context.WithTimeout(ctx, patience)
			defer stop()
			if err := consumer.Consume(ctx, func(context.Context, *kafka.Message) error { stop(); return nil }); err != nil {
				t.Fatal(err)
			}
			receive, process := c.only("kafka.receive"), c.only("kafka.process")
			if linked {
				assertLineage(t, receive, lineage{kind: trace.SpanKindClient, parent: publish})
				assertLineage(t, process, lineage{kind: trace.SpanKindConsumer, parent: publish})
				return
			}
			assertLineage(t, receive, lineage{kind: trace.SpanKindConsumer, parent: publish})
			assertLineage(t, process, lineage{kind: trace.SpanKindConsumer, parent: receive.SpanContext(), links: []trace.SpanContext{publish}})
		})
	}
}
