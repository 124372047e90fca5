//go:build integration

package e2e

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// The functions here look at Kafka with the raw client.

// clientConfig is a client configuration; kv overrides and adds.
func clientConfig(bootstrap string, kv kafka.ConfigMap) *kafka.ConfigMap {
	conf := kafka.ConfigMap{"bootstrap.servers": bootstrap, "log_level": 0, "enable.metrics.push": false}
	maps.Copy(conf, kv)
	return &conf
}

// message is a message for partition 0 of topic.
func message(topic, value string) *kafka.Message {
	return &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: 0}, Value: []byte(value)}
}

// rawProducer makes a producer of the client itself, closed at the end of the test.
func rawProducer(t *testing.T, bootstrap string, kv kafka.ConfigMap) *kafka.Producer {
	t.Helper()
	p, err := kafka.NewProducer(clientConfig(bootstrap, kv))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// rawConsumer makes a consumer of the client itself, closed at the end of the test.
func rawConsumer(t *testing.T, bootstrap string, kv kafka.ConfigMap) *kafka.Consumer {
	t.Helper()
	conf := clientConfig(bootstrap, kafka.ConfigMap{"auto.offset.reset": "earliest"})
	maps.Copy(*conf, kv)
	c, err := kafka.NewConsumer(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// produce produces with the raw client and waits until the broker has all messages.
func produce(t *testing.T, bootstrap string, msgs ...*kafka.Message) {
	t.Helper()
	p, err := kafka.NewProducer(clientConfig(bootstrap, kafka.ConfigMap{"linger.ms": 5}))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	reports := make(chan kafka.Event, len(msgs))
	for _, msg := range msgs {
		if err := p.Produce(msg, reports); err != nil {
			t.Fatal(err)
		}
	}
	for range msgs {
		select {
		case report := <-reports:
			if err := report.(*kafka.Message).TopicPartition.Error; err != nil {
				t.Fatal(err)
			}
		case <-time.After(patience):
			t.Fatal("no delivery report")
		}
	}
}

// partitionsOf returns how many partitions a topic has. A broker may need a moment to know a new one.
func partitionsOf(t *testing.T, c *kafka.Consumer, topic string) int {
	t.Helper()
	n := 0
	eventually(t, "the partitions of "+topic, func() bool {
		metadata, err := c.GetMetadata(&topic, false, int(patience.Milliseconds()))
		if err != nil {
			t.Fatal(err)
		}
		n = len(metadata.Topics[topic].Partitions)
		return n > 0
	})
	return n
}

// messagesOf reads all that the topic has, partition by partition and in the order of offsets: with isolation
// read_committed what is not in a transaction that was aborted or is open, with read_uncommitted all.
func messagesOf(t *testing.T, bootstrap, topic, isolation string) []*kafka.Message {
	t.Helper()
	c := rawConsumer(t, bootstrap, kafka.ConfigMap{
		"group.id": "reader", "enable.auto.commit": false, "enable.partition.eof": true, "isolation.level": isolation,
	})
	var partitions []kafka.TopicPartition
	for i := range partitionsOf(t, c, topic) {
		partitions = append(partitions, kafka.TopicPartition{Topic: &topic, Partition: int32(i), Offset: kafka.OffsetBeginning})
	}
	if err := c.Assign(partitions); err != nil {
		t.Fatal(err)
	}
	var msgs []*kafka.Message
	ended := map[int32]bool{}
	for deadline := time.Now().Add(patience); len(ended) < len(partitions); {
		if time.Now().After(deadline) {
			t.Fatalf("the ends of %d partitions of %s, but only of %v", len(partitions), topic, ended)
		}
		switch e := c.Poll(100).(type) {
		case *kafka.Message:
			if e.TopicPartition.Error != nil {
				t.Fatal(e.TopicPartition.Error)
			}
			msgs = append(msgs, e)
		case kafka.PartitionEOF:
			ended[e.Partition] = true
		}
	}
	slices.SortStableFunc(msgs, func(a, b *kafka.Message) int { return int(a.TopicPartition.Partition - b.TopicPartition.Partition) })
	return msgs
}

// header returns the values of a header.
func header(msg *kafka.Message, key string) []string {
	var values []string
	for _, h := range msg.Headers {
		if h.Key == key {
			values = append(values, string(h.Value))
		}
	}
	return values
}

// contextOf returns the context in a message's headers.
func contextOf(t *testing.T, msg *kafka.Message) trace.SpanContext {
	t.Helper()
	carrier := propagation.MapCarrier{}
	for _, h := range msg.Headers {
		carrier[h.Key] = string(h.Value)
	}
	sc := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
	if !sc.IsValid() || len(header(msg, "traceparent")) != 1 {
		t.Fatalf("message %v has the headers %v", msg, msg.Headers)
	}
	return sc
}

// committed reads what groups have committed.
type committed struct {
	t     *testing.T
	c     *kafka.Consumer
	topic string
	tps   []kafka.TopicPartition
}

func newCommitted(t *testing.T, bootstrap, group, topic string) *committed {
	t.Helper()
	c := rawConsumer(t, bootstrap, kafka.ConfigMap{"group.id": group})
	r := &committed{t: t, c: c, topic: topic}
	for i := range partitionsOf(t, c, topic) {
		r.tps = append(r.tps, kafka.TopicPartition{Topic: &topic, Partition: int32(i)})
	}
	return r
}

// offsets returns for each partition the offset at which the group goes on, 0 where it has committed none.
func (r *committed) offsets() []int64 {
	r.t.Helper()
	var tps []kafka.TopicPartition
	r.insist(func() (err error) {
		tps, err = r.c.Committed(r.tps, int(patience.Milliseconds()))
		return err
	})
	offsets := make([]int64, len(tps))
	for _, tp := range tps {
		if tp.Error != nil {
			r.t.Fatal(tp.Error)
		}
		offsets[tp.Partition] = max(0, int64(tp.Offset))
	}
	return offsets
}

// ends returns for each partition the offset after its last message.
func (r *committed) ends() []int64 {
	r.t.Helper()
	offsets := make([]int64, len(r.tps))
	for i := range offsets {
		r.insist(func() (err error) {
			_, offsets[i], err = r.c.QueryWatermarkOffsets(r.topic, int32(i), int(patience.Milliseconds()))
			return err
		})
	}
	return offsets
}

// insist repeats a question until it is answered: a broker may need a moment to become the leader of a new topic's
// partition, and the coordinator of its first group.
func (r *committed) insist(ask func() error) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		err := ask()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatal(err)
		}
	}
}
