package tracing

import (
	"context"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// Handler handles one message. Its context carries the process span.
type Handler func(ctx context.Context, msg *kafka.Message) error

// BatchHandler handles several messages. Its context carries the process span.
// The slice is the handler's to keep.
type BatchHandler func(ctx context.Context, msgs []*kafka.Message) error

// ConsumeOption configures one call of Consume or ConsumeBatch. A nil
// ConsumeOption is ignored.
type ConsumeOption interface {
	applyConsume(*consumeConfig)
}

type consumeOptionFunc func(*consumeConfig)

func (f consumeOptionFunc) applyConsume(c *consumeConfig) { f(c) }

type consumeConfig struct {
	onError        func(context.Context, *kafka.Message, error) error
	onEvent        func(context.Context, kafka.Event)
	commits        bool
	commitInterval time.Duration
}

// WithErrorHandler sets what happens when the handler fails. onError is called
// with the message and the handler's error, for instance to produce the message
// to a dead-letter topic. If it returns nil the message counts as handled and the
// loop goes on; otherwise the loop ends with an error that wraps what it returned.
// For a batch it is called for each of its messages, in order, until it returns an
// error. Default: the loop ends with the handler's error.
//
// Its context is that of the message, see [ContextFromMessage]: what is produced
// with it is part of the message's trace.
//
// It is not called when the handler fails because ctx has ended.
func WithErrorHandler(onError func(ctx context.Context, msg *kafka.Message, err error) error) ConsumeOption {
	return consumeOptionFunc(func(c *consumeConfig) { c.onError = onError })
}

// WithEventHandler sets what is called, between messages, with every event that
// is not a message: errors of the client that it recovers from by itself,
// statistics, PartitionEOF, OffsetsCommitted, OAuthBearerTokenRefresh, and
// messages that only carry a partition's error (in TopicPartition.Error).
// Default: they are dropped.
func WithEventHandler(onEvent func(ctx context.Context, event kafka.Event)) ConsumeOption {
	return consumeOptionFunc(func(c *consumeConfig) { c.onEvent = onEvent })
}

// WithCommitInterval commits the stored offsets from the loop itself, for
// consumers with enable.auto.commit=false: after a message or a batch, once
// interval has passed since the last commit (0: after each), while nothing
// arrives, and when the loop ends, but not when it ends because of Close: end its
// ctx first. A commit that fails is reported to the event handler as
// [kafka.OffsetsCommitted] and tried again later; the loop goes on.
// Default: no commits; the client commits what is stored if enable.auto.commit is
// on.
func WithCommitInterval(interval time.Duration) ConsumeOption {
	return consumeOptionFunc(func(c *consumeConfig) { c.commits, c.commitInterval = true, interval })
}

// Consume receives messages and calls handle with each, within a process span,
// until ctx ends or the consumer is closed, for which it returns nil. Subscribe
// or assign first.
//
// The offset of a message is stored once handle has returned nil: every message
// is handled at least once, in the order of its partition. That takes
// enable.auto.offset.store=false in the client's configuration; Consume refuses
// to run without it, where it knows, which is not so of a wrapped consumer. The
// client commits stored offsets in the background if enable.auto.commit is on, and
// when it is closed; see [WithCommitInterval] otherwise. Rebalances, broker errors
// and topics that do not exist yet do not end the loop.
//
// It ends with an error when handle fails (the error names topic, partition and
// offset, and wraps handle's; [WithErrorHandler] can decide otherwise), when the
// offset cannot be stored, on a fatal client error, and at once with
// kafka.ErrInvalidArg (no handler, enable.auto.offset.store,
// go.events.channel.enable) or kafka.ErrConflict (another loop is running). A
// panic of handle is recorded in the span and goes on.
//
// A message that has not been handled when the loop ends is read again: by the next
// loop, since this one goes back to it, or, once the consumer is closed, by
// whichever member of the group gets its partition.
//
// The context of handle is derived from ctx and ends with it. One loop runs at a
// time; messages are handled one after the other.
func (c *TracedConsumer) Consume(ctx context.Context, handle Handler, opts ...ConsumeOption) error {
	if handle == nil {
		return invalidConfig("Consume needs a handler")
	}
	l, ctx, err := c.newLoop(ctx, opts)
	if err != nil {
		return err
	}
	defer c.consuming.Store(false)
	return l.run(ctx, func() error {
		msg, err := l.next(ctx)
		if msg == nil {
			return err
		}
		l.inHand = []*kafka.Message{msg}
		err = c.Process(ctx, msg, func(ctx context.Context) error { return handle(ctx, msg) })
		return l.settle(ctx, l.inHand, err)
	})
}

// ConsumeBatch is Consume for several messages at once. A batch is closed when it
// has size messages, when wait has passed since its first message (0 or less: when
// there are no more at hand), at a rebalance, and when ctx ends; see
// [TracedConsumer.ReadBatch] and [TracedConsumer.ProcessBatch]. A size of 0 or
// less is answered with kafka.ErrInvalidArg. Once
// handle has returned nil the offsets are stored, for each partition that of its
// last message. A batch that fails is unhandled as a whole.
func (c *TracedConsumer) ConsumeBatch(ctx context.Context, size int, wait time.Duration, handle BatchHandler, opts ...ConsumeOption) error {
	if handle == nil || size <= 0 {
		return invalidConfig("ConsumeBatch needs a handler and a size above 0")
	}
	l, ctx, err := c.newLoop(ctx, opts)
	if err != nil {
		return err
	}
	defer c.consuming.Store(false)
	return l.run(ctx, func() error {
		msgs, err := l.nextBatch(ctx, size, wait)
		if len(msgs) == 0 {
			return err
		}
		l.inHand = msgs
		failure := c.ProcessBatch(ctx, msgs, func(ctx context.Context) error { return handle(ctx, msgs) })
		if failure := l.settle(ctx, msgs, failure); failure != nil {
			return failure
		}
		return err
	})
}
