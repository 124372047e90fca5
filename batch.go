package tracing

import (
	"context"
	"errors"
	"fmt"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// SendBatch produces all messages and then waits for all their delivery reports,
// or for the end of ctx: it takes about as long as its slowest message. A full
// local queue is waited out within ctx.
//
// It returns, in the order of msgs, where each message is, with the error of each
// that failed in TopicPartition.Error, as [TracedProducer.Send] has them; and the
// errors of all joined, nil if every message was delivered. For no messages it
// returns nil, nil. With [WithRetry] the messages that failed are sent again
// together. Messages to one partition keep their order, unless some are retried,
// by WithRetry or, without enable.idempotence, by the client itself.
// The publish spans are children of the batch's: a message that is to stay in a
// trace of its own is sent by itself. Safe for concurrent use. The messages are
// not changed.
func (p *TracedProducer) SendBatch(ctx context.Context, msgs []*kafka.Message, opts ...SendOption) ([]kafka.TopicPartition, error) {
	if len(msgs) == 0 {
		return nil, nil
	}
	if ctx == nil {
		ctx = context.Background()
	}
	c := newSendConfig(opts)
	ctx, span := p.startBatch(ctx, msgs)
	defer span.End()

	b := newBatch(p, msgs)
	if c.retry == nil {
		b.send(ctx)
	} else {
		b.sendRetrying(ctx, *c.retry)
	}
	err := b.err()
	if err != nil {
		setErrorType(span, b.errorType(), fmt.Sprintf("%d of %d messages failed: %v", b.failures(), len(msgs), b.firstError()))
	}
	return b.results, err
}

func (p *TracedProducer) startBatch(ctx context.Context, msgs []*kafka.Message) (context.Context, trace.Span) {
	t := p.publishBatch.target(commonDestination(msgs).topic, unknownPartition)
	ctx, span := t.startSpan(ctx, trace.WithAttributes(semconv.MessagingBatchMessageCount(len(msgs))))
	p.describeClient(span)
	return ctx, span
}

// batch is a SendBatch under way.
type batch struct {
	p       *TracedProducer
	msgs    []*kafka.Message
	results []kafka.TopicPartition
	pending []int // what is to be sent, as indices of msgs
}

func newBatch(p *TracedProducer, msgs []*kafka.Message) *batch {
	b := &batch{
		p:       p,
		msgs:    msgs,
		results: make([]kafka.TopicPartition, len(msgs)),
		pending: make([]int, len(msgs)),
	}
	for i := range msgs {
		b.pending[i] = i
	}
	return b
}

// send produces what is pending and waits for the reports.
func (b *batch) send(ctx context.Context) {
	reports := make(chan kafka.Event, len(b.pending))
	waiting := make(map[int]struct{}, len(b.pending))
	for _, i := range b.pending {
		if err := b.p.enqueue(ctx, b.msgs[i], reports, i); err != nil {
			b.results[i] = undelivered(b.msgs[i], err)
			continue
		}
		waiting[i] = struct{}{}
	}
	for len(waiting) > 0 {
		report, err := b.p.await(ctx, reports)
		if err != nil {
			for i := range waiting {
				b.results[i] = undelivered(b.msgs[i], err)
			}
			return
		}
		i := report.Opaque.(int)
		b.results[i] = report.TopicPartition
		delete(waiting, i)
	}
}

// sendRetrying sends what is pending, and again those that failed and may be
// retried.
func (b *batch) sendRetrying(ctx context.Context, policy RetryPolicy) {
	retriable := policy.retriable
	policy.Retriable = func(error) bool { return true }
	// The errors are those in results; this one only says that some are left.
	_ = policy.do(ctx, func() error {
		b.send(ctx)
		var again []int
		for _, i := range b.pending {
			if err := b.results[i].Error; err != nil && retriable(err) {
				again = append(again, i)
			}
		}
		b.pending = again
		if len(again) == 0 {
			return nil
		}
		return b.results[again[0]].Error
	})
}

// err joins the errors of the messages that failed.
func (b *batch) err() error {
	var errs []error
	for i, tp := range b.results {
		if tp.Error != nil {
			errs = append(errs, fmt.Errorf("tracing: message %d: %w", i, tp.Error))
		}
	}
	return errors.Join(errs...)
}

func (b *batch) failures() int {
	n := 0
	for _, tp := range b.results {
		if tp.Error != nil {
			n++
		}
	}
	return n
}

func (b *batch) firstError() error {
	for _, tp := range b.results {
		if tp.Error != nil {
			return tp.Error
		}
	}
	return nil
}

// errorType is that of the failed messages if they agree.
func (b *batch) errorType() string {
	common := ""
	for _, tp := range b.results {
		if tp.Error == nil {
			continue
		}
		t := errorType(tp.Error)
		if common != "" && t != common {
			return errorTypeOther
		}
		common = t
	}
	return common
}
