package tracing_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing"
)

// The end of ctx and Close, before a message, between and within handlers.
func TestConsumeCleanExits(t *testing.T) {
	c := newCluster(t)
	topic := c.topic(1)

	t.Run("ctx ends while nothing arrives", func(t *testing.T) {
		consumer := c.member(topic, nil)
		ctx, stop := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer stop()
		if err := consumer.Consume(ctx, func(context.Context, *kafka.Message) error { return nil }); err != nil {
			t.Error(err)
		}
	})
	t.Run("Close", func(t *testing.T) {
		c.fill(topic, 1)
		consumer := c.member(topic, kafka.ConfigMap{"group.id": "closing"})
		done, handled := make(chan error, 1), make(chan struct{}, 1)
		go func() {
			done <- consumer.Consume(context.Background(), func(context.Context, *kafka.Message) error {
				handled <- struct{}{}
				return nil
			})
		}()
		receiveEvent(t, handled)
		second := consumer.Consume(context.Background(), func(context.Context, *kafka.Message) error { return nil })
		if codeOf(second) != kafka.ErrConflict {
			t.Errorf("a second loop returned %v", second)
		}
		if err := consumer.Close(); err != nil {
			t.Error(err)
		}
		if err := receiveEvent(t, done); err != nil {
			t.Error(err)
		}
	})
	t.Run("ctx ends within a handler", func(t *testing.T) {
		c.fill(topic, 1)
		consumer := c.member(topic, kafka.ConfigMap{"enable.auto.commit": false, "group.id": "within"})
		ctx, stop := context.WithCancel(context.Background())
		err := consumer.Consume(ctx, func(ctx context.Context, _ *kafka.Message) error {
			stop()
			return fmt.Errorf("query: %w", ctx.Err())
		}, tracing.WithCommitInterval(0), tracing.WithErrorHandler(func(context.Context, *kafka.Message, error) error {
			t.Error("the error handler was called")
			return nil
		}))
		if err != nil {
			t.Error(err)
		}
		if got := committed(t, consumer, topic); got >= 0 {
			t.Errorf("committed %v", got)
		}
	})
}

func TestConsumeRefusesToLoseMessages(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	handle := func(context.Context, *kafka.Message) error { return nil }
	for name, kv := range map[string]kafka.ConfigMap{
		"offsets stored before handling": {},
		"events channel":                 {"enable.auto.offset.store": "false", "go.events.channel.enable": true},
	} {
		consumer := c.consumer("", kv)
		if err := consumer.Consume(context.Background(), handle); codeOf(err) != kafka.ErrInvalidArg {
			t.Errorf("%s: %v", name, err)
		}
	}
	consumer := c.consumer("", kafka.ConfigMap{"enable.auto.offset.store": false})
	if err := consumer.Consume(context.Background(), nil); codeOf(err) != kafka.ErrInvalidArg {
		t.Errorf("no handler: %v", err)
	}
	if err := consumer.ConsumeBatch(context.Background(), 0, 0, func(context.Context, []*kafka.Message) error { return nil }); codeOf(err) != kafka.ErrInvalidArg {
		t.Errorf("no size: %v", err)
	}
}

// Broker errors, and a topic that comes into being later, do not end the loop.
func TestConsumeSurvivesBrokerErrors(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := fmt.Sprintf("later-%d", topics.Add(1))
	consumer := c.member(topic, kafka.ConfigMap{"topic.metadata.refresh.interval.ms": 50, "reconnect.backoff.max.ms": 100})
	var events atomic.Int64
	ctx, stop := context.WithCancel(context.Background())
	var handled sync.WaitGroup
	handled.Add(1)
	done := make(chan error, 1)
	go func() {
		done <- consumer.Consume(ctx, func(context.Context, *kafka.Message) error {
			handled.Done()
			return nil
		}, tracing.WithEventHandler(func(context.Context, kafka.Event) { events.Add(1) }))
	}()
	if err := c.mock.SetBrokerDown(-1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the client reports that the broker is down", func() bool { return events.Load() > 0 })
	if err := c.mock.SetBrokerUp(-1); err != nil {
		t.Fatal(err)
	}
	if err := c.mock.CreateTopic(topic, 1, 1); err != nil {
		t.Fatal(err)
	}
	c.fill(topic, 1)
	handled.Wait()
	stop()
	if err := receiveEvent(t, done); err != nil {
		t.Error(err)
	}
}

// Once Close has begun the loop keeps out of the client: the client's Commit never
// returns if it comes at the wrong moment.
func TestConsumeCommitsNothingWhileClosing(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	consumer := c.consumer(c.fillTopic("a", "b"), kafka.ConfigMap{"enable.auto.offset.store": false}, tracing.WithCommitSpans())
	closed := make(chan error, 1)
	leave := consumer.Enter() // as a call would that holds Close up
	err := consumer.Consume(context.Background(), func(_ context.Context, msg *kafka.Message) error {
		if msg.TopicPartition.Offset == 1 {
			go func() { closed <- consumer.Close() }()
			eventually(t, "closing has begun", func() bool { _, err := consumer.ReadMessage(0); return codeOf(err) == kafka.ErrState })
		}
		return nil
	}, tracing.WithCommitInterval(0))
	if err != nil {
		t.Errorf("Consume returned %v", err)
	}
	if n := len(c.ended("kafka.commit")); n != 1 {
		t.Errorf("%d commits, want that of the first message only", n)
	}
	leave()
	if err := receiveEvent(t, closed); err != nil {
		t.Errorf("Close: %v", err)
	}
}
