package tracing

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/trace"
)

// Process calls handle within a process span for msg, and returns what handle
// returns. The context given to handle is ctx with that span and with the baggage
// of the message. The span is a child of the message's receive span, or of its
// creation context if this library did not receive it, or of ctx's span if there
// is neither; otherwise ctx's span is linked. See [WithLinkedTraces] for the
// strict relation.
//
// An error of handle is the span's error. Its error.type is the first of these
// that the error, or one that it wraps, has: Kafka's name of a Kafka error,
// context.Canceled or context.DeadlineExceeded, what a method ErrorType() string
// returns, its Go type. A panic is recorded as error.type panic and goes on. Safe
// for concurrent use, also after Close.
//
// A nil msg or handle is answered with kafka.ErrInvalidArg.
func (c *TracedConsumer) Process(ctx context.Context, msg *kafka.Message, handle func(context.Context) error) error {
	if msg == nil || handle == nil {
		return invalidConfig("Process needs a message and a handler")
	}
	ctx, end := c.StartProcess(ctx, msg)
	return runHandler(ctx, handle, end)
}

// StartProcess starts the process span of a message, for handlers that do not fit
// into a function call, and returns its context and the function that ends it,
// with the handler's error or nil. That function may be called from any
// goroutine; calls after the first do nothing. Until it is called the span is
// open. See [TracedConsumer.Process] for the relations of the span.
//
// For a nil msg it returns ctx and a function that does nothing.
func (c *TracedConsumer) StartProcess(ctx context.Context, msg *kafka.Message) (context.Context, func(error)) {
	if ctx == nil {
		ctx = context.Background()
	}
	if msg == nil || c.disabled || !c.traced(msg) {
		return ctx, func(error) {}
	}
	parent, links := c.relate(ctx, c.continued(ctx, msg))
	t := c.process.target(topicOf(msg), msg.TopicPartition.Partition)
	ctx, span := t.startSpan(parent, links...)
	c.describe(span, msg, msg.TopicPartition.Offset)
	return ctx, c.endProcess(ctx, span, c.process, t.dest)
}

// endProcess returns the function that ends a process span, once, and measures it
// from now on.
func (c *TracedConsumer) endProcess(ctx context.Context, span trace.Span, o *operation, d destination) func(error) {
	start := c.metrics.now(ctx)
	var ended atomic.Bool
	return func(err error) {
		if !ended.CompareAndSwap(false, true) {
			return
		}
		errorType := setHandlerError(span, err)
		span.End()
		if !start.IsZero() {
			c.metrics.recordProcess(ctx, o.metricTarget(d.topic, d.partition).series(errorType), start)
		}
	}
}

// continued returns ctx with the context that the processing of msg relates to:
// its receive span, or its creation context where the convention is followed
// strictly or this library did not receive the message.
func (c *TracedConsumer) continued(ctx context.Context, msg *kafka.Message) context.Context {
	if c.linkedTraces {
		return extract(withoutSpan(ctx), msg, c.current())
	}
	if r, ok := msg.Opaque.(*received); ok {
		return r.context(ctx, msg)
	}
	return extract(ctx, msg, c.current())
}

// panicError is the error of a process span whose handler panicked.
type panicError struct{ value any }

func (p panicError) Error() string { return fmt.Sprintf("panic: %v", p.value) }

func setHandlerError(span trace.Span, err error) string {
	// A panicError is ours alone; one that a handler wrapped is an error of its own.
	if p, ok := err.(panicError); ok { //nolint:errorlint // See above.
		setErrorType(span, errorTypePanic, p.Error())
		return errorTypePanic
	}
	return setError(span, err)
}

// runHandler calls handle and end, also if handle panics or ends its goroutine.
func runHandler(ctx context.Context, handle func(context.Context) error, end func(error)) (err error) {
	returned := false
	defer func() {
		if returned {
			end(err)
			return
		}
		value := recover()
		if value == nil { // runtime.Goexit, as t.FailNow does
			end(nil)
			return
		}
		end(panicError{value: value})
		panic(value)
	}()
	err = handle(ctx)
	returned = true
	return err
}
