package tracing_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

func TestProcessSpanUntilNextPoll(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	c.fill(topic, 3)
	consumer := c.consumer(topic, nil, tracing.WithProcessSpanUntilNextPoll())
	first := read(t, consumer)
	if n := len(c.ended("kafka.process")); n != 0 {
		t.Fatalf("%d process spans ended before the next poll", n)
	}
	open := trace.SpanContextFromContext(tracing.ContextFromMessage(context.Background(), first))
	var second kafka.Event
	for second == nil {
		second = consumer.Poll(100)
	}
	if got := c.only("kafka.process").SpanContext().SpanID(); got != open.SpanID() {
		t.Errorf("the span that ended is %v, not that of the first message, %v", got, open.SpanID())
	}
	receives := c.ended("kafka.receive")
	if parent := c.only("kafka.process").Parent().SpanID(); parent != receives[0].SpanContext().SpanID() {
		t.Errorf("parent %v", parent)
	}
	read(t, consumer)
	if err := consumer.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(c.ended("kafka.process")); n != 3 {
		t.Errorf("%d process spans after Close, not 3", n)
	}
}

// Several pollers end each span exactly once; the harness compares the spans
// started with those ended.
func TestProcessSpanUntilNextPollFromSeveralGoroutines(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	const messages, pollers = 200, 4
	c.fill(topic, messages)
	consumer := c.consumer(topic, nil, tracing.WithProcessSpanUntilNextPoll())
	got := make(chan struct{}, messages)
	done := make(chan struct{}, pollers)
	for range pollers {
		go func() {
			for {
				if _, err := consumer.ReadMessage(-1); err != nil {
					done <- struct{}{}
					return
				}
				got <- struct{}{}
			}
		}()
	}
	for range messages {
		receiveEvent(t, got)
	}
	if err := consumer.Close(); err != nil {
		t.Fatal(err)
	}
	for range pollers {
		receiveEvent(t, done)
	}
	if n := len(c.ended("kafka.process")); n != messages {
		t.Errorf("%d process spans", n)
	}
}

// A span that is opened while Close runs is ended by whoever opened it.
func TestProcessSpanUntilNextPollBesideClose(t *testing.T) {
	t.Parallel()
	v := newValve()
	var starts atomic.Int64
	c := newCluster(t, sdktrace.WithSpanProcessor(spanHooks{onStart: func() {
		if starts.Add(1) == 2 { // the first is the receive span
			v.shut.Store(true)
			v.pass()
		}
	}}))
	consumer := c.consumer(c.fillTopic("a"), nil, tracing.WithProcessSpanUntilNextPoll())
	received := make(chan kafka.Event, 1)
	go func() { received <- consumer.Poll(-1) }()
	receiveEvent(t, v.waiting)
	closeWithin(t, consumer)
	close(v.opened)
	receiveEvent(t, received)
	if spans := c.ended("kafka.process"); len(spans) != 1 {
		t.Errorf("%d process spans have ended, not 1", len(spans))
	}
}
