package tracing

import (
	"context"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/trace"
)

// pollSlice is how long one call into the client's Poll lasts, so that Close need
// not wait for a long one.
const pollSlice = 100 * time.Millisecond

// Poll waits up to timeoutMs milliseconds for a message or another event, or
// without limit if timeoutMs is negative; see [kafka.Consumer.Poll]. Messages are
// traced, everything else is passed on untouched. It returns nil when the time
// has passed, when the group has rebalanced, and when the consumer is closed, also
// while it waits.
func (c *TracedConsumer) Poll(timeoutMs int) kafka.Event {
	c.handled()
	start := c.metrics.now(context.Background())
	event, _ := c.poll(time.Duration(timeoutMs) * time.Millisecond)
	if msg, ok := event.(*kafka.Message); ok {
		c.received(context.Background(), msg, start)
		c.handOver(msg)
	}
	return event
}

// poll calls the client's Poll, in slices. open is false if the consumer is, or
// is being, closed.
func (c *TracedConsumer) poll(timeout time.Duration) (event kafka.Event, open bool) {
	if !c.gate.enter() {
		return nil, false
	}
	defer c.gate.leave()
	var deadline time.Time
	if timeout > pollSlice || c.stats.hides() {
		deadline = time.Now().Add(timeout)
	}
	rebalanced := c.rebalanced.Load()
	slice := timeout
	if timeout < 0 || timeout > pollSlice {
		slice = pollSlice
	}
	for {
		if c.gate.closed() || c.Consumer.IsClosed() {
			return nil, false
		}
		// Rounded up: a wait of less than a millisecond must not become none.
		event = c.Consumer.Poll(int((slice + time.Millisecond - 1) / time.Millisecond))
		own := c.stats.take(event)
		if own {
			event = nil // what is behind it does not wait for the next poll
		}
		if event != nil || c.rebalanced.Load() != rebalanced {
			return event, true
		}
		if timeout >= 0 {
			if deadline.IsZero() {
				return nil, true
			}
			left := time.Until(deadline)
			if left <= 0 && !own {
				return nil, true
			}
			slice = max(0, min(left, pollSlice))
		}
	}
}

// ReadMessage waits for a message, up to timeout, or without limit if timeout is
// negative; see [kafka.Consumer.ReadMessage]. It returns the client's errors: a
// timeout (IsTimeout), a general error without a message, and a partition's error
// together with the message that carries it; kafka.ErrState once the consumer is
// closed, also while it waits. Other events are dropped.
func (c *TracedConsumer) ReadMessage(timeout time.Duration) (*kafka.Message, error) {
	c.handled()
	start := c.metrics.now(context.Background())
	deadline := time.Now().Add(timeout)
	left := timeout
	for {
		event, open := c.poll(left)
		if msg, final, err := answer(event); final {
			if msg != nil {
				c.received(context.Background(), msg, start)
				c.handOver(msg)
			}
			return msg, err
		}
		if !open {
			return nil, errClosed()
		}
		if timeout >= 0 {
			left = max(0, time.Until(deadline))
			if left == 0 && event == nil {
				return nil, kafka.NewError(kafka.ErrTimedOut, "", false)
			}
		}
	}
}

// answer returns what ReadMessage answers with for an event, as the client's does.
// final is false for an event that it drops.
func answer(event kafka.Event) (msg *kafka.Message, final bool, err error) {
	switch e := event.(type) {
	case *kafka.Message:
		return e, true, e.TopicPartition.Error
	case kafka.Error:
		return nil, true, e
	default:
		return nil, false, nil
	}
}

// Events returns the channel of messages and events, if go.events.channel.enable
// is set, else nil. It is closed by Close.
//
// Deprecated: as the client's own, in favour of Poll.
func (c *TracedConsumer) Events() chan kafka.Event { return c.events }

// forwardEvents ends when the client closes its channel. What the application
// does not read before Close is lost, as with the raw client, but for what is in
// the buffer.
func (c *TracedConsumer) forwardEvents() {
	defer close(c.done)
	defer close(c.events)
	start := c.metrics.now(context.Background())
	for event := range c.Consumer.Events() {
		if c.stats.take(event) {
			continue
		}
		// Only this goroutine sends: where there is room now there is room below.
		if len(c.events) == cap(c.events) && (c.gate.closed() || c.Consumer.IsClosed()) {
			continue // it is never handed over, so it was never received
		}
		if msg, ok := event.(*kafka.Message); ok {
			c.received(context.Background(), msg, start)
		}
		offer(c.events, event, c.closing, c.Consumer.IsClosed)
		start = c.metrics.now(context.Background())
	}
}

// offer sends an event, and waits until there is room, or until closing is closed or
// the application has closed the embedded client. What there is room for is not
// lost at Close.
func offer(to chan<- kafka.Event, event kafka.Event, closing <-chan struct{}, clientClosed func() bool) {
	select {
	case to <- event:
		return
	default:
	}
	check := time.NewTicker(closedCheck)
	defer check.Stop()
	for {
		select {
		case to <- event:
			return
		case <-closing:
			return
		case <-check.C:
			if clientClosed() {
				return
			}
		}
	}
}

// received makes the receive span of a message that is about to be handed to the
// application. ctx is the caller's, start when it began to wait.
func (c *TracedConsumer) received(ctx context.Context, msg *kafka.Message, start time.Time) {
	if c.disabled || !c.traced(msg) {
		return
	}
	origin := readCarried(msg, c.current())
	parent, links := c.relate(ctx, origin.onto(withoutSpan(ctx), msg))
	t := c.receive.target(topicOf(msg), msg.TopicPartition.Partition)
	ctx, span := t.startSpan(parent, links...)
	c.describe(span, msg, msg.TopicPartition.Offset)
	errorType := setError(span, msg.TopicPartition.Error)
	span.End()
	if sc := span.SpanContext(); sc.IsValid() {
		msg.Opaque = &received{span: sc, carried: origin}
	}
	if start.IsZero() {
		return
	}
	s := c.receive.metricTarget(t.dest.topic, t.dest.partition).series(errorType)
	c.metrics.recordOperation(ctx, s, start)
	c.metrics.countConsumed(ctx, s)
}

// relate returns the parent of a span about a message, and the links beside it.
// caller is the context that the application gave; message is the same with the
// span that the message continues, if there is one.
func (c *config) relate(caller, message context.Context) (parent context.Context, links []trace.SpanStartOption) {
	parent, link := message, trace.SpanContextFromContext(caller)
	if c.linkedTraces {
		parent = trace.ContextWithSpan(message, trace.SpanFromContext(caller))
		link = trace.SpanContextFromContext(message)
	}
	if link.IsValid() && !sameSpan(link, trace.SpanContextFromContext(parent)) {
		links = []trace.SpanStartOption{trace.WithLinks(trace.Link{SpanContext: link})}
	}
	return parent, links
}

// sameSpan tells whether both are contexts of one span, be it as the span itself or
// as read from headers, which Equal takes for different.
func sameSpan(a, b trace.SpanContext) bool {
	return a.TraceID() == b.TraceID() && a.SpanID() == b.SpanID()
}

// withoutSpan returns ctx without its span, and with everything else.
func withoutSpan(ctx context.Context) context.Context {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	return trace.ContextWithSpanContext(ctx, trace.SpanContext{})
}
