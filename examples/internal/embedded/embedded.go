// Package embedded runs a Kafka broker within an example, so that it can be tried
// without any.
package embedded

import (
	"errors"
	"fmt"
	"net"
	"strconv"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// Start starts librdkafka's mock cluster with topics, and returns its bootstrap
// servers and what ends it.
//
// It does so through the configuration of a client, because the clusters of
// kafka.NewMockCluster write a warning to stderr that no setting prevents, and
// take a second now and then to create a topic; here a topic comes into being
// when a client asks for it.
func Start(topics ...string) (bootstrap string, stop func(), err error) {
	host, err := kafka.NewProducer(&kafka.ConfigMap{"test.mock.num.brokers": 1, "log_level": 2})
	if err != nil {
		return "", nil, fmt.Errorf("embedded broker: %w", err)
	}
	for _, topic := range topics {
		metadata, err := host.GetMetadata(&topic, false, 5000)
		if err == nil && len(metadata.Brokers) == 0 {
			err = errors.New("it has no address")
		}
		if err != nil {
			host.Close()
			return "", nil, fmt.Errorf("embedded broker: %w", err)
		}
		broker := metadata.Brokers[0]
		bootstrap = net.JoinHostPort(broker.Host, strconv.Itoa(broker.Port))
	}
	return bootstrap, host.Close, nil
}
