package tracing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// loop is a Consume or a ConsumeBatch under way.
type loop struct {
	consumeConfig
	c           *TracedConsumer
	asked       time.Time        // since when it waits for a message, over idle polls
	inHand      []*kafka.Message // received, and not handled yet
	lastCommit  time.Time
	uncommitted bool // offsets have been stored since the last commit
}

// errStopped ends a loop without an error.
var errStopped = errors.New("stopped")

func (c *TracedConsumer) newLoop(ctx context.Context, opts []ConsumeOption) (*loop, context.Context, error) {
	if ctx == nil {
		ctx = context.Background()
	}
	if c.storesOffsets {
		return nil, nil, invalidConfig("Consume needs enable.auto.offset.store=false: the client would store the offset of a message before it is handled, and lose the message if that fails")
	}
	if c.Consumer.Events() != nil {
		return nil, nil, invalidConfig("Consume does not work with go.events.channel.enable: messages would be taken by the channel")
	}
	if !c.consuming.CompareAndSwap(false, true) {
		return nil, nil, kafka.NewError(kafka.ErrConflict, "tracing: another Consume is running on this consumer", false)
	}
	l := &loop{c: c, lastCommit: time.Now()}
	for _, o := range opts {
		if o != nil {
			o.applyConsume(&l.consumeConfig)
		}
	}
	return l, ctx, nil
}

// run repeats a step until it fails or ctx ends.
func (l *loop) run(ctx context.Context, step func() error) (err error) {
	// Deferred, so that this is done even if the handler panics.
	defer func() {
		l.commit(ctx)
		if failure := l.putBack(); err == nil {
			err = failure
		}
	}()
	for ctx.Err() == nil {
		if err := step(); err != nil {
			if errors.Is(err, errStopped) {
				return nil
			}
			return err
		}
		if l.commits && time.Since(l.lastCommit) >= l.commitInterval {
			l.commit(ctx)
		}
	}
	return nil
}

// next waits a short while for a message; nil if there was none.
func (l *loop) next(ctx context.Context) (*kafka.Message, error) {
	l.ask(ctx)
	msg, err := l.nextUntraced(ctx, pollSlice)
	if msg != nil {
		l.c.received(ctx, msg, l.answered())
	}
	return msg, err
}

// ask starts the clock of a receive, unless it runs: polling is sliced, waiting is
// not.
func (l *loop) ask(ctx context.Context) {
	if l.asked.IsZero() {
		l.asked = l.c.metrics.now(ctx)
	}
}

// answered stops the clock and tells when it was started.
func (l *loop) answered() time.Time {
	start := l.asked
	l.asked = time.Time{}
	return start
}

// nextUntraced waits up to timeout for a message; nil if there was none. The
// client recovers from errors that are not fatal by itself.
func (l *loop) nextUntraced(ctx context.Context, timeout time.Duration) (*kafka.Message, error) {
	event, open := l.c.poll(timeout)
	switch e := event.(type) {
	case *kafka.Message:
		if e.TopicPartition.Error == nil {
			return e, nil
		}
		l.c.received(ctx, e, time.Time{}) // a span tells of the partition's error
	case kafka.Error:
		if e.IsFatal() {
			return nil, e
		}
	}
	if event != nil && l.onEvent != nil {
		l.onEvent(ctx, event)
	}
	if !open {
		return nil, errStopped
	}
	return nil, nil
}

// settle stores the offsets of messages that were handled, or decides what
// becomes of a failure.
func (l *loop) settle(ctx context.Context, msgs []*kafka.Message, failure error) error {
	if failure != nil {
		if err := l.failed(ctx, msgs, failure); err != nil {
			return err
		}
	}
	return l.store(msgs)
}

// failed returns nil if the messages count as handled all the same.
func (l *loop) failed(ctx context.Context, msgs []*kafka.Message, failure error) error {
	if ctx.Err() != nil && errors.Is(failure, ctx.Err()) {
		return errStopped
	}
	if l.onError == nil {
		return handlerError(msgs, failure)
	}
	for _, msg := range msgs {
		if err := l.onError(ContextFromMessage(ctx, msg), msg, failure); err != nil {
			return handlerError([]*kafka.Message{msg}, err)
		}
	}
	return nil
}

func handlerError(msgs []*kafka.Message, err error) error {
	if len(msgs) == 1 {
		return fmt.Errorf("tracing: handle %v: %w", msgs[0], err)
	}
	return fmt.Errorf("tracing: handle %d messages, %v to %v: %w", len(msgs), msgs[0], msgs[len(msgs)-1], err)
}

// store stores, for each partition, the offset after its last message. A
// partition that has been revoked meanwhile is no longer ours to store: whoever
// has it now handles the message again. So does the group once Close has begun.
func (l *loop) store(msgs []*kafka.Message) error {
	if !l.c.gate.enter() {
		return errStopped
	}
	defer l.c.gate.leave()
	offsets := nextOffsets(msgs)
	stored, err := l.c.Consumer.StoreOffsets(offsets)
	if err == nil {
		l.uncommitted, l.inHand = true, nil
		return nil
	}
	if l.c.Consumer.IsClosed() {
		return errStopped
	}
	for _, tp := range stored {
		if tp.Error == nil {
			l.uncommitted = true
			continue
		}
		if !hasCode(tp.Error, kafka.ErrState, kafka.ErrUnknownPartition) {
			return fmt.Errorf("tracing: store the offset of %v: %w", tp, tp.Error)
		}
	}
	l.inHand = nil
	return nil
}

// putBack goes back to the messages that have not been handled: otherwise who reads
// next, another loop for instance, would read past them, and commit that.
func (l *loop) putBack() error {
	if len(l.inHand) == 0 || !l.c.gate.enter() {
		return nil
	}
	defer l.c.gate.leave()
	sought, err := l.c.Consumer.SeekPartitions(firstOffsets(l.inHand))
	if err != nil {
		if l.c.Consumer.IsClosed() {
			return nil
		}
		return fmt.Errorf("tracing: go back to %v: %w", l.inHand[0], err)
	}
	for _, tp := range sought {
		// One that has been revoked, or is about to be, is for its next owner.
		if tp.Error != nil && !hasCode(tp.Error, kafka.ErrState, kafka.ErrUnknownPartition, kafka.ErrPrevInProgress) {
			return fmt.Errorf("tracing: go back to %v: %w", tp, tp.Error)
		}
	}
	return nil
}

// firstOffsets returns where the messages of each partition begin.
func firstOffsets(msgs []*kafka.Message) []kafka.TopicPartition {
	var offsets []kafka.TopicPartition
	seen := make(map[destination]bool, 1)
	for _, msg := range msgs {
		d := destination{topic: topicOf(msg), partition: msg.TopicPartition.Partition}
		if !seen[d] {
			seen[d] = true
			offsets = append(offsets, msg.TopicPartition)
		}
	}
	return offsets
}

// nextOffsets returns what to store after the messages are handled.
func nextOffsets(msgs []*kafka.Message) []kafka.TopicPartition {
	var offsets []kafka.TopicPartition
	index := make(map[destination]int, 1)
	for _, msg := range msgs {
		tp := msg.TopicPartition
		tp.Offset++
		d := destination{topic: topicOf(msg), partition: tp.Partition}
		if i, ok := index[d]; ok {
			offsets[i] = tp
			continue
		}
		index[d] = len(offsets)
		offsets = append(offsets, tp)
	}
	return offsets
}

// commit commits what has been stored, if the loop is asked to. It keeps out of a
// client that is being closed, whose Commit may never return.
func (l *loop) commit(ctx context.Context) {
	if !l.commits || !l.uncommitted || !l.c.gate.enter() {
		return
	}
	l.lastCommit = time.Now()
	offsets, err := l.c.commit(ctx, nil, func() ([]kafka.TopicPartition, error) { return l.c.Consumer.Commit() })
	l.c.gate.leave() // before the event handler, which may close the consumer
	switch {
	case err == nil, hasCode(err, kafka.ErrNoOffset):
		l.uncommitted = false
	case l.onEvent != nil:
		l.onEvent(ctx, kafka.OffsetsCommitted{Error: err, Offsets: offsets})
	}
}
