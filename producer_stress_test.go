package tracing_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/kafkatrace/tracing"
)

// Not parallel: it counts goroutines.
func TestProducerRule02NoGoroutinePerMessage(t *testing.T) {
	const n = 100_000
	var ended atomic.Int64
	tp := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spanHooks{onEnd: func() { ended.Add(1) }}))
	defer func() { _ = tp.Shutdown(context.Background()) }()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(kafka.ConfigMap{"queue.buffering.max.messages": n}, tracing.WithTracerProvider(tp))
	c.brokerDown()
	reports := make(chan kafka.Event, n)
	produce(t, p, message(topic, "v"), reports)
	before := runtime.NumGoroutine()
	for range n - 1 {
		produce(t, p, message(topic, "v"), reports)
	}
	if p.Len() < n {
		t.Fatalf("only %d messages are in flight", p.Len())
	}
	// The runtime's own come and go.
	if more := runtime.NumGoroutine() - before; more > 5 {
		t.Errorf("%d goroutines more with %d messages in flight", more, n)
	}
	p.Close()
	if ended.Load() != n {
		t.Errorf("%d spans ended, want %d", ended.Load(), n)
	}
}

// Any method beside any other, and Close beside them all: no race, no crash, no
// hang, and every span ends.
func TestProducerRule13EverythingConcurrently(t *testing.T) {
	t.Parallel()
	for name, opts := range offAndOn() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			topic := c.topic(1)
			for round := range 10 {
				conf := kafka.ConfigMap{"go.events.channel.size": 100_000, "queue.buffering.max.messages": 1000}
				p, err := tracing.NewProducer(c.producerConfig(conf), c.options(opts...)...)
				if err != nil {
					t.Fatal(err)
				}
				own := make(chan kafka.Event, 100_000)
				var produced atomic.Int64
				var calls sync.WaitGroup
				enough := make(chan struct{})
				until := func(f func() (more bool)) {
					calls.Go(func() {
						for f() {
						}
					})
				}
				for i := range 4 {
					until(func() bool {
						err := p.Produce(message(topic, "v"), []chan kafka.Event{own, nil}[i%2])
						if c := code(t, err); c != kafka.ErrNoError && c != kafka.ErrQueueFull && c != kafka.ErrState {
							t.Errorf("Produce: %v", err)
						}
						if produced.Add(1) == int64(500+100*round) {
							close(enough)
						}
						return code(t, err) != kafka.ErrState
					})
				}
				open := func() bool { return !p.IsClosed() }
				until(func() bool { p.Flush(5); return open() })
				until(func() bool { p.Flush(1000); return open() })
				until(func() bool { p.Len(); return open() })
				until(func() bool { p.ProduceChannel(); runtime.Gosched(); return open() })
				<-enough
				for range 2 {
					calls.Go(p.Close)
				}
				returns(t, "Close beside everything else", calls.Wait)
				if started, ended := len(c.spans.Started()), len(c.spans.Ended()); started != ended {
					t.Errorf("%d spans started, %d ended", started, ended)
				}
				c.spans.Reset()
			}
		})
	}
}

// A span processor that takes its time, as one that exports synchronously, holds
// up reports but neither Produce nor the end.
func TestProducerWithABlockingSpanProcessor(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	c := newCluster(t, sdktrace.WithSpanProcessor(spanHooks{onEnd: func() { <-release }}))
	topic := c.topic(1)
	p := c.producer(nil)
	const n = 200
	reports := make(chan kafka.Event, n)
	returns(t, "Produce", func() {
		for range n {
			produce(t, p, message(topic, "v"), reports)
		}
		if left := p.Flush(100); left != n {
			t.Errorf("Flush returned %d, want %d", left, n)
		}
	})
	// The first report is with the processor.
	eventually(t, "all messages are delivered", func() bool { return len(p.Producer.Events()) == n-1 })
	var closing sync.WaitGroup
	closing.Go(p.Close)
	close(release)
	returns(t, "Close", closing.Wait)
	if len(reports) != n {
		t.Errorf("%d reports of %d delivered messages", len(reports), n)
	}
}

// An exporter that sends spans to Kafka, through the producer that makes them.
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
