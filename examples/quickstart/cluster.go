package main

import (
	"context"
	"fmt"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing/examples/internal/embedded"
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

// embed starts a broker within this program.
func embed() (*cluster, error) {
	const orders, shipments = "orders", "shipments"
	bootstrap, stop, err := embedded.Start(orders, shipments)
	if err != nil {
		return nil, err
	}
	return &cluster{
		description:   "a broker within this program (" + bootstrap + ")",
		bootstrap:     bootstrap,
		orders:        orders,
		shipments:     shipments,
		groupProtocol: "consumer", // joins in milliseconds, the classic one takes seconds here
		close:         stop,
	}, nil
}
