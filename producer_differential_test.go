package tracing_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing"
)

// script is what an application does with a producer, raw or traced alike.
type script struct {
	conf kafka.ConfigMap
	run  func(*observer)
}

// observer runs a script and writes down what the application sees.
type observer struct {
	*cluster
	p        channelClient
	topic    string
	channels []chan kafka.Event // delivery channels of the application's
	log      []string
}

func (o *observer) note(format string, args ...any) {
	o.log = append(o.log, fmt.Sprintf(format, args...))
}

// produce produces a message to channel i, or to Events() if i is negative.
func (o *observer) produce(msg *kafka.Message, i int) {
	var to chan kafka.Event
	if i >= 0 {
		to = o.channels[i]
	}
	o.note("produce: %v", o.p.Produce(msg, to))
}

// reports notes the next n reports on channel i, or on Events().
func (o *observer) reports(i, n int) {
	from := o.p.Events()
	if i >= 0 {
		from = o.channels[i]
	}
	for range n {
		msg := nextReport(o.t, from)
		tp := msg.TopicPartition
		o.note("channel %d: %v[%d]@%v %v %#v %#v %v %v %v", i, *tp.Topic == o.topic, tp.Partition, tp.Offset, tp.Error,
			msg.Key, msg.Value, msg.Opaque, msg.Headers, msg.Timestamp.IsZero())
	}
}

func (o *observer) message(n int) *kafka.Message {
	msg := message(o.topic, fmt.Sprint("value ", n))
	msg.Key = []byte(fmt.Sprint("key ", n))
	msg.Opaque = n
	return msg
}

var scripts = map[string]script{
	"channels and Events()": {run: func(o *observer) {
		for n := range 300 {
			o.produce(o.message(n), n%3-1)
		}
		for i := range 3 {
			o.reports(i-1, 100)
		}
	}},
	"reports off": {conf: kafka.ConfigMap{"go.delivery.reports": false}, run: func(o *observer) {
		for n := range 10 {
			o.produce(o.message(n), 0)
		}
		o.reports(0, 10)
		for n := range 10 {
			o.produce(o.message(n), -1)
		}
		o.note("flush: %d", o.p.Flush(20_000))
		o.note("events: %d", len(o.p.Events()))
	}},
	"report fields": {conf: kafka.ConfigMap{"go.delivery.report.fields": "none"}, run: func(o *observer) {
		o.produce(o.message(1), 0)
		o.reports(0, 1)
	}},
	"refused": {conf: kafka.ConfigMap{"queue.buffering.max.messages": 1, "linger.ms": 10_000}, run: func(o *observer) {
		empty := ""
		if _, err := o.p.GetMetadata(&o.topic, false, 20_000); err != nil { // partitions are checked once they are known
			o.t.Error(err)
		}
		o.produce(nil, 0)
		o.produce(&kafka.Message{}, 0)
		o.produce(&kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &empty}}, 0)
		o.produce(&kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &o.topic, Partition: -7}}, 0)
		large := o.message(0)
		large.Value = make([]byte, 2_000_000)
		o.produce(large, 0)
		o.produce(o.message(1), 0)
		o.produce(o.message(2), 0)
		o.note("purge: %v", o.p.Purge(kafka.PurgeQueue))
		o.reports(0, 1)
		o.note("purge: %v", o.p.Purge(1234))
	}},
	"unread Events() are outstanding": {run: func(o *observer) {
		for n := range 5 {
			o.produce(o.message(n), -1)
		}
		// The client's Flush polls beside its poller and may change their order.
		eventually(o.t, "all are reported", func() bool { return len(o.p.Events()) == 5 })
		o.note("flush: %d", o.p.Flush(500))
		o.note("len: %d", o.p.Len())
		o.reports(-1, 5)
		o.note("flush: %d", o.p.Flush(20_000))
		o.note("len: %d", o.p.Len())
	}},
	"timed out": {conf: kafka.ConfigMap{"message.timeout.ms": 50}, run: func(o *observer) {
		o.brokerDown()
		for n := range 4 {
			o.produce(o.message(n), n%2-1)
		}
		o.reports(-1, 2)
		o.reports(0, 2)
	}},
	"produce channel": {run: func(o *observer) {
		for n := range 50 {
			o.p.ProduceChannel() <- o.message(n)
		}
		o.reports(-1, 50)
		o.p.ProduceChannel() <- &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &o.topic, Partition: -7}}
		o.reports(-1, 1)
	}},
	"batch producer": {conf: kafka.ConfigMap{"go.batch.producer": true}, run: func(o *observer) {
		for n := range 50 {
			o.p.ProduceChannel() <- o.message(n)
		}
		o.reports(-1, 50)
	}},
	"closed": {run: func(o *observer) {
		o.note("closed: %v", o.p.IsClosed())
		o.produce(o.message(1), 0)
		o.reports(0, 1)
		o.p.Close()
		o.note("closed: %v", o.p.IsClosed())
		o.produce(o.message(2), 0)
		o.produce(nil, 0)
		o.note("purge: %v", o.p.Purge(kafka.PurgeQueue))
		o.note("fatal: %v", o.p.GetFatalError())
		_, open := <-o.p.Events()
		o.note("events open: %v", open)
		_, open = <-o.p.ProduceChannel()
		o.note("produce channel open: %v", open)
		o.p.Close()
	}},
}

// TestProducerBehavesAsTheRawClient runs each script with the raw client and with
// producers made in every way, and compares what the application saw.
func TestProducerBehavesAsTheRawClient(t *testing.T) {
	t.Parallel()
	makers := map[string]func(*cluster, kafka.ConfigMap) channelClient{
		"traced": func(c *cluster, kv kafka.ConfigMap) channelClient { return c.producer(kv) },
		"filtered": func(c *cluster, kv kafka.ConfigMap) channelClient {
			return c.producer(kv, tracing.WithFilter(func(*kafka.Message) bool { return false }))
		},
		"without tracing": func(c *cluster, kv kafka.ConfigMap) channelClient { return c.producer(kv, tracing.WithoutTracing()) },
		"off":             func(c *cluster, kv kafka.ConfigMap) channelClient { return c.producer(kv, off...) },
		"wrapped": func(c *cluster, kv kafka.ConfigMap) channelClient {
			p := tracing.WrapProducer(c.rawProducer(kv), c.options(
				tracing.WithDeliveryReports(kv["go.delivery.reports"] != false),
				tracing.WithBatchProducer(kv["go.batch.producer"] == true))...)
			c.t.Cleanup(p.Close)
			return p
		},
	}
	for name, s := range scripts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			observe := func(mode string, maker func(*cluster, kafka.ConfigMap) channelClient) (log []string) {
				t.Run(mode, func(t *testing.T) {
					c := newCluster(t)
					o := &observer{cluster: c, topic: c.topic(1), p: maker(c, s.conf)}
					o.channels = []chan kafka.Event{make(chan kafka.Event, 1000), make(chan kafka.Event, 1000)}
					s.run(o)
					if extra := len(o.channels[0]) + len(o.channels[1]); extra != 0 {
						o.note("%d more reports", extra)
					}
					log = o.log
				})
				return log
			}
			want := observe("raw", func(c *cluster, kv kafka.ConfigMap) channelClient { return c.rawProducer(kv) })
			for mode, maker := range makers {
				got := observe(mode, maker)
				if i := firstDifference(got, want); i >= 0 {
					t.Errorf("%s differs from the raw client:\n  got  %v\n  want %v", mode, got[i:min(i+3, len(got))], want[i:min(i+3, len(want))])
				}
			}
		})
	}
}

// firstDifference returns the index of the first difference, -1 if there is none.
func firstDifference(a, b []string) int {
	if slices.Equal(a, b) {
		return -1
	}
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
