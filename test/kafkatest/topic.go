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
	specs := make([]kafka.TopicSpecification, len(names))
	for i, name := range names {
		specs[i] = kafka.TopicSpecification{Topic: name, NumPartitions: partitions, ReplicationFactor: replication}
	}
	return createTopics(ctx, bootstrap, specs...)
}

func createTopics(ctx context.Context, bootstrap string, specs ...kafka.TopicSpecification) error {
	for i := range specs {
		if specs[i].ReplicationFactor == 0 && specs[i].ReplicaAssignment == nil {
			specs[i].ReplicationFactor = -1 // Kafka's way to say it.
		}
	}
	return administer(bootstrap, func(admin *kafka.AdminClient) error {
		results, err := admin.CreateTopics(ctx, specs, kafka.SetAdminOperationTimeout(30*time.Second))
		return failures("create", results, err, kafka.ErrTopicAlreadyExists)
	})
}

// DeleteTopics deletes topics and returns when the broker that answers no longer knows them.
func DeleteTopics(ctx context.Context, bootstrap string, names ...string) error {
	return administer(bootstrap, func(admin *kafka.AdminClient) error {
		results, err := admin.DeleteTopics(ctx, names, kafka.SetAdminOperationTimeout(30*time.Second))
		return failures("delete", results, err, kafka.ErrNoError)
	})
}

// Leader returns the id of the broker that leads a partition.
func Leader(ctx context.Context, bootstrap, topic string, partition int) (id int, err error) {
	err = administer(bootstrap, func(admin *kafka.AdminClient) error {
		described, err := admin.DescribeTopics(ctx, kafka.NewTopicCollectionOfTopicNames([]string{topic}))
		if err != nil {
			return err
		}
		for _, p := range described.TopicDescriptions[0].Partitions {
			if p.Partition == partition && p.Leader != nil {
				id = p.Leader.ID
				return nil
			}
		}
		return fmt.Errorf("%s[%d] has no leader: %w", topic, partition, described.TopicDescriptions[0].Error)
	})
	return id, err
}

func administer(bootstrap string, do func(*kafka.AdminClient) error) error {
	admin, err := kafka.NewAdminClient(&kafka.ConfigMap{"bootstrap.servers": bootstrap, "log_level": 0})
	if err != nil {
		return err
	}
	defer admin.Close()
	return do(admin)
}

// failures joins what went wrong with topics, other than fine.
func failures(what string, results []kafka.TopicResult, err error, fine kafka.ErrorCode) error {
	if err != nil {
		return fmt.Errorf("%s topics: %w", what, err)
	}
	for _, result := range results {
		if code := result.Error.Code(); code != kafka.ErrNoError && code != fine {
			err = errors.Join(err, fmt.Errorf("%s topic %s: %w", what, result.Topic, result.Error))
		}
	}
	return err
}

var topics atomic.Int64

// NewTopic creates a topic for this test alone and returns its name, which says the test and the time. It fails the
// test when it cannot. The topic is not deleted: the broker goes with the test process.
func NewTopic(t testing.TB, bootstrap string, partitions int) string {
	t.Helper()
	return NewTopicOf(t, bootstrap, kafka.TopicSpecification{NumPartitions: partitions})
}

// NewTopicOf is NewTopic for a topic that is as specified, but for its name.
func NewTopicOf(t testing.TB, bootstrap string, spec kafka.TopicSpecification) string {
	t.Helper()
	test := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '-'
	}, t.Name())
	// A broker that is kept between runs (KAFKA_BOOTSTRAP_SERVERS) must not serve the last run's messages.
	spec.Topic = fmt.Sprintf("%.200s-%x-%d", test, time.Now().UnixNano(), topics.Add(1))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := createTopics(ctx, bootstrap, spec); err != nil {
		t.Fatal(err)
	}
	return spec.Topic
}
