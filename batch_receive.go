package tracing

import (
	"context"
	"errors"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// ReadBatch receives up to size messages. It waits for the first without limit,
// but for ctx and Close, and then until wait has passed or the batch is full: an
// idle topic does not hold a half-full batch. With wait 0 or less it takes what is
// there. Other events are dropped, as ReadMessage drops them, and so are errors
// that the client recovers from by itself.
//
// It returns ctx's error, or kafka.ErrState if the consumer is closed, only with
// no message; a batch that was begun is returned instead. A fatal client error is
// returned together with the messages that came before it.
//
// A rebalance ends a batch that was begun: none of its messages was read after it.
// Those of a partition that was revoked go to the partition's new owner as well.
// That is at least once; for a transaction compare with the rebalance callback, as
// examples/exactly-once does.
//
// A size of 0 or less is answered with kafka.ErrInvalidArg. No offsets are stored
// or committed. Several goroutines may read at once, each its own batches.
//
// There is one receive span for the batch, which links to the creation context
// of each message. A message that is processed or forwarded by itself continues
// its own trace.
func (c *TracedConsumer) ReadBatch(ctx context.Context, size int, wait time.Duration) ([]*kafka.Message, error) {
	if size <= 0 {
		return nil, invalidConfig("ReadBatch needs a size above 0")
	}
	if ctx == nil {
		ctx = context.Background()
	}
	l := &loop{c: c}
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		msgs, err := l.nextBatch(ctx, size, wait)
		switch {
		case errors.Is(err, errStopped) && len(msgs) == 0:
			return nil, errClosed()
		case errors.Is(err, errStopped):
			return msgs, nil
		case err != nil || len(msgs) > 0:
			return msgs, err
		}
	}
}

// nextBatch waits a short while for a first message, and if there is one for the
// rest of its batch.
func (l *loop) nextBatch(ctx context.Context, size int, wait time.Duration) ([]*kafka.Message, error) {
	l.ask(ctx)
	msg, err := l.nextUntraced(ctx, pollSlice)
	if msg == nil {
		return nil, err
	}
	began := time.Now()
	msgs := []*kafka.Message{msg}
	rebalanced := l.c.rebalanced.Load()
	for err == nil && len(msgs) < size && ctx.Err() == nil && l.c.rebalanced.Load() == rebalanced {
		left := wait - time.Since(began)
		if wait > 0 && left <= 0 {
			break
		}
		msg, err = l.nextUntraced(ctx, max(0, min(left, pollSlice)))
		if msg != nil {
			msgs = append(msgs, msg)
		} else if left <= 0 {
			break
		}
	}
	l.c.receivedBatch(ctx, msgs, began, l.answered())
	return msgs, err
}

// receivedBatch makes the receive span of a batch that began at a time.
func (c *TracedConsumer) receivedBatch(ctx context.Context, msgs []*kafka.Message, began, start time.Time) {
	msgs = c.tracedOf(msgs)
	if len(msgs) == 0 {
		return
	}
	propagator := c.current()
	origins := make([]*received, len(msgs))
	creations := make([]trace.SpanContext, len(msgs))
	for i, msg := range msgs {
		origin := readCarried(msg, propagator)
		creations[i] = trace.SpanContextFromContext(origin.ctx)
		origins[i] = &received{span: creations[i], carried: origin}
	}
	d := commonDestination(msgs)
	ctx, span := c.startBatch(ctx, c.receiveBatch, d, msgs, creations, trace.WithTimestamp(began))
	span.End()
	batch := span.SpanContext()
	for i, msg := range msgs {
		if creations[i].IsValid() || batch.IsValid() {
			origins[i].batch = &batch
			msg.Opaque = origins[i]
		}
	}
	if start.IsZero() {
		return
	}
	c.metrics.recordOperation(ctx, c.receiveBatch.metricTarget(d.topic, d.partition).success, start)
	var consumed tally
	for _, msg := range msgs {
		t := c.receiveBatch.metricTarget(validTopic(msg), msg.TopicPartition.Partition)
		consumed.add(ctx, c.metrics.consumed.Inst(), t.success)
	}
	consumed.flush()
}

// ProcessBatch calls handle within one process span for all msgs, which links to
// the creation context of each, and returns what handle returns; see
// [TracedConsumer.Process] for errors and panics. The span is a child of the
// batch's receive span if the messages come from one ReadBatch, and then links to
// ctx's as well; else of ctx's. With no messages handle is not called. A Process
// of single messages within handle is measured beside the batch. Safe for
// concurrent use, also after Close.
func (c *TracedConsumer) ProcessBatch(ctx context.Context, msgs []*kafka.Message, handle func(context.Context) error) error {
	if handle == nil {
		return invalidConfig("ProcessBatch needs a handler")
	}
	if len(msgs) == 0 {
		return nil
	}
	if ctx == nil {
		ctx = context.Background()
	}
	traced := c.tracedOf(msgs)
	if len(traced) == 0 {
		return handle(ctx)
	}
	contexts := creationContexts(traced, c.current())
	parent := ctx
	if batch := commonBatch(traced); batch.IsValid() && !c.linkedTraces {
		parent = trace.ContextWithSpanContext(ctx, batch)
		if ambient := trace.SpanContextFromContext(ctx); ambient.IsValid() && !sameSpan(ambient, batch) {
			contexts = append(contexts, ambient)
		}
	}
	d := commonDestination(traced)
	ctx, span := c.startBatch(parent, c.processBatch, d, traced, contexts)
	return runHandler(ctx, handle, c.endProcess(ctx, span, c.processBatch, d))
}

// creationContexts returns the creation context of each message. They are for
// links, so nothing but the message may say what they are.
func creationContexts(msgs []*kafka.Message, p *propagator) []trace.SpanContext {
	contexts := make([]trace.SpanContext, len(msgs))
	for i, msg := range msgs {
		if r, ok := msg.Opaque.(*received); ok {
			contexts[i] = trace.SpanContextFromContext(r.onto(context.Background(), msg))
			continue
		}
		contexts[i] = trace.SpanContextFromContext(extract(context.Background(), msg, p))
	}
	return contexts
}

// tracedOf returns the messages that are to be traced.
func (c *TracedConsumer) tracedOf(msgs []*kafka.Message) []*kafka.Message {
	if c.disabled {
		return nil
	}
	traced := make([]*kafka.Message, 0, len(msgs))
	for _, msg := range msgs {
		if msg != nil && c.traced(msg) {
			traced = append(traced, msg)
		}
	}
	return traced
}

// commonBatch returns the receive span that all messages come from, if it is one.
func commonBatch(msgs []*kafka.Message) trace.SpanContext {
	var batch *trace.SpanContext
	for i, msg := range msgs {
		r, ok := msg.Opaque.(*received)
		if !ok || r.batch == nil || (i > 0 && r.batch != batch) {
			return trace.SpanContext{}
		}
		batch = r.batch
	}
	if batch == nil {
		return trace.SpanContext{}
	}
	return *batch
}

// startBatch starts a span over several messages, whose destination as far as they
// have it in common is d. contexts are those to link to:
// those of msgs, in their order, and any others after them.
func (c *TracedConsumer) startBatch(ctx context.Context, o *operation, d destination, msgs []*kafka.Message, contexts []trace.SpanContext, more ...trace.SpanStartOption) (context.Context, trace.Span) {
	more = append(more,
		trace.WithAttributes(semconv.MessagingBatchMessageCount(len(msgs))),
		trace.WithLinks(batchLinks(d, msgs, contexts)...))
	ctx, span := o.target(d.topic, d.partition).startSpan(ctx, more...)
	c.describeClient(span)
	return ctx, span
}

// batchLinks returns one link for each distinct context: the SDK keeps 128 and
// drops the oldest. A link tells where its message is, as far as the messages of
// the batch differ in it.
func batchLinks(common destination, msgs []*kafka.Message, contexts []trace.SpanContext) []trace.Link {
	type identity struct {
		trace trace.TraceID
		span  trace.SpanID
	}
	seen := make(map[identity]struct{}, len(contexts))
	links := make([]trace.Link, 0, len(contexts))
	attrs := make([]attribute.KeyValue, 0, 3*len(msgs)) // of all of them
	for i, sc := range contexts {
		id := identity{trace: sc.TraceID(), span: sc.SpanID()}
		if _, ok := seen[id]; ok || !sc.IsValid() {
			continue
		}
		seen[id] = struct{}{}
		link := trace.Link{SpanContext: sc}
		if i < len(msgs) && len(msgs) > 1 {
			from := len(attrs)
			attrs = addLink(attrs, common, msgs[i])
			link.Attributes = attrs[from:len(attrs):len(attrs)]
		}
		links = append(links, link)
	}
	return links
}

// addLink adds where a message of a batch is.
func addLink(attrs []attribute.KeyValue, common destination, msg *kafka.Message) []attribute.KeyValue {
	tp := msg.TopicPartition
	if common.topic == "" {
		attrs = append(attrs, semconv.MessagingDestinationName(topicText(topicOf(msg))))
	}
	if common.partition < 0 && tp.Partition >= 0 {
		attrs = append(attrs, semconv.MessagingDestinationPartitionID(partitionID(tp.Partition)))
	}
	if tp.Offset >= 0 {
		attrs = append(attrs, semconv.MessagingKafkaOffset(int(tp.Offset)))
	}
	return attrs
}
