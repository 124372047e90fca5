package tracing_test

import (
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// Once all is reported nothing is outstanding, however often it is asked for.
func TestProducerRule09NothingOutstandingAfterUse(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	p := c.producer(nil)
	p.ProduceChannel() <- message(c.topic(1), "v")
	nextReport(t, p.Events())
	eventually(t, "nothing is outstanding", func() bool { return p.Len() == 0 })
	for range 1000 {
		if n, left := p.Len(), p.Flush(0); n != 0 || left != 0 {
			t.Fatalf("Len is %d and Flush returned %d, with nothing outstanding", n, left)
		}
	}
}

// With the raw client Flush is as ever after that, and Close panics.
func TestProducerRule09TheApplicationClosesTheChannel(t *testing.T) {
	t.Parallel()
	for name, flush := range map[string]bool{"Flush, Close": true, "Close": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			p := c.producer(nil)
			p.ProduceChannel() <- message(c.topic(1), "v")
			close(p.ProduceChannel())
			if flush {
				nextReport(t, p.Events())
				returns(t, "Flush", func() {
					if left := p.Flush(int(patience.Milliseconds())); left != 0 {
						t.Errorf("Flush returned %d", left)
					}
				})
			}
			returns(t, "Close", p.Close)
		})
	}
}

// What is in the channel is produced before the client is closed, as the client
// itself does: it is not given back.
func TestProducerRule09CloseProducesWhatIsInTheChannel(t *testing.T) {
	t.Parallel()
	for name, conf := range map[string]kafka.ConfigMap{"": nil, "batch": {"go.batch.producer": true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			p := c.producer(conf)
			topic := c.topic(1)
			const n = 500
			for range n {
				p.ProduceChannel() <- message(topic, "v")
			}
			p.Close()
			for event := range p.Events() {
				if msg, ok := event.(*kafka.Message); ok && msg.TopicPartition.Error != nil {
					t.Fatalf("a message came back: %v", msg.TopicPartition.Error)
				}
			}
			if spans := c.ended("kafka.publish"); len(spans) != n {
				t.Errorf("%d messages were handed to the client, not %d", len(spans), n)
			}
		})
	}
}
