package tracing_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/kafkatrace/tracing"
)

// An exporter that sends spans to Kafka, through the producer that makes them, and
// asks how it stands.
func TestProducerRule04ExporterProducesThroughTheProducer(t *testing.T) {
	t.Parallel()
	var p *tracing.TracedProducer
	var exported atomic.Int64
	var spansTopic string
	c := newCluster(t, sdktrace.WithSpanProcessor(spanHooks{onEnd: func() {
		if exported.Add(1); p.Produce(message(spansTopic, "span"), nil) != nil {
			t.Error("the exporter cannot produce")
		}
		p.Len()
	}}))
	topic := c.topic(1)
	spansTopic = c.topic(1)
	p = c.producer(nil, tracing.WithFilter(func(msg *kafka.Message) bool { return *msg.TopicPartition.Topic != spansTopic }))
	const n = 1000
	reports := make(chan kafka.Event)
	var producing sync.WaitGroup
	producing.Go(func() {
		for range n {
			produce(t, p, message(topic, "v"), reports)
		}
	})
	for i := range n {
		if got := report(t, reports); int(got.TopicPartition.Offset) != i {
			t.Fatalf("offset %v, want %d", got.TopicPartition.Offset, i)
		}
	}
	producing.Wait()
	for range n {
		report(t, p.Events())
	}
	if left := p.Flush(int(patience.Milliseconds())); left != 0 || exported.Load() != n {
		t.Errorf("Flush returned %d, %d spans exported", left, exported.Load())
	}
}

// While the producer closes such an exporter is refused.
func TestProducerRule04ExporterProducesWhileTheProducerCloses(t *testing.T) {
	t.Parallel()
	const n = 100
	var p *tracing.TracedProducer
	refused := make(chan error, n)
	c := newCluster(t, sdktrace.WithSpanProcessor(spanHooks{onEnd: func() {
		refused <- p.Produce(message("spans", "span"), nil)
	}}))
	topic := c.topic(1)
	c.brokerDown()
	p = c.producer(nil)
	for range n {
		produce(t, p, message(topic, "v"), nil)
	}
	returns(t, "Close", p.Close)
	close(refused)
	spans := 0
	for err := range refused {
		if spans++; code(t, err) != kafka.ErrState {
			t.Errorf("Produce from the exporter: %v", err)
		}
	}
	if spans != n {
		t.Errorf("%d spans exported, want %d", spans, n)
	}
}
