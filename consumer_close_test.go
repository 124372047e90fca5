package tracing_test

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing"
)

// polling starts a goroutine that calls f until ok is false, and returns once it
// has received the one message of the topic and waits for another.
func polling(t *testing.T, consumer *tracing.TracedConsumer, f func() (event kafka.Event, ok bool)) (stopped <-chan kafka.Event) {
	t.Helper()
	received, last := make(chan kafka.Event, 1), make(chan kafka.Event, 1)
	go func() {
		for {
			event, ok := f()
			if !ok {
				last <- event
				return
			}
			received <- event
		}
	}()
	receiveEvent(t, received)
	eventually(t, "the client is polled", func() bool { return consumer.Inside() == 1 })
	return last
}

func TestConsumerRule04CloseEndsEndlessPolls(t *testing.T) {
	t.Parallel()
	t.Run("Poll", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		consumer := c.consumer(c.fillTopic("a"), nil)
		stopped := polling(t, consumer, func() (kafka.Event, bool) {
			event := consumer.Poll(-1)
			_, ok := event.(*kafka.Message)
			return event, ok
		})
		closeWithin(t, consumer)
		if event := receiveEvent(t, stopped); event != nil {
			t.Errorf("Poll(-1) ended with %v", event)
		}
	})
	t.Run("ReadMessage", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		consumer := c.consumer(c.fillTopic("a"), nil)
		stopped := polling(t, consumer, func() (kafka.Event, bool) {
			msg, err := consumer.ReadMessage(time.Hour)
			if err != nil {
				e, _ := err.(kafka.Error)
				return e, false
			}
			return msg, true
		})
		closeWithin(t, consumer)
		if e, ok := receiveEvent(t, stopped).(kafka.Error); !ok || e.Code() != kafka.ErrState {
			t.Errorf("ReadMessage ended with %v", e)
		}
	})
}

// closeWithin closes the consumer, which must not wait for long polls.
func closeWithin(t *testing.T, consumer *tracing.TracedConsumer) {
	t.Helper()
	closed := make(chan error)
	go func() { closed <- consumer.Close() }()
	if err := receiveEvent(t, closed); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// The callback gets the client's own consumer, and what it does through the
// traced one works, also while that is being closed.
func TestConsumerRule04CallbacksAndCommitsDuringClose(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.fillTopic("a")
	consumer := c.consumer("", joining(nil))
	var calls []string
	callback := func(inner *kafka.Consumer, event kafka.Event) error {
		if inner != consumer.Consumer {
			t.Error("the callback got another consumer")
		}
		switch event.(type) {
		case kafka.AssignedPartitions:
			calls = append(calls, "assigned")
		case kafka.RevokedPartitions:
			committed, err := consumer.Commit()
			calls = append(calls, fmt.Sprintf("revoked, committed %v, %v", committed, err))
		}
		return nil
	}
	if err := consumer.Subscribe(topic, callback); err != nil {
		t.Fatal(err)
	}
	read(t, consumer)
	closeWithin(t, consumer)
	want := fmt.Sprint([]string{"assigned", fmt.Sprintf("revoked, committed [%s[0]@1], <nil>", topic)})
	if got := fmt.Sprint(calls); got != want {
		t.Errorf("calls %s, want %s", got, want)
	}
}

// A callback may poll its consumer's siblings and assign by itself.
func TestConsumerRule04CallbackAssigns(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.fillTopic("a", "b", "c")
	c.both("", joining(nil), func(t *testing.T, consumer consumerUnderTest, see func(string, ...any)) {
		t.Helper()
		err := consumer.SubscribeTopics([]string{topic}, func(inner *kafka.Consumer, event kafka.Event) error {
			see("%T", event)
			if e, ok := event.(kafka.AssignedPartitions); ok {
				e.Partitions[0].Offset = 2
				return inner.IncrementalAssign(e.Partitions)
			}
			return nil
		})
		see("%v", err)
		see("%s", read(t, consumer).Value)
		see("%v", consumer.Close())
	})
}

func TestConsumerRule05AfterClose(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.fillTopic("a", "b")
	c.both(topic, nil, func(t *testing.T, consumer consumerUnderTest, see func(string, ...any)) {
		t.Helper()
		read(t, consumer)
		see("%#v", consumer.Close())
		see("%#v", consumer.Close())
		msg, err := consumer.ReadMessage(-1)
		see("%v %#v", msg, err)
		msg, err = consumer.ReadMessage(0)
		see("%v %#v", msg, err)
		see("%#v", consumer.Subscribe(topic, nil))
		see("%#v", consumer.SubscribeTopics([]string{topic}, func(*kafka.Consumer, kafka.Event) error { return nil }))
		offsets, err := consumer.Commit()
		see("%v %#v", offsets, err)
		see("%v", consumer.IsClosed())
	})
	// The raw client crashes here.
	consumer := c.consumer(topic, nil)
	closeWithin(t, consumer)
	for _, timeout := range []int{-1, 0, 1, 1000} {
		if event := consumer.Poll(timeout); event != nil {
			t.Errorf("Poll(%d) after Close returned %v", timeout, event)
		}
	}
}

func TestConsumerRule05CloseFromManyGoroutinesWhilePolling(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for range 5 {
		consumer := c.consumer(c.fillTopic("a"), nil)
		var wg sync.WaitGroup
		received := make(chan kafka.Event, 1)
		for range 4 {
			wg.Go(func() {
				for !consumer.IsClosed() {
					if event := consumer.Poll(30); event != nil {
						received <- event
					}
				}
			})
		}
		receiveEvent(t, received)
		results := make(chan error, 4)
		for range cap(results) {
			wg.Go(func() { results <- consumer.Close() })
		}
		wg.Wait()
		succeeded := 0
		for range cap(results) {
			err := <-results
			if err == nil {
				succeeded++
			} else if e, ok := err.(kafka.Error); !ok || e.Code() != kafka.ErrState {
				t.Errorf("Close: %v", err)
			}
		}
		if succeeded != 1 {
			t.Errorf("Close succeeded %d times", succeeded)
		}
	}
}

// Nobody destroys the client while a call is in it: the first Close waits, and
// others answer at once.
func TestConsumerRule05CloseWaitsForCallsInTheClient(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	consumer := c.consumer("", nil)
	leave := consumer.Enter()
	first := make(chan error, 1)
	go func() { first <- consumer.Close() }()
	eventually(t, "closing has begun", func() bool {
		_, err := consumer.ReadMessage(0)
		e, _ := err.(kafka.Error)
		return e.Code() == kafka.ErrState
	})
	err := consumer.Close()
	if e, ok := err.(kafka.Error); !ok || e.Code() != kafka.ErrState {
		t.Errorf("the second Close returned %v", err)
	}
	select {
	case <-first:
		t.Error("Close did not wait")
	case <-time.After(50 * time.Millisecond): // the client's own takes one or two
	}
	if consumer.IsClosed() {
		t.Error("the client is closed while a call is in it")
	}
	leave()
	if err := receiveEvent(t, first); err != nil {
		t.Errorf("the first Close returned %v", err)
	}
}

func TestConsumerRule05UnreadEvents(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 1000} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			topic := c.fillTopic("a", "b", "c", "d")
			conf := kafka.ConfigMap{"go.events.channel.enable": true, "go.events.channel.size": size}
			taken := min(4, 1+size+1) // one that is read, those that fit, and one that waits
			for i, newConsumer := range []func() *tracing.TracedConsumer{
				func() *tracing.TracedConsumer { return c.consumer(topic, conf) },
				func() *tracing.TracedConsumer {
					return tracing.WrapConsumer(c.rawConsumer(topic, conf), c.options()...)
				},
			} {
				consumer := newConsumer()
				if got := cap(consumer.Events()); got != size {
					t.Errorf("the channel has room for %d, not %d", got, size)
				}
				receiveEvent(t, consumer.Events())
				if size < 1000 {
					eventually(t, "an event waits", func() bool { return len(c.ended("kafka.receive")) == (i+1)*taken })
				} else {
					eventually(t, "three events in the channel", func() bool { return len(consumer.Events()) == 3 })
				}
				closeWithin(t, consumer)
				left := 0
				for range consumer.Events() { // it is closed
					left++
				}
				if size == 1000 && left != 3 {
					t.Errorf("%d events left in the channel, not 3", left)
				}
			}
		})
	}
}

// What is in the client's channel when Close begins is still there to be read, as
// it is with the raw client, as far as the channel has room; what has not has no
// span, since it was never handed over.
func TestConsumerRule05BufferedEventsSurviveClose(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := "some"
	conf := kafka.ConfigMap{"go.events.channel.enable": true, "go.events.channel.size": 8}
	for range 20 {
		raw := c.rawConsumer("", conf)
		before := len(c.ended("kafka.receive"))
		for i := range 8 {
			raw.Events() <- &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: int32(i)}}
		}
		consumer := tracing.WrapConsumer(raw, c.options()...)
		closeWithin(t, consumer)
		left := 0
		for range consumer.Events() {
			left++
		}
		if spans := len(c.ended("kafka.receive")) - before; left != 8 || spans != 8 {
			t.Fatalf("%d of 8 events and %d spans are left", left, spans)
		}
	}
}
