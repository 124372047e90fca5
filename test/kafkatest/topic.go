package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// CreateTopics creates topics and returns when the broker that answers knows them. A topic that exists is left alone.
// Replication 0 means the broker's default.
func CreateTopics(ctx context.Context, bootstrap string, partitions, replication int, names ...string) error {
	admin, err := kafka.NewAdminClient(&kafka.ConfigMap{"bootstrap.servers": bootstrap})
	if err != nil {
		return err
	}
	defer admin.Close()

	if replication == 0 {
		replication = -1 // Kafka's way to say it.
	}
	specs := make([]kafka.TopicSpecification, len(names))
	for i, name := range names {
		specs[i] = kafka.TopicSpecification{Topic: name, NumPartitions: partitions, ReplicationFactor: replication}
	}
	results, err := admin.CreateTopics(ctx, specs, kafka.SetAdminOperationTimeout(30*time.Second))
	if err != nil {
		return fmt.Errorf("create topics %v: %w", names, err)
	}
	for _, result := range results {
		if code := result.Error.Code(); code != kafka.ErrNoError && code != kafka.ErrTopicAlreadyExists {
			err = errors.Join(err, fmt.Errorf("create topic %s: %w", result.Topic, result.Error))
		}
	}
	return err
}

var topics atomic.Int64

// NewTopic creates a topic for this test alone and returns its name, which says the test and the time. It fails the
// test when it cannot. The topic is not deleted: the broker goes with the test process.
func NewTopic(t testing.TB, bootstrap string, partitions int) string {
	t.Helper()
	test := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '-'
	}, t.Name())
	// A broker that is kept between runs (KAFKA_BOOTSTRAP_SERVERS) must not serve the last run's messages.
	name := fmt.Sprintf("%.200s-%x-%d", test, time.Now().UnixNano(), topics.Add(1))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := CreateTopics(ctx, bootstrap, partitions, 0, name); err != nil {
		t.Fatal(err)
	}
	return name
}
