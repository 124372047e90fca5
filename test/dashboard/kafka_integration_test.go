//go:build integration

package dashboard

import (
	"maps"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing/test/kafkatest"
)

// The functions here look at Kafka with the raw client.

// clientConfig is a client configuration; kv adds.
func clientConfig(bootstrap string, kv kafka.ConfigMap) *kafka.ConfigMap {
	conf := kafka.ConfigMap{"bootstrap.servers": bootstrap, "log_level": 0, "enable.metrics.push": false}
	maps.Copy(conf, kv)
	return &conf
}

// newSmallTopic makes a topic whose broker refuses all but tiny messages.
func newSmallTopic(t *testing.T, bootstrap, maxBytes string) string {
	t.Helper()
	name := kafkatest.NewTopic(t, bootstrap, 1) + "-small"
	admin, err := kafka.NewAdminClient(clientConfig(bootstrap, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	results, err := admin.CreateTopics(t.Context(), []kafka.TopicSpecification{{
		Topic: name, NumPartitions: 1, ReplicationFactor: 1, Config: map[string]string{"max.message.bytes": maxBytes},
	}}, kafka.SetAdminOperationTimeout(patience))
	if err != nil || results[0].Error.Code() != kafka.ErrNoError {
		t.Fatal(err, results)
	}
	return name
}

// produceRaw sends a message to a partition with the raw client and waits for its report.
func produceRaw(t *testing.T, p *kafka.Producer, topic string, partition int32, value string) {
	t.Helper()
	reports := make(chan kafka.Event, 1)
	err := p.Produce(&kafka.Message{
		TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: partition}, Value: []byte(value),
	}, reports)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case report := <-reports:
		if err := report.(*kafka.Message).TopicPartition.Error; err != nil {
			t.Fatal(err)
		}
	case <-time.After(patience):
		t.Fatal("no delivery report")
	}
}

// broker says what the broker knows of a topic and a group.
type broker struct {
	c     *kafka.Consumer
	topic string
	tps   []kafka.TopicPartition
}

func newBroker(t *testing.T, bootstrap, group, topic string, partitions int) *broker {
	t.Helper()
	c, err := kafka.NewConsumer(clientConfig(bootstrap, kafka.ConfigMap{"group.id": group}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	b := &broker{c: c, topic: topic}
	for i := range partitions {
		b.tps = append(b.tps, kafka.TopicPartition{Topic: &topic, Partition: int32(i)})
	}
	return b
}

// ends returns for each partition the offset after its last message.
func (b *broker) ends() ([]int64, error) {
	offsets := make([]int64, len(b.tps))
	for i := range offsets {
		_, high, err := b.c.QueryWatermarkOffsets(b.topic, int32(i), int(patience.Milliseconds()))
		if err != nil {
			return nil, err
		}
		offsets[i] = high
	}
	return offsets, nil
}

// committed returns for each partition the offset at which the group goes on, 0 where it has committed none.
func (b *broker) committed() ([]int64, error) {
	tps, err := b.c.Committed(b.tps, int(patience.Milliseconds()))
	if err != nil {
		return nil, err
	}
	offsets := make([]int64, len(tps))
	for i, tp := range tps {
		if tp.Error != nil {
			return nil, tp.Error
		}
		offsets[i] = max(0, int64(tp.Offset))
	}
	return offsets, nil
}

func sum(offsets []int64) (n int64) {
	for _, offset := range offsets {
		n += offset
	}
	return n
}
