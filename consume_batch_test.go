package tracing_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

func TestConsumeBatchClosesOnSizeAndTime(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	c.fill(topic, 25)
	consumer := c.member(topic, kafka.ConfigMap{"enable.auto.commit": false})
	ctx, stop := context.WithCancel(context.Background())
	var sizes []int
	err := consumer.ConsumeBatch(ctx, 10, 300*time.Millisecond, func(_ context.Context, msgs []*kafka.Message) error {
		sizes = append(sizes, len(msgs))
		if len(sizes) == 3 {
			stop()
		}
		return nil
	}, tracing.WithCommitInterval(0))
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(sizes) != "[10 10 5]" {
		t.Errorf("batches of %v", sizes)
	}
	if got := committed(t, consumer, topic); got != 25 {
		t.Errorf("committed %v", got)
	}
	receives, processes := c.ended("kafka.receive"), c.ended("kafka.process")
	if len(receives) != 3 || len(processes) != 3 {
		t.Fatalf("%d receive and %d process spans", len(receives), len(processes))
	}
	first := receives[0]
	assertBatch(t, c, first, trace.SpanKindClient, "receive", trace.SpanContext{}, topic, consumer.String())
	assertBatch(t, c, processes[0], trace.SpanKindConsumer, "process", first.SpanContext(), topic, consumer.String())
}

// assertBatch asserts a span over the first ten messages.
func assertBatch(t *testing.T, c *cluster, got sdktrace.ReadOnlySpan, kind trace.SpanKind, op string, parent trace.SpanContext, topic, client string) {
	t.Helper()
	var links []trace.SpanContext
	for _, s := range c.ended("kafka.publish") {
		for i := range 10 {
			if attributeOf(s, "messaging.kafka.offset") == fmt.Sprint(i) {
				links = append(links, s.SpanContext())
			}
		}
	}
	assertSpan(t, got, wantSpan{
		name: "kafka." + op, kind: kind, parent: parent, links: links,
		attributes: append(c.serverAttributes(),
			attribute.String("messaging.system", "kafka"),
			attribute.String("messaging.operation.name", op),
			attribute.String("messaging.operation.type", op),
			attribute.String("messaging.destination.name", topic),
			attribute.String("messaging.destination.partition.id", "0"),
			attribute.String("messaging.consumer.group.name", "billing"),
			attribute.String("messaging.client.id", client),
			attribute.Int("messaging.batch.message_count", 10),
		),
	})
	for i, l := range got.Links() {
		want := attribute.NewSet(attribute.Int("messaging.kafka.offset", i))
		if set := attribute.NewSet(l.Attributes...); !set.Equals(&want) {
			t.Errorf("link %d has %v", i, l.Attributes)
		}
	}
}
