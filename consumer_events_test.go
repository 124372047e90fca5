package tracing_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

func TestConsumerRule02EverythingElsePassesThrough(t *testing.T) {
	t.Parallel()
	t.Run("Poll", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		topic := c.fillTopic("a", "b")
		c.both(topic, kafka.ConfigMap{"enable.partition.eof": true}, func(t *testing.T, consumer consumerUnderTest, see func(string, ...any)) {
			t.Helper()
			for {
				event := consumer.Poll(int(patience.Milliseconds()))
				see("%T %v", event, event)
				if _, eof := event.(kafka.PartitionEOF); eof || event == nil {
					break
				}
			}
			see("%#v", consumer.Poll(0))
			see("%#v", consumer.Poll(20))
		})
		if spans := c.spans.Ended(); len(spans) != 2 {
			t.Errorf("%d spans for two messages and an EOF", len(spans))
		}
	})
	t.Run("Poll a general error", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		c.both("", noReset, func(t *testing.T, consumer consumerUnderTest, see func(string, ...any)) {
			t.Helper()
			assignOutOfRange(t, consumer)
			event := consumer.Poll(int(patience.Milliseconds()))
			see("%T %#v", event, event)
		})
		if spans := c.spans.Started(); len(spans) != 0 {
			t.Errorf("spans %v", spans)
		}
	})
	t.Run("ReadMessage a general error", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		c.both("", noReset, func(t *testing.T, consumer consumerUnderTest, see func(string, ...any)) {
			t.Helper()
			assignOutOfRange(t, consumer)
			msg, err := consumer.ReadMessage(patience)
			see("%v %#v", msg, err)
		})
		if spans := c.spans.Started(); len(spans) != 0 {
			t.Errorf("spans %v", spans)
		}
	})
	t.Run("ReadMessage drops other events", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		topic := c.fillTopic("a", "b")
		c.both(topic, kafka.ConfigMap{"enable.partition.eof": true, "statistics.interval.ms": 10},
			func(t *testing.T, consumer consumerUnderTest, see func(string, ...any)) {
				t.Helper()
				for range 3 {
					msg, err := consumer.ReadMessage(200 * time.Millisecond)
					if msg == nil {
						see("%#v", err)
						continue
					}
					see("%s", msg.Value)
				}
			})
	})
	t.Run("Events", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		topic := "some"
		events := []kafka.Event{
			&kafka.Stats{},
			kafka.PartitionEOF{Topic: &topic, Partition: 1, Offset: 7},
			kafka.OffsetsCommitted{Error: kafka.NewError(kafka.ErrNoOffset, "", false)},
			kafka.AssignedPartitions{Partitions: []kafka.TopicPartition{{Topic: &topic}}},
			kafka.RevokedPartitions{},
			kafka.NewError(kafka.ErrAllBrokersDown, "all", true),
			kafka.OAuthBearerTokenRefresh{Config: "x"},
			nil,
		}
		consumer := c.consumer("", kafka.ConfigMap{"go.events.channel.enable": true})
		for _, event := range events {
			consumer.Consumer.Events() <- event
			if got := receiveEvent(t, consumer.Events()); fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", event) {
				t.Errorf("got %#v, want %#v", got, event)
			}
		}
		if spans := c.spans.Started(); len(spans) != 0 {
			t.Errorf("spans %v", spans)
		}
	})
}

var noReset = kafka.ConfigMap{"auto.offset.reset": "error"}

func assignOutOfRange(t *testing.T, consumer consumerUnderTest) {
	t.Helper()
	topic := "none-such-offset"
	err := consumer.Assign([]kafka.TopicPartition{{Topic: &topic, Partition: 0, Offset: 1000}})
	if err != nil {
		t.Fatal(err)
	}
}

// Rebalance events come through where the application asked for them as events.
func TestConsumerRule02RebalanceEventsPassThrough(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(2)
	consumer := c.consumer("", joining(kafka.ConfigMap{
		"go.events.channel.enable": true, "go.application.rebalance.enable": true,
	}))
	if err := consumer.Subscribe(topic, nil); err != nil {
		t.Fatal(err)
	}
	assigned, ok := receiveEvent(t, consumer.Events()).(kafka.AssignedPartitions)
	if !ok || len(assigned.Partitions) != 2 {
		t.Fatalf("assigned %v", assigned)
	}
	if err := consumer.IncrementalAssign(assigned.Partitions); err != nil {
		t.Fatal(err)
	}
	if err := consumer.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	revoked, ok := receiveEvent(t, consumer.Events()).(kafka.RevokedPartitions)
	if !ok || len(revoked.Partitions) != 2 {
		t.Fatalf("revoked %v", revoked)
	}
	if err := consumer.IncrementalUnassign(revoked.Partitions); err != nil {
		t.Fatal(err)
	}
}

func TestConsumerRule02Timeouts(t *testing.T) {
	t.Parallel()
	for _, timeout := range []time.Duration{0, time.Nanosecond, 500 * time.Microsecond, 30 * time.Millisecond, 250 * time.Millisecond} {
		t.Run(timeout.String(), func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			c.both(c.topic(1), nil, func(t *testing.T, consumer consumerUnderTest, see func(string, ...any)) {
				t.Helper()
				msg, err := consumer.ReadMessage(timeout)
				see("%v %#v", msg, err)
				see("%#v", consumer.Poll(int(timeout.Milliseconds())))
			})
			consumer := c.consumer(c.topic(1), nil)
			start := time.Now()
			if event := consumer.Poll(int(timeout.Milliseconds())); event != nil {
				t.Errorf("Poll returned %v", event)
			}
			// A single slice is the client's own wait, which may end within the last millisecond.
			if took := time.Since(start); took < timeout.Truncate(time.Millisecond)-time.Millisecond {
				t.Errorf("Poll took %v, less than %v", took, timeout)
			}
			start = time.Now()
			msg, err := consumer.ReadMessage(timeout)
			if e, ok := err.(kafka.Error); msg != nil || !ok || !e.IsTimeout() {
				t.Errorf("ReadMessage returned %v, %#v", msg, err)
			}
			if took := time.Since(start); took < timeout-time.Millisecond {
				t.Errorf("ReadMessage took %v, less than %v", took, timeout)
			}
			if spans := c.spans.Started(); len(spans) != 0 {
				t.Errorf("spans %v", spans)
			}
		})
	}
}

// Timeouts that leave the range of what is added to them.
func TestConsumerRule02EndlessTimeouts(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	consumer := c.consumer(c.fillTopic("a", "b", "c", "d"), nil)
	for _, timeout := range []time.Duration{-1, -time.Hour, math.MinInt64, math.MaxInt64} {
		if msg, err := consumer.ReadMessage(timeout); err != nil || msg == nil {
			t.Errorf("ReadMessage(%d) returned %v, %v", timeout, msg, err)
		}
	}
}

// The client's Poll returns nil when it has rebalanced, with and without a
// callback: an application that polls without limit looks at its assignment then.
func TestConsumerRule02PollReturnsAfterARebalance(t *testing.T) {
	t.Parallel()
	for name, callback := range map[string]kafka.RebalanceCb{
		"with a callback":    func(*kafka.Consumer, kafka.Event) error { return nil },
		"without a callback": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			topic := c.topic(2)
			script := func(t *testing.T, consumer consumerUnderTest, see func(string, ...any)) {
				t.Helper()
				if err := consumer.Subscribe(topic, callback); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				see("%v", consumer.Poll(int(patience.Milliseconds())))
				see("returned early: %v", time.Since(start) < patience)
				assignment, err := consumer.Assignment()
				slices.SortFunc(assignment, func(a, b kafka.TopicPartition) int { return int(a.Partition - b.Partition) })
				see("%v %v", assignment, err)
				see("%v", consumer.GetRebalanceProtocol())
				see("%v", consumer.Close())
			}
			if seen := c.both("", joining(kafka.ConfigMap{"group.id": "g-" + strings.ReplaceAll(name, " ", "")}), script); !strings.Contains(seen[2], topic+"[1]") {
				t.Errorf("the assignment is %s", seen[2])
			}
		})
	}
}
