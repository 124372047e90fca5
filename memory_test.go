package tracing_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/kafkatrace/tracing"
)

// footprint is what is allocated and in use, and how many goroutines there are. A
// test that compares two of them is not parallel.
type footprint struct {
	bytes, goroutines int
}

func measure() footprint {
	runtime.GC()
	runtime.GC() // what the first one left to be swept
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return footprint{bytes: int(stats.HeapAlloc), goroutines: runtime.NumGoroutine()}
}

// assertWithin fails the test if more has been added since than so many bytes, and a
// few goroutines: the runtime's own come and go.
func (f footprint) assertWithin(t *testing.T, what string, bytes int) {
	t.Helper()
	now := measure()
	if more := now.bytes - f.bytes; more > bytes {
		t.Errorf("%s: %d bytes more, want at most %d", what, more, bytes)
	}
	if more := now.goroutines - f.goroutines; more > 5 {
		t.Errorf("%s: %d goroutines more", what, more)
	}
}

// A message in flight keeps its span, an envelope, and what the client keeps itself.
func TestProducerRule02NoGoroutinePerMessage(t *testing.T) { //nolint:paralleltest // See footprint.
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
	before := measure()
	for range n - 1 {
		produce(t, p, message(topic, "v"), reports)
	}
	if p.Len() < n {
		t.Fatalf("only %d messages are in flight", p.Len())
	}
	before.assertWithin(t, "100,000 messages in flight", n*3000) // most of it is the SDK's
	p.Close()
	if ended.Load() != n {
		t.Errorf("%d spans ended, want %d", ended.Load(), n)
	}
}

// Of a burst of messages the envelopes stay, for the next burst, and nothing else.
func TestProducerRule02MemoryOfABurst(t *testing.T) { //nolint:paralleltest // See footprint.
	const n = 10_000
	c := newCluster(t, sdktrace.WithSampler(sdktrace.NeverSample()))
	topic := c.topic(1)
	c.brokerDown()
	p := c.producer(nil)
	collect(p.Events()) // of the client's own errors
	reports := make(chan kafka.Event, n)
	burst := func() {
		before := measure()
		for range n {
			produce(t, p, message(topic, "v"), reports)
		}
		before.assertWithin(t, "in flight", n*600)
		if err := p.Purge(kafka.PurgeQueue | kafka.PurgeInFlight); err != nil {
			t.Fatal(err)
		}
		for range n {
			report(t, reports)
		}
	}
	before := measure()
	burst()
	before.assertWithin(t, "after a burst", n*300)
	before = measure()
	burst()
	before.assertWithin(t, "after another burst", n*30)
}

// What is kept of a message that the client refuses is used again.
func TestProducerRule05MemoryOfRefusedMessages(t *testing.T) { //nolint:paralleltest // See footprint.
	const n = 10_000
	p := newCluster(t, sdktrace.WithSampler(sdktrace.NeverSample())).producer(nil)
	refuse := func() {
		if err := p.Produce(&kafka.Message{}, nil); codeOf(err) != kafka.ErrInvalidArg {
			t.Fatal(err)
		}
	}
	refuse()
	before := measure()
	for range n {
		refuse()
	}
	before.assertWithin(t, "after refused messages", n*30)
}

// Polling while nothing arrives, as consumers do for most of their lives, leaves
// nothing behind: no span, no measurement, no goroutine, no memory.
func TestConsumerRule01IdlePolling(t *testing.T) { //nolint:paralleltest // See footprint.
	const n = 20_000
	c := newCluster(t)
	for name, opts := range map[string][]tracing.Option{
		"":                nil,
		"until next poll": {tracing.WithProcessSpanUntilNextPoll()},
		"statistics":      {tracing.WithStatisticsMetrics()},
	} {
		consumer := c.consumer(c.topic(1), nil, opts...)
		poll := func() {
			if event := consumer.Poll(0); event != nil {
				t.Fatalf("%s: Poll returned %v", name, event)
			}
			if msg, err := consumer.ReadMessage(0); msg != nil || codeOf(err) != kafka.ErrTimedOut {
				t.Fatalf("%s: ReadMessage returned %v, %v", name, msg, err)
			}
		}
		poll()
		before := measure()
		for range n {
			poll()
		}
		before.assertWithin(t, "idle polls "+name, n)
	}
	if spans := c.spans.Started(); len(spans) != 0 {
		t.Errorf("%d spans", len(spans))
	}
	for _, name := range []string{"messaging.client.operation.duration", "messaging.client.consumed.messages", "messaging.process.duration"} {
		if series := c.series(name); len(series) != 0 {
			t.Errorf("%s: %v", name, series)
		}
	}
}

// An idle poll costs what the client's own costs.
func TestConsumerRule01IdlePollAllocations(t *testing.T) { //nolint:paralleltest // It counts allocations.
	c := newCluster(t)
	for name, opts := range map[string][]tracing.Option{"": nil, "until next poll": {tracing.WithProcessSpanUntilNextPoll()}} {
		consumer := c.consumer(c.topic(1), nil, opts...)
		want := testing.AllocsPerRun(1000, func() { consumer.Consumer.Poll(0) })
		if got := testing.AllocsPerRun(1000, func() { consumer.Poll(0) }); got > want {
			t.Errorf("%s: Poll allocates %v times, the client's own %v", name, got, want)
		}
	}
}
