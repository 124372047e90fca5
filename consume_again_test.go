package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing"
)

// However a loop ends, the next one begins with what this one has not handled, and
// what was handled is committed.
func TestConsumeAgainLosesNothing(t *testing.T) {
	t.Parallel()
	failure := errors.New("out of paper")
	for name, end := range map[string]struct {
		handle func(ctx context.Context, stop func()) error
		want   error
	}{
		"ctx":   {handle: func(ctx context.Context, stop func()) error { stop(); return ctx.Err() }},
		"error": {handle: func(context.Context, func()) error { return failure }, want: failure},
		"panic": {handle: func(context.Context, func()) error { panic(failure) }, want: failure},
	} {
		for way, size := range map[string]int{"Consume": 0, "ConsumeBatch": 2} {
			t.Run(way+" "+name, func(t *testing.T) {
				t.Parallel()
				c := newCluster(t)
				topic := c.fillTopic("a", "b", "c", "d", "e", "f") // full batches only
				consumer := c.consumer(topic, kafka.ConfigMap{"enable.auto.offset.store": false})
				// consume handles messages until one is "c" and end says so, or all are read.
				consume := func(end func(context.Context, func()) error) (handled []string, err error) {
					ctx, stop := context.WithCancel(t.Context())
					defer stop()
					defer func() {
						if r := recover(); r != nil {
							err, _ = r.(error)
						}
					}()
					handle := func(ctx context.Context, msgs []*kafka.Message) error {
						for _, msg := range msgs {
							if string(msg.Value) == "c" && end != nil {
								return end(ctx, stop)
							}
						}
						for _, msg := range msgs {
							handled = append(handled, string(msg.Value))
						}
						if slices.Contains(handled, "f") {
							stop()
						}
						return nil
					}
					if size > 0 {
						return handled, consumer.ConsumeBatch(ctx, size, patience, handle, tracing.WithCommitInterval(0))
					}
					err = consumer.Consume(ctx, func(ctx context.Context, msg *kafka.Message) error {
						return handle(ctx, []*kafka.Message{msg})
					}, tracing.WithCommitInterval(0))
					return handled, err
				}
				if _, err := consume(end.handle); !errors.Is(err, end.want) {
					t.Fatalf("the first loop returned %v", err)
				}
				if got := committed(t, consumer, topic); got != 2 {
					t.Errorf("committed %v after the first loop", got)
				}
				handled, err := consume(nil)
				if err != nil || fmt.Sprint(handled) != "[c d e f]" {
					t.Errorf("the second loop handled %v and returned %v", handled, err)
				}
				if got := committed(t, consumer, topic); got != 6 {
					t.Errorf("committed %v", got)
				}
			})
		}
	}
}

// Events come while nothing is held that Close waits for, those of failed commits as
// well.
func TestConsumeCloseFromTheEventHandler(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	consumer := c.consumer(c.fillTopic("a", "b"), kafka.ConfigMap{"enable.auto.offset.store": false})
	closed := make(chan error, 1)
	returns(t, "Consume", func() {
		err := consumer.Consume(t.Context(), func(_ context.Context, msg *kafka.Message) error {
			if msg.TopicPartition.Offset == 1 {
				return consumer.Consumer.Close() // the commit of "a" fails then
			}
			return nil
		}, tracing.WithCommitInterval(time.Hour), tracing.WithEventHandler(func(_ context.Context, event kafka.Event) {
			if e, ok := event.(kafka.OffsetsCommitted); ok && codeOf(e.Error) == kafka.ErrState {
				closed <- consumer.Close()
			}
		}))
		if err != nil {
			t.Error(err)
		}
	})
	if err := receiveEvent(t, closed); codeOf(err) != kafka.ErrState { // the client's, which was closed before
		t.Error(err)
	}
}
