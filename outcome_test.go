package tracing_test

import (
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// Messages of a burst are counted together, and yet none is missing once the
// application knows of the last one.
func TestSentMessagesAreCountedBeforeTheLastReport(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	p := c.producer(nil)
	topics := []string{c.topic(1), c.topic(1)}
	const n = 500
	reports := make(chan kafka.Event, n)
	for i := range n {
		produce(t, p, message(topics[i/7%2], "v"), reports)
	}
	for range n {
		report(t, reports)
	}
	if _, sent := c.publishMetrics(); sent[""] != n {
		t.Errorf("%d messages counted, not %d", sent[""], n)
	}
	produce(t, p, message(topics[0], "v"), reports)
	report(t, reports)
	if _, sent := c.publishMetrics(); sent[""] != n+1 {
		t.Errorf("%d messages counted, not %d", sent[""], n+1)
	}
}

func TestSentMessagesAreCountedWhileNobodyReads(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	p := c.producer(nil)
	topic := c.topic(1)
	unread := make(chan kafka.Event)
	for range 5 {
		produce(t, p, message(topic, "v"), unread)
	}
	eventually(t, "the forwarder waits with the first report", func() bool {
		_, sent := c.publishMetrics()
		return sent[""] == 1
	})
	for range 5 {
		report(t, unread)
	}
	if _, sent := c.publishMetrics(); sent[""] != 5 {
		t.Errorf("%d messages counted, not 5", sent[""])
	}
}
