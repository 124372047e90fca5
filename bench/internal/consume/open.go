package consume

import (
	"context"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing"
	"github.com/kafkatrace/tracing/bench/internal/byhand"
	"github.com/kafkatrace/tracing/bench/internal/telemetry"
)

// Client is what the raw consumer and those that wrap it have in common.
type Client interface {
	Assign([]kafka.TopicPartition) error
	QueryWatermarkOffsets(topic string, partition int32, timeoutMs int) (low, high int64, err error)
	Poll(timeoutMs int) kafka.Event
	ReadMessage(time.Duration) (*kafka.Message, error)
	Events() chan kafka.Event
	Close() error
}

// A batch is handled when it has this size, or this long after its first message.
const (
	batchSize = 100
	batchWait = time.Second
)

// handle is what is done with a message.
func handle(context.Context) error { return nil }

// raw consumes with the client.
func raw(w Work, conf kafka.ConfigMap) (Consumer, error) {
	c, err := kafka.NewConsumer(&conf)
	if err != nil {
		return Consumer{}, err
	}
	ctx := context.Background()
	switch w.Task {
	case Process:
		return w.Each(c, func(*kafka.Message) error { return handle(ctx) }), nil
	case Batch:
		return w.batches(c, func([]*kafka.Message, time.Time) error { return handle(ctx) }), nil
	default:
		return w.Each(c, nil), nil
	}
}

// byHand traces with code written for it.
func byHand(providers func() telemetry.Providers) Open {
	return func(w Work, conf kafka.ConfigMap) (Consumer, error) {
		c, err := kafka.NewConsumer(&conf)
		if err != nil {
			return Consumer{}, err
		}
		r := byhand.New(providers(), conf).NewReceiver()
		switch w.Task {
		case Process:
			return w.Each(c, func(msg *kafka.Message) error { return r.Process(r.Receive(msg), msg, handle) }), nil
		case Batch:
			return w.batches(c, func(msgs []*kafka.Message, began time.Time) error { return r.Batch(msgs, began, handle) }), nil
		default:
			return w.Each(c, func(msg *kafka.Message) error {
				r.Receive(msg)
				return nil
			}), nil
		}
	}
}

// traced consumes with the library.
func traced(providers func() telemetry.Providers) Open {
	return func(w Work, conf kafka.ConfigMap) (Consumer, error) {
		c, err := tracing.NewConsumer(&conf, providers().Options()...)
		if err != nil {
			return Consumer{}, err
		}
		ctx := context.Background()
		switch w.Task {
		case Process:
			return w.Each(c, func(msg *kafka.Message) error { return c.Process(ctx, msg, handle) }), nil
		case Batch:
			return Consumer{Client: c, Next: func() (int, error) {
				msgs, err := c.ReadBatch(ctx, batchSize, batchWait)
				if err != nil {
					return 0, err
				}
				return len(msgs), c.ProcessBatch(ctx, msgs, handle)
			}}, nil
		default:
			return w.Each(c, nil), nil
		}
	}
}

// Each returns a Consumer that calls do with every message; do may be nil.
func (w Work) Each(c Client, do func(*kafka.Message) error) Consumer {
	next := w.next(c)
	return Consumer{Client: c, Next: func() (int, error) {
		msg, err := next()
		if err != nil || do == nil {
			return 1, err
		}
		return 1, do(msg)
	}}
}

// batches returns a Consumer that calls do with every batch, and with when its
// first message came.
func (w Work) batches(c Client, do func([]*kafka.Message, time.Time) error) Consumer {
	next := w.next(c)
	return Consumer{Client: c, Next: func() (int, error) {
		msg, err := next()
		if err != nil {
			return 0, err
		}
		began := time.Now()
		msgs := append(make([]*kafka.Message, 0, batchSize), msg)
		for len(msgs) < batchSize {
			left := batchWait - time.Since(began)
			if left <= 0 {
				break
			}
			switch e := c.Poll(int(left.Milliseconds())).(type) {
			case *kafka.Message:
				msgs = append(msgs, e)
			case kafka.Error:
				return 0, e
			}
		}
		return len(msgs), do(msgs, began)
	}}
}

// next returns the function that waits for a message. A measurement has a time
// limit, so this has none.
func (w Work) next(c Client) func() (*kafka.Message, error) {
	if w.By == ReadMessage {
		return func() (*kafka.Message, error) { return c.ReadMessage(10 * time.Second) }
	}
	receive := func() kafka.Event { return c.Poll(10_000) }
	if w.By == Events {
		receive = func() kafka.Event { return <-c.Events() }
	}
	return func() (*kafka.Message, error) {
		for {
			switch e := receive().(type) {
			case *kafka.Message:
				return e, nil
			case kafka.Error:
				return nil, e
			}
		}
	}
}
