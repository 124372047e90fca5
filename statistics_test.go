package tracing_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
)

func TestStatisticsOfAProducer(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(kafka.ConfigMap{"client.id": "shop"}, withStatistics()...)
	eachReport(t, p, topic, "hello", 10)

	var got map[string][]point
	eventually(t, "what was sent is told", func() bool {
		got = c.clientMetrics()
		return the(got["kafka.client.sent.messages"]) == 10 && the(got["kafka.client.sent.bytes"]) == 50 &&
			the(got["kafka.client.queue.messages"]) == 0 && the(got["kafka.client.queue.bytes"]) == 0
	})
	if at := the(got["kafka.client.statistics.timestamp"]); time.Since(time.Unix(int64(at), 0)).Abs() > patience {
		t.Errorf("taken at %v", at)
	}
	for name := range got {
		if regexp.MustCompile("consumer|received.messages").MatchString(name) {
			t.Errorf("%s of a producer", name)
		}
		for _, point := range got[name] {
			if point.attr("messaging.client.id") != "shop" || point.attr("kafka.client.name") != p.String() {
				t.Errorf("%s has %s", name, point.attrs.Encoded(attribute.DefaultEncoder()))
			}
			if point.attr("kafka.broker.id") == "-1" || point.attr("server.port") == "0" {
				t.Errorf("%s has %s", name, point.attrs.Encoded(attribute.DefaultEncoder()))
			}
		}
	}
	up := 0
	for _, point := range got["kafka.client.broker.connection.state"] {
		if point.attr("kafka.connection.state") == "up" && point.attr("kafka.broker.id") == "1" && point.value == 1 {
			up++
			if server := point.attr("server.address") + ":" + point.attr("server.port"); server != c.mock.BootstrapServers() {
				t.Errorf("broker 1 is at %s, not %s", server, c.mock.BootstrapServers())
			}
		}
	}
	if up != 1 {
		t.Errorf("%d connections to broker 1 are up", up)
	}

	// The times of a window in which nothing was answered are not told.
	start := time.Now()
	eventually(t, "round-trip times", func() bool {
		eachReport(t, p, topic, "hello", 1)
		got := c.clientMetrics()
		for _, name := range []string{"avg", "p50", "p95", "p99"} {
			rtt := got["kafka.client.broker.rtt."+name]
			if len(rtt) == 0 || rtt[0].value <= 0 {
				return false
			}
			if rtt[0].value > time.Since(start).Seconds()+patience.Seconds() {
				t.Errorf("%s is %v s", name, rtt[0].value)
			}
		}
		return true
	})

	c.brokerDown()
	reports := make(chan kafka.Event, 3)
	for range 3 {
		produce(t, p, message(topic, "hello"), reports)
	}
	eventually(t, "three messages wait, and the connection is not up", func() bool {
		got := c.clientMetrics()
		for _, point := range got["kafka.client.broker.connection.state"] {
			if point.attr("kafka.connection.state") == "up" && point.value != 0 {
				return false
			}
		}
		return the(got["kafka.client.queue.messages"]) == 3 && the(got["kafka.client.queue.bytes"]) == 15
	})
}

// The lag is the broker's end of the partition less the group's committed offset,
// and, while there is none, less the consumer's position.
func TestStatisticsLag(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	batch := make([]*kafka.Message, 10)
	for i := range batch {
		batch[i] = message(topic, strconv.Itoa(i))
	}
	// One batch of the protocol's, which is fetched as a whole: what the client has
	// received must not depend on when it is paused.
	if _, err := c.producer(kafka.ConfigMap{"linger.ms": 500}).SendBatch(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	consumer := c.consumer(topic, kafka.ConfigMap{"client.id": "till"}, withStatistics()...)
	var msgs []*kafka.Message
	for range 4 {
		msgs = append(msgs, read(t, consumer))
	}
	at := topic + "[0]"
	// Paused, so that the polls that the statistics need consume nothing.
	if err := consumer.Pause([]kafka.TopicPartition{{Topic: &topic, Partition: 0}}); err != nil {
		t.Fatal(err)
	}
	c.polled(consumer, "a lag of 6 at position 4 of 10", func(got map[string][]point) bool {
		return byPartition(got["kafka.client.consumer.lag"])[at] == 6
	})
	got := c.clientMetrics()
	if _, ok := byPartition(got["kafka.client.consumer.committed_offset"])[at]; ok {
		t.Error("a committed offset, when nothing is committed")
	}
	if _, err := consumer.CommitMessage(msgs[2]); err != nil {
		t.Fatal(err)
	}
	_, high, err := consumer.QueryWatermarkOffsets(topic, 0, int(patience.Milliseconds()))
	if err != nil {
		t.Fatal(err)
	}
	committed, err := consumer.Committed([]kafka.TopicPartition{{Topic: &topic, Partition: 0}}, int(patience.Milliseconds()))
	if err != nil {
		t.Fatal(err)
	}
	want := float64(high) - float64(committed[0].Offset)
	if want != 7 {
		t.Fatalf("the broker says %v", want)
	}
	c.polled(consumer, "the lag that the broker tells", func(m map[string][]point) bool {
		got = m
		return byPartition(got["kafka.client.consumer.lag"])[at] == want
	})
	for name, want := range map[string]float64{
		"committed_offset": 3, "consumed_offset": 4, "stored_offset": 4, "high_watermark": 10,
	} {
		if v := byPartition(got["kafka.client.consumer."+name]); len(v) != 1 || v[at] != want {
			t.Errorf("%s is %v, want %v", name, v, want)
		}
	}
	if n := the(got["kafka.client.received.messages"]); n != 10 {
		t.Errorf("%v messages received", n)
	}
	if n := the(got["kafka.client.received.bytes"]); n != 10 {
		t.Errorf("%v bytes received", n)
	}
	if n := the(got["kafka.client.consumer.partitions"]); n != 1 {
		t.Errorf("%v partitions", n)
	}
	for name := range got {
		for _, point := range got[name] {
			if point.attr("messaging.consumer.group.name") != "billing" || point.attr("messaging.client.id") != "till" {
				t.Errorf("%s has %s", name, point.attrs.Encoded(attribute.DefaultEncoder()))
			}
		}
	}
}

func TestStatisticsRevokedPartitionsDisappear(t *testing.T) {
	t.Parallel()
	partitions := func(got map[string][]point) []string {
		return slices.Sorted(maps.Keys(byPartition(got["kafka.client.consumer.lag"])))
	}
	t.Run("unassigned", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		topic := c.topic(3)
		consumer := c.consumer("", nil, withStatistics()...)
		tps := []kafka.TopicPartition{{Topic: &topic, Partition: 0, Offset: 0}, {Topic: &topic, Partition: 2, Offset: 0}}
		if err := consumer.IncrementalAssign(tps); err != nil {
			t.Fatal(err)
		}
		zero, two := topic+"[0]", topic+"[2]"
		c.polled(consumer, "both partitions", func(got map[string][]point) bool {
			return slices.Equal(partitions(got), []string{zero, two})
		})
		if err := consumer.IncrementalUnassign(tps[:1]); err != nil {
			t.Fatal(err)
		}
		c.polled(consumer, "partition 2 only", func(got map[string][]point) bool {
			return slices.Equal(partitions(got), []string{two}) && the(got["kafka.client.consumer.partitions"]) == 1
		})
		if err := consumer.Unassign(); err != nil {
			t.Fatal(err)
		}
		c.polled(consumer, "none", func(got map[string][]point) bool {
			return len(partitions(got)) == 0 && the(got["kafka.client.consumer.partitions"]) == 0
		})
	})
	t.Run("revoked", func(t *testing.T) {
		t.Parallel()
		c := newCluster(t)
		topic := c.topic(2)
		consumer := c.consumer("", joining(nil), withStatistics()...)
		if err := consumer.Subscribe(topic, nil); err != nil {
			t.Fatal(err)
		}
		state := func(got map[string][]point) string {
			var are []string
			for _, p := range got["kafka.client.consumer.group.state"] {
				if p.value == 1 {
					are = append(are, p.attr("kafka.group.state"))
				}
			}
			return strings.Join(are, " and ")
		}
		c.polled(consumer, "a steady member with both partitions", func(got map[string][]point) bool {
			return state(got) == "steady" && the(got["kafka.client.consumer.rebalances"]) == 1 && len(partitions(got)) == 2
		})
		if err := consumer.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		c.polled(consumer, "no partitions", func(got map[string][]point) bool {
			return the(got["kafka.client.consumer.rebalances"]) == 2 && len(partitions(got)) == 0 && state(got) == "not_joined"
		})
	})
}

// Also if they have one client.id.
func TestStatisticsOfTwoClients(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	one := c.producer(kafka.ConfigMap{"client.id": "shop"}, withStatistics()...)
	two := c.producer(kafka.ConfigMap{"client.id": "shop"}, withStatistics()...)
	eachReport(t, one, topic, "v", 3)
	eachReport(t, two, topic, "v", 5)
	sent := func() map[string]float64 {
		values := map[string]float64{}
		for _, p := range c.clientMetrics()["kafka.client.sent.messages"] {
			values[p.attr("kafka.client.name")] = p.value
		}
		return values
	}
	eventually(t, "both tell what they sent", func() bool {
		return maps.Equal(sent(), map[string]float64{one.String(): 3, two.String(): 5})
	})
	one.Close()
	if got := sent(); len(got) != 1 || got[two.String()] != 5 {
		t.Errorf("%v after one was closed", got)
	}
}

// documents returns a condition: statistics of the client have come in.
func (c *cluster) documents(client fmt.Stringer) (collected func() bool) {
	return func() bool {
		for _, p := range c.clientMetrics()["kafka.client.statistics.timestamp"] {
			if p.attr("kafka.client.name") == client.String() {
				return true
			}
		}
		return false
	}
}
