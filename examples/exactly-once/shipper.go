package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

const (
	// settleTimeout is how long the brokers may take to settle a transaction.
	settleTimeout = 30 * time.Second
	// retryPause is how long to wait before something is tried again.
	retryPause = 100 * time.Millisecond
)

// errMalformed is a message that no retry will make an order of.
var errMalformed = errors.New("malformed order")

// order is what comes in, as JSON.
type order struct {
	ID    string `json:"id"`
	Cents int    `json:"cents"`
}

// shipment is what goes out, as JSON.
type shipment struct {
	Order   string `json:"order"`
	Insured bool   `json:"insured"`
}

// shipper turns orders into shipments.
type shipper struct {
	consumer     *tracing.TracedConsumer
	producer     *tracing.TracedProducer
	output       string
	abortEvery   int
	transactions int

	// revoked are the partitions that were revoked, and not assigned again, since
	// the last batch was asked for. ReadBatch ends at a rebalance, so messages of
	// theirs are from before.
	revoked map[int32]bool
	// back is where to go on reading: what was read from there has not been shipped.
	back []kafka.TopicPartition
}

// onRebalance is called from within ReadBatch and Close.
func (s *shipper) onRebalance(_ *kafka.Consumer, event kafka.Event) error {
	switch e := event.(type) {
	case kafka.AssignedPartitions:
		slog.Info("ready", "partitions", fmt.Sprint(e.Partitions))
		for _, at := range e.Partitions {
			delete(s.revoked, at.Partition) // read anew, from the committed offset
		}
	case kafka.RevokedPartitions:
		slog.Info("revoked", "partitions", fmt.Sprint(e.Partitions))
		for _, at := range e.Partitions {
			s.revoked[at.Partition] = true
		}
	}
	return nil
}

// run ships batch after batch, each in a transaction, until ctx ends. It returns
// an error if only a new process can go on.
func (s *shipper) run(ctx context.Context, size int, wait time.Duration) error {
	for ctx.Err() == nil {
		if len(s.back) > 0 {
			if err := s.rewind(); err != nil {
				slog.Warn("not rewound", "error", err)
				time.Sleep(retryPause)
				continue
			}
		}
		s.revoked = map[int32]bool{}
		msgs, err := s.consumer.ReadBatch(ctx, size, wait)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if len(s.revoked) > 0 {
			// Some of the messages are another member's by now, which ships
			// them. Those of the other partitions are read again.
			s.back = firstOffsets(msgs, s.revoked)
			continue
		}
		// A signal must not interrupt the transaction.
		err = s.consumer.ProcessBatch(context.WithoutCancel(ctx), msgs, func(ctx context.Context) error {
			return s.transact(ctx, msgs)
		})
		var aborted abortedError
		switch {
		case errors.As(err, &aborted):
			slog.Warn("transaction aborted", "messages", len(msgs), "error", aborted.cause)
			s.back = firstOffsets(msgs, nil)
			time.Sleep(retryPause)
		case err != nil:
			return err
		}
	}
	return nil
}

// abortedError tells why a transaction was aborted: nothing of it has happened.
type abortedError struct{ cause error }

func (e abortedError) Error() string { return "transaction aborted: " + e.cause.Error() }
func (e abortedError) Unwrap() error { return e.cause }

// transact ships the orders of msgs in a transaction. If it returns an
// abortedError they can be tried again. Any other error is the end: a fatal one,
// as when another process has taken over the transactional id, or one after which
// nobody knows whether the transaction was committed until the next process asks.
func (s *shipper) transact(ctx context.Context, msgs []*kafka.Message) error {
	if err := s.producer.BeginTransaction(); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	err := s.ship(ctx, msgs)
	if err == nil {
		return nil
	}
	if fatal := s.producer.GetFatalError(); fatal != nil { // err itself may not say so
		return errors.Join(err, fatal)
	}
	if abortErr := settle(ctx, s.producer.AbortTransaction); abortErr != nil {
		return errors.Join(err, fmt.Errorf("abort transaction: %w", abortErr))
	}
	return abortedError{cause: err}
}

// ship is what happens in the transaction.
func (s *shipper) ship(ctx context.Context, msgs []*kafka.Message) error {
	shipped := make([]*kafka.Message, 0, len(msgs))
	for _, msg := range msgs {
		// The span of each order continues its own trace. The batch's, which is
		// in ctx, is linked: the transaction belongs to all of them.
		err := s.consumer.Process(ctx, msg, func(ctx context.Context) error { return s.shipOrder(ctx, msg) })
		switch {
		case errors.Is(err, errMalformed):
			logger(msg).Error("order skipped", "error", err)
		case err != nil:
			return fmt.Errorf("ship %v: %w", msg, err)
		default:
			shipped = append(shipped, msg)
		}
	}

	// With the group's metadata the coordinator refuses the offsets of a member
	// that has been excluded meanwhile. But it accepts those of a client that is
	// no member at all, which one that knows of its exclusion may pass for.
	group, err := s.consumer.GetConsumerGroupMetadata()
	if err != nil {
		return fmt.Errorf("group metadata: %w", err)
	}
	if s.consumer.AssignmentLost() {
		return errors.New("the group has given our partitions to others")
	}
	err = settle(ctx, func(ctx context.Context) error {
		return s.producer.SendOffsetsToTransaction(ctx, nextOffsets(msgs), group)
	})
	if err != nil {
		return fmt.Errorf("send offsets: %w", err)
	}
	s.transactions++
	if s.abortEvery > 0 && s.transactions%s.abortEvery == 0 {
		return errors.New("as asked for by -abort-every")
	}
	if err := settle(ctx, s.producer.CommitTransaction); err != nil {
		return fmt.Errorf("commit transaction: %w", err)
	}
	logShipped(shipped)
	return nil
}

// shipOrder produces the shipment of one order.
func (s *shipper) shipOrder(ctx context.Context, msg *kafka.Message) error {
	var o order
	if err := json.Unmarshal(msg.Value, &o); err != nil {
		return fmt.Errorf("%w: %w", errMalformed, err)
	}
	value, err := json.Marshal(shipment{Order: o.ID, Insured: o.Cents >= 100_00})
	if err != nil {
		return err
	}
	return s.producer.ProduceContext(ctx, &kafka.Message{
		TopicPartition: kafka.TopicPartition{Topic: &s.output, Partition: kafka.PartitionAny},
		Key:            msg.Key,
		Value:          value,
	}, nil)
}

// rewind goes back to where reading is to go on. Always to an offset that was read:
// a logical one, such as OffsetBeginning, must be looked up at the broker, and the
// client may be fetching already.
func (s *shipper) rewind() error {
	sought, err := s.consumer.SeekPartitions(s.back)
	if err != nil {
		return err
	}
	for _, at := range sought {
		var kafkaError kafka.Error
		if errors.As(at.Error, &kafkaError) && kafkaError.Code() == kafka.ErrState {
			continue // no longer ours
		}
		if at.Error != nil {
			return fmt.Errorf("seek %v: %w", at, at.Error)
		}
	}
	s.back = nil
	return nil
}

// firstOffsets returns, for each partition but those that others have by now, the
// offset of its first message.
func firstOffsets(msgs []*kafka.Message, except map[int32]bool) []kafka.TopicPartition {
	var offsets []kafka.TopicPartition
	seen := map[int32]bool{}
	for _, msg := range msgs {
		at := msg.TopicPartition
		if !seen[at.Partition] && !except[at.Partition] {
			offsets = append(offsets, at)
		}
		seen[at.Partition] = true
	}
	return offsets
}

// settle repeats a call for as long as the client says that this may help.
func settle(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for {
		err := call(ctx)
		var kafkaError kafka.Error
		if !errors.As(err, &kafkaError) || !kafkaError.IsRetriable() || ctx.Err() != nil {
			return err
		}
		time.Sleep(retryPause)
	}
}

// nextOffsets returns, for each partition, the offset after its last message.
func nextOffsets(msgs []*kafka.Message) []kafka.TopicPartition {
	var offsets []kafka.TopicPartition
	index := map[int32]int{} // there is one topic
	for _, msg := range msgs {
		next := msg.TopicPartition
		next.Offset++
		i, ok := index[next.Partition]
		if !ok {
			i = len(offsets)
			index[next.Partition] = i
			offsets = append(offsets, next)
		}
		offsets[i] = next
	}
	return offsets
}

func logShipped(msgs []*kafka.Message) {
	for _, msg := range msgs {
		sc := trace.SpanContextFromContext(tracing.ContextFromMessage(context.Background(), msg))
		logger(msg).Info("order shipped", "trace_id", sc.TraceID().String())
	}
	slog.Info("transaction committed", "messages", len(msgs))
}

func logger(msg *kafka.Message) *slog.Logger {
	at := msg.TopicPartition
	return slog.With("topic", *at.Topic, "partition", at.Partition, "offset", int64(at.Offset), "key", string(msg.Key))
}
