//go:build integration

package e2e

import (
	"context"
	"sync"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing/test/kafkatest"
)

// impatient is a broker that takes a member of a group for dead after a second.
var impatient impatientCluster

type impatientCluster struct {
	mu      sync.Mutex
	cluster *kafkatest.Cluster
	err     error
}

func (c *impatientCluster) bootstrap(t *testing.T) string {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cluster == nil && c.err == nil {
		// Not the test's context: the broker outlives it.
		c.cluster, c.err = kafkatest.Start(context.Background(), kafkatest.Config{Properties: map[string]string{
			"group.min.session.timeout.ms":             "500",
			"group.consumer.min.session.timeout.ms":    "500",
			"group.consumer.session.timeout.ms":        "1000",
			"group.consumer.min.heartbeat.interval.ms": "50",
			"group.consumer.heartbeat.interval.ms":     "100",
		}})
	}
	if c.err != nil {
		t.Fatal(c.err)
	}
	return c.cluster.Bootstrap()
}

func (c *impatientCluster) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cluster == nil {
		return nil
	}
	return c.cluster.Close()
}

// Group protocols, as the client names them.
const (
	classic = "classic"
	kip848  = "consumer"
)

// memberConfig is the configuration of a member of a group for the impatient broker.
func memberConfig(bootstrap, group, protocol string) kafka.ConfigMap {
	conf := *clientConfig(bootstrap, kafka.ConfigMap{
		"group.id":                 group,
		"group.protocol":           protocol,
		"auto.offset.reset":        "earliest",
		"enable.auto.offset.store": false,
		"auto.commit.interval.ms":  10,
		"fetch.wait.max.ms":        50,
	})
	if protocol == classic {
		conf["session.timeout.ms"] = 1000
		conf["heartbeat.interval.ms"] = 100
		conf["partition.assignment.strategy"] = "cooperative-sticky"
	}
	return conf
}
