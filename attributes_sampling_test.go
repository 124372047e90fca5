package tracing_test

import (
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/kafkatrace/tracing"
)

// starts is a sampler that keeps the attributes that it was asked with.
type starts struct {
	sdktrace.Sampler
	seen chan attribute.Set
}

func (s starts) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	s.seen <- attribute.NewSet(p.Attributes...)
	return s.Sampler.ShouldSample(p)
}

func TestAttributesThatSamplersSee(t *testing.T) {
	t.Parallel()
	sampler := starts{Sampler: sdktrace.AlwaysSample(), seen: make(chan attribute.Set, 8)}
	c := newCluster(t, sdktrace.WithSampler(sampler))
	want := append(c.serverAttributes(),
		attribute.String("messaging.system", "kafka"),
		attribute.String("messaging.operation.name", "receive"),
		attribute.String("messaging.operation.type", "receive"),
		attribute.String("messaging.destination.name", "orders"),
		attribute.String("messaging.destination.partition.id", "0"),
		attribute.String("messaging.consumer.group.name", "billing"),
		attribute.String("tier", "gold"),
		attribute.String("zone", "a"))
	c.receive(keyed([]byte("k")), tracing.WithAttributes(attribute.String("tier", "gold")), tracing.WithAttributes(attribute.String("zone", "a")))
	if got, set := <-sampler.seen, attribute.NewSet(want...); !got.Equals(&set) {
		t.Errorf("the sampler saw %s, not %s", got.Encoded(attribute.DefaultEncoder()), set.Encoded(attribute.DefaultEncoder()))
	}

	p := c.producer(nil)
	for _, partition := range []int32{0, kafka.PartitionAny} {
		msg := message(c.topic(1), "x")
		msg.TopicPartition.Partition = partition
		if err := p.Produce(msg, nil); err != nil {
			t.Fatal(err)
		}
		report(t, p.Events())
		if got := <-sampler.seen; got.HasValue("messaging.destination.partition.id") != (partition >= 0) {
			t.Errorf("partition %d: the sampler saw %s", partition, got.Encoded(attribute.DefaultEncoder()))
		}
	}
}

func TestAttributesOfMessages(t *testing.T) {
	t.Parallel()
	asked := 0
	of := tracing.WithMessageAttributes(func(msg *kafka.Message) []attribute.KeyValue {
		asked++
		return []attribute.KeyValue{attribute.String("tenant", string(msg.Value))}
	})
	c := newCluster(t)
	assertValue(t, c.receivedAttributes(headed(), of), "tenant", "x")
	unsampled := newCluster(t, sdktrace.WithSampler(sdktrace.NeverSample()))
	unsampled.receive(headed(), of)
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}
