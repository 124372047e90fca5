//go:build integration

package faults

import (
	"context"
	"sync"
	"testing"

	"github.com/kafkatrace/tracing/test/kafkatest"
)

// shared are three brokers, with listeners that clients reach through a proxy, or with a password. The tests that break
// the brokers run one after the other, and mend them; the others run in parallel, after them.
var shared sharedCluster

type sharedCluster struct {
	mu      sync.Mutex
	cluster *kafkatest.Cluster
	network network
	err     error
}

const (
	proxied       = "PROXIED"
	authenticated = "SASL"
)

// get returns the cluster, all brokers running.
func (s *sharedCluster) get(t *testing.T) *kafkatest.Cluster {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cluster == nil && s.err == nil {
		// Not the test's context: the brokers outlive it.
		s.cluster, s.err = kafkatest.Start(context.Background(), kafkatest.Config{
			Brokers: 3,
			Listeners: []kafkatest.Listener{
				{Name: proxied, Protocol: "PLAINTEXT", Advertise: s.network.connect},
				{Name: authenticated, Protocol: "SASL_PLAINTEXT"},
			},
			Properties: map[string]string{
				// A crash is noticed, and a leader chosen, within seconds.
				"broker.heartbeat.interval.ms":          "200",
				"broker.session.timeout.ms":             "3000",
				"controller.quorum.fetch.timeout.ms":    "1500",
				"controller.quorum.election.timeout.ms": "500",
				// As is an abandoned transaction.
				"transaction.abort.timed.out.transaction.cleanup.interval.ms": "200",
				// A group misses a consumer soon.
				"group.min.session.timeout.ms":             "1000",
				"group.consumer.min.session.timeout.ms":    "1000",
				"group.consumer.session.timeout.ms":        "3000",
				"group.consumer.min.heartbeat.interval.ms": "50",
				"group.consumer.heartbeat.interval.ms":     "200",
				// Who does not say who they are may do everything.
				"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
				"super.users":           "User:ANONYMOUS",
				"listener.name.sasl.sasl.enabled.mechanisms": "PLAIN",
				"listener.name.sasl.plain.sasl.jaas.config": `org.apache.kafka.common.security.plain.PlainLoginModule required ` +
					`user_` + user + `="` + password + `";`,
			},
		})
	}
	if s.err != nil {
		t.Fatal(s.err)
	}
	// A test that failed may have left one down.
	if err := s.cluster.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s.cluster
}

func (s *sharedCluster) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.cluster != nil {
		err = s.cluster.Close()
	}
	s.network.cut()
	return err
}
