package tracing

import (
	"context"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// Producer is what applications call of a producer. [*kafka.Producer] and
// [*TracedProducer] both satisfy it, so that code which accepts it takes either,
// and a fake in tests. Errors are the client's ([kafka.Error]).
type Producer interface {
	Produce(msg *kafka.Message, deliveryChan chan kafka.Event) error
	Events() chan kafka.Event
	Len() int
	Flush(timeoutMs int) int
	Purge(flags int) error
	Close()
	IsClosed() bool
	String() string

	GetMetadata(topic *string, allTopics bool, timeoutMs int) (*kafka.Metadata, error)
	QueryWatermarkOffsets(topic string, partition int32, timeoutMs int) (low, high int64, err error)
	OffsetsForTimes(times []kafka.TopicPartition, timeoutMs int) ([]kafka.TopicPartition, error)
	GetFatalError() error

	InitTransactions(ctx context.Context) error
	BeginTransaction() error
	SendOffsetsToTransaction(ctx context.Context, offsets []kafka.TopicPartition, consumerMetadata *kafka.ConsumerGroupMetadata) error
	CommitTransaction(ctx context.Context) error
	AbortTransaction(ctx context.Context) error
}

// Consumer is what applications call of a consumer. [*kafka.Consumer] and
// [*TracedConsumer] both satisfy it. Errors are the client's ([kafka.Error]).
type Consumer interface {
	Subscribe(topic string, rebalanceCb kafka.RebalanceCb) error
	SubscribeTopics(topics []string, rebalanceCb kafka.RebalanceCb) error
	Unsubscribe() error
	Subscription() ([]string, error)

	Assign(partitions []kafka.TopicPartition) error
	Unassign() error
	IncrementalAssign(partitions []kafka.TopicPartition) error
	IncrementalUnassign(partitions []kafka.TopicPartition) error
	Assignment() ([]kafka.TopicPartition, error)
	AssignmentLost() bool
	GetRebalanceProtocol() string

	Poll(timeoutMs int) kafka.Event
	ReadMessage(timeout time.Duration) (*kafka.Message, error)
	Events() chan kafka.Event

	Commit() ([]kafka.TopicPartition, error)
	CommitMessage(msg *kafka.Message) ([]kafka.TopicPartition, error)
	CommitOffsets(offsets []kafka.TopicPartition) ([]kafka.TopicPartition, error)
	StoreOffsets(offsets []kafka.TopicPartition) ([]kafka.TopicPartition, error)
	StoreMessage(msg *kafka.Message) ([]kafka.TopicPartition, error)
	Committed(partitions []kafka.TopicPartition, timeoutMs int) ([]kafka.TopicPartition, error)
	Position(partitions []kafka.TopicPartition) ([]kafka.TopicPartition, error)
	SeekPartitions(partitions []kafka.TopicPartition) ([]kafka.TopicPartition, error)
	Pause(partitions []kafka.TopicPartition) error
	Resume(partitions []kafka.TopicPartition) error

	GetMetadata(topic *string, allTopics bool, timeoutMs int) (*kafka.Metadata, error)
	QueryWatermarkOffsets(topic string, partition int32, timeoutMs int) (low, high int64, err error)
	OffsetsForTimes(times []kafka.TopicPartition, timeoutMs int) ([]kafka.TopicPartition, error)
	GetConsumerGroupMetadata() (*kafka.ConsumerGroupMetadata, error)

	Close() error
	IsClosed() bool
	String() string
}
