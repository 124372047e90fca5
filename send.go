package tracing

import (
	"context"
	"fmt"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// SendOption configures one call of Send or SendBatch. A nil SendOption is
// ignored.
type SendOption interface {
	applySend(*sendConfig)
}

type sendOptionFunc func(*sendConfig)

func (f sendOptionFunc) applySend(c *sendConfig) { f(c) }

type sendConfig struct {
	retry *RetryPolicy // nil: one attempt
}

func newSendConfig(opts []SendOption) sendConfig {
	var c sendConfig
	for _, o := range opts {
		if o != nil {
			o.applySend(&c)
		}
	}
	return c
}

// Send produces a message and waits for its delivery report, or for the end of
// ctx. It returns where the message is in its topic, or why it is not there: the
// client's own error, one that wraps ctx's, or, because of Close, kafka.ErrState
// (it had begun), kafka.ErrQueueFull (it began while a full queue was waited out)
// or kafka.ErrDestroy (while the report was). A full local queue is waited out
// within ctx.
//
// When ctx ends first the message may still be delivered: its publish span goes
// on until its report. With [WithRetry] failed attempts are repeated. Waiting for
// every message in turn is slow; [TracedProducer.SendBatch] waits for many at
// once. Safe for concurrent use. msg is not changed.
func (p *TracedProducer) Send(ctx context.Context, msg *kafka.Message, opts ...SendOption) (kafka.TopicPartition, error) {
	if ctx == nil {
		ctx = context.Background()
	}
	c := newSendConfig(opts)
	if c.retry == nil || msg == nil {
		return p.sendOnce(ctx, msg)
	}
	return p.sendRetrying(ctx, msg, *c.retry)
}

func (p *TracedProducer) sendOnce(ctx context.Context, msg *kafka.Message) (kafka.TopicPartition, error) {
	reports := make(chan kafka.Event, 1)
	if err := p.enqueue(ctx, msg, reports, nil); err != nil {
		return undelivered(msg, err), err
	}
	report, err := p.await(ctx, reports)
	if err != nil {
		return undelivered(msg, err), err
	}
	return report.TopicPartition, report.TopicPartition.Error
}

// undelivered is the TopicPartition of a message of which nothing is known but
// that it failed.
func undelivered(msg *kafka.Message, err error) kafka.TopicPartition {
	tp := kafka.TopicPartition{Partition: kafka.PartitionAny}
	if msg != nil {
		tp = msg.TopicPartition
	}
	tp.Offset = kafka.OffsetInvalid
	tp.Error = err
	return tp
}

// queueFullPause is how long to wait before a full queue is tried again, at
// first and at most. The client tells nobody when there is room.
const (
	queueFullPause    = time.Millisecond
	queueFullPauseMax = 50 * time.Millisecond
)

// enqueue is ProduceContext, but that it waits while the local queue is full,
// within ctx. It is one publish span however often the client is asked. The report
// has mark, unless that is nil, in place of the message's Opaque.
func (p *TracedProducer) enqueue(ctx context.Context, msg *kafka.Message, reports chan kafka.Event, mark any) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("tracing: not produced: %w", err)
	}
	if !p.gate.enter() {
		return errClosed()
	}
	defer p.gate.leave()
	return p.enqueueInside(ctx, msg, reports, mark)
}

// enqueueInside is enqueue for who has passed the gate, or is waited for by Close.
func (p *TracedProducer) enqueueInside(ctx context.Context, msg *kafka.Message, reports chan kafka.Event, mark any) error {
	if msg == nil || p.disabled {
		if msg != nil && mark != nil {
			marked := *msg
			marked.Opaque = mark
			msg = &marked
		}
		err := p.produce(msg, reports)
		if isQueueFull(err) {
			err = p.whileQueueFull(ctx, func() error { return p.produce(msg, reports) })
		}
		return err
	}
	pub := p.begin(ctx, msg, reports)
	pub.env.waited = reports != nil
	if mark != nil {
		pub.env.opaque = mark
	}
	err := p.submit(pub)
	if isQueueFull(err) {
		err = p.whileQueueFull(ctx, func() error { return p.submit(pub) })
	}
	if err != nil {
		p.refuse(pub, err)
		return err
	}
	pub.out.release()
	return nil
}

// whileQueueFull repeats a call that failed because the local queue is full, until
// it does not, ctx ends or the producer is being closed.
func (p *TracedProducer) whileQueueFull(ctx context.Context, call func() error) error {
	timer := time.NewTimer(queueFullPause)
	defer timer.Stop()
	for pause := queueFullPause; ; timer.Reset(pause) {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return fmt.Errorf("tracing: the local queue stayed full: %w", ctx.Err())
		case <-p.closing:
			return kafka.NewError(kafka.ErrQueueFull, "", false)
		}
		if err := call(); !isQueueFull(err) {
			return err
		}
		pause = min(2*pause, queueFullPauseMax)
	}
}

// await waits for the next report, within ctx. After Close none comes any more.
func (p *TracedProducer) await(ctx context.Context, reports <-chan kafka.Event) (*kafka.Message, error) {
	var closedMeanwhile <-chan time.Time
	if p.disabled {
		// There is no forwarder that would see the application close the embedded client.
		check := time.NewTicker(closedCheck)
		defer check.Stop()
		closedMeanwhile = check.C
	}
	for {
		select {
		case event := <-reports:
			return event.(*kafka.Message), nil
		case <-ctx.Done():
			return reported(reports, fmt.Errorf("tracing: no delivery report yet: %w", ctx.Err()))
		case <-p.done: // the last reports have been forwarded
			return reported(reports, errAbandoned())
		case <-closedMeanwhile:
			if p.Producer.IsClosed() {
				return reported(reports, errAbandoned())
			}
		}
	}
}

// reported returns a report that has come in, else err.
func reported(reports <-chan kafka.Event, err error) (*kafka.Message, error) {
	select {
	case event := <-reports:
		return event.(*kafka.Message), nil
	default:
		return nil, err
	}
}
