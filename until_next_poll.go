package tracing

import (
	"context"
	"sync/atomic"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/trace"
)

// WithProcessSpanUntilNextPoll makes a process span of every message that Poll or
// ReadMessage returns, without a change to the code that handles it: the span
// ends when the consumer is polled again, also by another goroutine, or closed.
// [ContextFromMessage] then gives the context of that span.
//
// It is right where one goroutine polls and handles. With several, or with
// handlers that go on after the next poll, spans are cut short: use
// [TracedConsumer.Process]. No error is known to it. Default: off. Consume,
// ReadBatch and Events() are not affected.
func WithProcessSpanUntilNextPoll() Option {
	return optionFunc(func(c *config) { c.processUntilNextPoll = true })
}

// openProcess is the process span of the message that was last returned.
type openProcess struct {
	end atomic.Pointer[func(error)]
}

// replace ends the span that is open, and makes end the end of the next one.
func (o *openProcess) replace(end func(error)) {
	var next *func(error)
	if end != nil {
		end := end // else it is allocated for nil as well
		next = &end
	}
	if last := o.end.Swap(next); last != nil {
		(*last)(nil)
	}
}

// handled ends the process span of the message that was returned last.
func (c *TracedConsumer) handled() {
	if c.processUntilNextPoll {
		c.open.replace(nil)
	}
}

// handOver starts the process span of a message that is about to be returned.
func (c *TracedConsumer) handOver(msg *kafka.Message) {
	if !c.processUntilNextPoll || c.disabled || !c.traced(msg) || msg.TopicPartition.Error != nil {
		return
	}
	ctx, end := c.StartProcess(context.Background(), msg)
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		msg.Opaque = &received{span: sc, carried: readCarried(msg, c.current())}
	}
	c.open.replace(end)
	if c.gate.closed() {
		c.handled() // Close may have looked before
	}
}
