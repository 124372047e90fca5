package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing/test/kafkatest"
)

// broker is the Kafka that the messages go through.
type broker struct {
	bootstrap string
	admin     *kafka.AdminClient
	cluster   *kafkatest.Cluster // nil if it is not ours.
}

func openBroker(ctx context.Context) (*broker, error) {
	b := &broker{bootstrap: os.Getenv("KAFKA_BOOTSTRAP_SERVERS")}
	var err error
	if b.bootstrap == "" {
		// Read messages are deleted soon, or ten million of them fill the disk.
		b.cluster, err = kafkatest.Start(ctx, kafkatest.Config{Properties: map[string]string{"log.retention.check.interval.ms": "5000"}})
		if err != nil {
			return nil, err
		}
		b.bootstrap = b.cluster.Bootstrap()
	}
	if b.admin, err = kafka.NewAdminClient(&kafka.ConfigMap{"bootstrap.servers": b.bootstrap}); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// createTopic makes a topic that keeps the last 64 MiB of each partition: far more than may be in flight.
func (b *broker) createTopic(ctx context.Context, partitions int) (string, error) {
	name := fmt.Sprintf("soak-%x", time.Now().UnixNano())
	results, err := b.admin.CreateTopics(ctx, []kafka.TopicSpecification{{
		Topic: name, NumPartitions: partitions, ReplicationFactor: -1, // The broker's default.
		Config: map[string]string{
			"retention.bytes": "67108864", "segment.bytes": "16777216", "file.delete.delay.ms": "1000",
		},
	}}, kafka.SetAdminOperationTimeout(30*time.Second))
	return name, topicError(results, err)
}

func (b *broker) deleteTopic(ctx context.Context, name string) error {
	return topicError(b.admin.DeleteTopics(ctx, []string{name}, kafka.SetAdminOperationTimeout(30*time.Second)))
}

func topicError(results []kafka.TopicResult, err error) error {
	for _, result := range results {
		if result.Error.Code() != kafka.ErrNoError {
			err = errors.Join(err, fmt.Errorf("topic %s: %w", result.Topic, result.Error))
		}
	}
	return err
}

func (b *broker) close() error {
	if b.admin != nil {
		b.admin.Close()
	}
	if b.cluster == nil {
		return nil
	}
	return b.cluster.Close()
}
