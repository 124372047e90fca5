package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

const connectTimeout = 5 * time.Second

// cluster is where the services meet.
type cluster struct {
	description       string
	bootstrap         string
	orders, shipments string // topics
	prefix            string // of consumer groups
	groupProtocol     string
	close             func()
}

// connect returns the cluster at brokers, its topics created if they are
// missing, or if brokers is empty one that runs in this process.
func connect(ctx context.Context, brokers string) (*cluster, error) {
	if brokers == "" {
		return embed()
	}
	// Names of its own: an existing broker may have other uses for "orders".
	at := &cluster{
		description:   brokers,
		bootstrap:     brokers,
		orders:        "demo-orders",
		shipments:     "demo-shipments",
		prefix:        "demo-",
		groupProtocol: "classic", // known to every broker
		close:         func() {},
	}
	admin, err := kafka.NewAdminClient(&kafka.ConfigMap{"bootstrap.servers": brokers, "log_level": logLevel})
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	metadata, err := admin.GetMetadata(nil, true, int(connectTimeout.Milliseconds()))
	if err != nil {
		return nil, fmt.Errorf("no Kafka broker answers at %s within %s: %w", brokers, connectTimeout, err)
	}
	var missing []kafka.TopicSpecification
	for _, topic := range []string{at.orders, at.shipments} {
		if _, ok := metadata.Topics[topic]; !ok {
			missing = append(missing, kafka.TopicSpecification{Topic: topic, NumPartitions: 3, ReplicationFactor: -1})
		}
	}
	if len(missing) == 0 {
		return at, nil
	}
	results, err := admin.CreateTopics(ctx, missing, kafka.SetAdminOperationTimeout(connectTimeout))
	if err != nil {
		return nil, fmt.Errorf("creating topics at %s: %w", brokers, err)
	}
	for _, result := range results {
		if code := result.Error.Code(); code != kafka.ErrNoError && code != kafka.ErrTopicAlreadyExists {
			return nil, fmt.Errorf("creating topic %s at %s: %w", result.Topic, brokers, result.Error)
		}
	}
	return at, nil
}

// embed starts librdkafka's mock cluster. It does so through the configuration
// of a client, because the clusters of kafka.NewMockCluster write a warning to
// stderr that no setting prevents, and take a second now and then to create a
// topic; here a topic comes into being when a client asks for it.
func embed() (*cluster, error) {
	host, err := kafka.NewProducer(&kafka.ConfigMap{"test.mock.num.brokers": 1, "log_level": logLevel})
	if err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	at := &cluster{
		orders:        "orders",
		shipments:     "shipments",
		groupProtocol: "consumer", // joins in milliseconds, the classic one takes seconds here
		close:         host.Close,
	}
	for _, topic := range []string{at.orders, at.shipments} {
		metadata, err := host.GetMetadata(&topic, false, int(connectTimeout.Milliseconds()))
		if err == nil && len(metadata.Brokers) == 0 {
			err = errors.New("it has no address")
		}
		if err != nil {
			host.Close()
			return nil, fmt.Errorf("embedded broker: %w", err)
		}
		broker := metadata.Brokers[0]
		at.bootstrap = net.JoinHostPort(broker.Host, strconv.Itoa(broker.Port))
	}
	at.description = "a broker within this program (" + at.bootstrap + ")"
	return at, nil
}
