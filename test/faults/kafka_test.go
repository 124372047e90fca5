//go:build integration

package faults

import (
	"strconv"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// The functions here look at Kafka with the raw client.

// record is a message that Kafka has.
type record struct {
	position
	number int
}

// stored returns what a topic has, the records of a partition in the order of their offsets. With the isolation
// read_committed what is in transactions that are open or were aborted is left out.
func stored(t *testing.T, bootstrap, topic string, partitions int, isolation string) []record {
	t.Helper()
	c := rawClient().consumer(t, clientConfig(bootstrap, kafka.ConfigMap{
		"group.id": "reader", "enable.auto.commit": false, "enable.partition.eof": true, "isolation.level": isolation,
		"fetch.wait.max.ms": 10,
	}))
	defer func() { _ = c.Close() }()
	var assignment []kafka.TopicPartition
	for i := range partitions {
		assignment = append(assignment, kafka.TopicPartition{Topic: &topic, Partition: int32(i), Offset: 0})
	}
	if err := c.Assign(assignment); err != nil {
		t.Fatal(err)
	}
	var records []record
	ended := map[int32]bool{}
	for deadline := time.Now().Add(patience); len(ended) < partitions; {
		if time.Now().After(deadline) {
			t.Fatalf("the ends of %d partitions of %s, but only of %v", partitions, topic, ended)
		}
		switch e := c.Poll(100).(type) {
		case *kafka.Message:
			number, err := strconv.Atoi(string(e.Key))
			if err != nil {
				t.Fatal(err)
			}
			records = append(records, record{position{e.TopicPartition.Partition, e.TopicPartition.Offset}, number})
		case kafka.PartitionEOF:
			ended[e.Partition] = true
		}
	}
	return records
}

// lastStable returns the offset at which the first open transaction of partition 0 begins, or where the partition ends.
func lastStable(t *testing.T, bootstrap, topic string) int64 {
	t.Helper()
	c := rawClient().consumer(t, clientConfig(bootstrap, kafka.ConfigMap{"group.id": "reader", "isolation.level": "read_committed"}))
	defer func() { _ = c.Close() }()
	_, offset, err := c.QueryWatermarkOffsets(topic, 0, int(patience.Milliseconds()))
	if err != nil {
		t.Fatal(err)
	}
	return offset
}
