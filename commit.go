package tracing

import (
	"context"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/trace"
)

// WithCommitSpans makes a span of every commit: Commit, CommitMessage,
// CommitOffsets, and the commits of [WithCommitInterval]. Default: none; commits
// that the client makes by itself are never seen.
func WithCommitSpans() Option {
	return optionFunc(func(c *config) { c.commitSpans = true })
}

// Commit commits the stored offsets of the assigned partitions; see
// [kafka.Consumer.Commit].
func (c *TracedConsumer) Commit() ([]kafka.TopicPartition, error) {
	return c.commit(context.Background(), nil, c.Consumer.Commit)
}

// CommitMessage commits the offset after msg; see [kafka.Consumer.CommitMessage].
// The span continues the message's context. A nil msg is answered with
// kafka.ErrInvalidArg.
func (c *TracedConsumer) CommitMessage(msg *kafka.Message) ([]kafka.TopicPartition, error) {
	if msg == nil {
		return c.commit(context.Background(), nil, func() ([]kafka.TopicPartition, error) {
			return nil, invalidConfig("CommitMessage needs a message")
		})
	}
	ctx := context.Background()
	if !c.disabled && !c.linkedTraces {
		ctx = c.continued(ctx, msg)
	}
	return c.commit(ctx, []kafka.TopicPartition{msg.TopicPartition}, func() ([]kafka.TopicPartition, error) {
		return c.Consumer.CommitMessage(msg)
	})
}

// CommitOffsets commits the given offsets; see [kafka.Consumer.CommitOffsets].
func (c *TracedConsumer) CommitOffsets(offsets []kafka.TopicPartition) ([]kafka.TopicPartition, error) {
	return c.commit(context.Background(), offsets, func() ([]kafka.TopicPartition, error) {
		return c.Consumer.CommitOffsets(offsets)
	})
}

// commit calls the client, measures it, and makes a span of it if asked to. A client
// that is being closed takes commits from its revocation callback only; beside it they
// would never return, or end the process.
func (c *TracedConsumer) commit(ctx context.Context, offsets []kafka.TopicPartition, call func() ([]kafka.TopicPartition, error)) ([]kafka.TopicPartition, error) {
	if c.gate.enter() {
		defer c.gate.leave()
	} else if c.callbacks.Load() == 0 {
		return nil, errClosed()
	}
	if c.disabled {
		return call()
	}
	d := commonPartition(offsets)
	t := c.committing.target(d.topic, d.partition)
	span := trace.SpanFromContext(context.Background()) // one that does nothing
	if c.commitSpans {
		ctx, span = t.startSpan(ctx)
		c.describeClient(span)
	}
	start := c.metrics.now(ctx)
	committed, err := call()
	errorType := setError(span, err)
	span.End()
	if !start.IsZero() {
		t := c.committing.metricTarget(d.topic, d.partition)
		c.metrics.recordOperation(ctx, t.series(errorType), start)
	}
	return committed, err
}
