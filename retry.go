package tracing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// RetryPolicy says how often and how patiently a failed send is repeated. Delays
// grow exponentially. The zero value is a policy: each field's default applies.
type RetryPolicy struct {
	// Attempts is how often the message is sent at most, the first time
	// included. Default, for 0 or less: 5.
	Attempts int
	// FirstDelay is the delay before the second attempt, at most MaxDelay.
	// Default, for 0 or less: 100 ms.
	FirstDelay time.Duration
	// Factor is how much longer each delay is than the one before. Default, for
	// less than 1: 2.
	Factor float64
	// MaxDelay is the longest delay, before jitter. Default, for 0 or less: 10 s.
	MaxDelay time.Duration
	// Jitter spreads a delay d over [d-Jitter*d, d+Jitter*d], so that producers
	// that failed together do not come back together. Default, for 0: 0.5; less
	// than 0 is no jitter; more than 1 counts as 1.
	Jitter float64
	// Retriable reports whether an error is worth another attempt. It is called
	// by whoever sends. Default: [IsRetriable].
	Retriable func(error) bool
}

// IsRetriable reports whether err is one that another attempt may overcome: a
// Kafka error that the client calls retriable, a full local queue, or a message
// timeout. Fatal errors are not.
func IsRetriable(err error) bool {
	var e kafka.Error
	if !errors.As(err, &e) || e.IsFatal() {
		return false
	}
	return e.IsRetriable() || e.Code() == kafka.ErrQueueFull || e.Code() == kafka.ErrMsgTimedOut
}

// WithRetry repeats a failed send as the policy says, within the call's context.
//
// The client retries by itself, within message.timeout.ms, what fails on the way
// to the broker; this is for what is left after that. It has a price. A message
// that timed out may have been written all the same, so another attempt may write
// it twice; enable.idempotence prevents that within one attempt only, since each
// attempt is a new message to the client. And messages that were sent meanwhile
// overtake the one that is repeated: the order within a partition is lost, with
// idempotence or without. The client looks for messages that have timed out about
// once a second, so a shorter message.timeout.ms does not make attempts shorter.
func WithRetry(policy RetryPolicy) SendOption {
	return sendOptionFunc(func(c *sendConfig) { c.retry = &policy })
}

// do calls attempt until it succeeds, fails for good, or ctx ends.
func (r RetryPolicy) do(ctx context.Context, attempt func() error) error {
	var last error
	// What it returns is last, or says that ctx has ended.
	_, _ = backoff.Retry(ctx, func() (struct{}, error) {
		last = attempt()
		if last == nil || r.retriable(last) {
			return struct{}{}, last
		}
		return struct{}{}, backoff.Permanent(last)
	}, backoff.WithBackOff(r.delays()), backoff.WithMaxTries(r.attempts()), backoff.WithMaxElapsedTime(0))
	if last == nil {
		return nil
	}
	if ctx.Err() != nil && !errors.Is(last, ctx.Err()) && r.retriable(last) {
		return fmt.Errorf("tracing: no further attempt: %w, after: %w", ctx.Err(), last)
	}
	return last
}

func (r RetryPolicy) retriable(err error) bool {
	if r.Retriable == nil {
		return IsRetriable(err)
	}
	return r.Retriable(err)
}

func (r RetryPolicy) attempts() uint {
	if r.Attempts <= 0 {
		return 5
	}
	return uint(r.Attempts)
}

func (r RetryPolicy) delays() *backoff.ExponentialBackOff {
	b := &backoff.ExponentialBackOff{
		InitialInterval:     r.FirstDelay,
		RandomizationFactor: min(max(r.Jitter, 0), 1),
		Multiplier:          r.Factor,
		MaxInterval:         r.MaxDelay,
	}
	if r.FirstDelay <= 0 {
		b.InitialInterval = 100 * time.Millisecond
	}
	if r.Jitter == 0 {
		b.RandomizationFactor = 0.5
	}
	if r.Factor < 1 {
		b.Multiplier = 2
	}
	if r.MaxDelay <= 0 {
		b.MaxInterval = 10 * time.Second
	}
	b.InitialInterval = min(b.InitialInterval, b.MaxInterval)
	return b
}

// sendRetrying is a send span over one publish span for each attempt.
func (p *TracedProducer) sendRetrying(ctx context.Context, msg *kafka.Message, policy RetryPolicy) (kafka.TopicPartition, error) {
	if p.disabled || !p.traced(msg) {
		return p.attempts(ctx, msg, policy)
	}
	ctx = publishContext(ctx, msg, p.current())
	t := p.send.target(validTopic(msg), msg.TopicPartition.Partition)
	ctx, span := t.startSpan(ctx)
	defer span.End()
	p.describe(span, msg, kafka.OffsetInvalid)
	tp, err := p.attempts(ctx, msg, policy)
	if span.IsRecording() {
		span.SetAttributes(p.addPosition(nil, tp)...)
	}
	setError(span, err)
	return tp, err
}

func (p *TracedProducer) attempts(ctx context.Context, msg *kafka.Message, policy RetryPolicy) (kafka.TopicPartition, error) {
	var tp kafka.TopicPartition
	err := policy.do(ctx, func() (err error) {
		tp, err = p.sendOnce(ctx, msg)
		return err
	})
	if err != nil {
		tp.Error = err
	}
	return tp, err
}
