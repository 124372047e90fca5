//go:build integration

package faults

import (
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// The network between the clients and all brokers is slow, or fails and is restored.
func TestNetwork(t *testing.T) { //nolint:tparallel // There is one network for all of it.
	t.Parallel()
	cluster := shared.get(t)
	n := &shared.network
	for _, test := range []struct {
		name       string
		idempotent bool
		slow       string // what is wrong with the network all the time
		fail       func(t *testing.T)
		silent     bool // there need be no error that tells of the failure
	}{
		{name: "network latency of 100 ms, jitter of 50 ms", slow: `{"type": "latency", "attributes": {"latency": 100, "jitter": 50}}`},
		{name: "network bandwidth of 10 kB/s", slow: `{"type": "bandwidth", "stream": "upstream", "attributes": {"rate": 10}}`},
		{name: "network slices of 50 bytes", slow: `{"type": "slicer", "attributes": {"average_size": 50, "size_variation": 20, "delay": 10}}`},
		{name: "network cut", fail: func(*testing.T) { n.cut() }},
		{
			name: "connections reset", idempotent: true,
			fail: func(t *testing.T) {
				t.Helper()
				n.restore(t, `{"type": "reset_peer"}`)
			},
		},
		{
			name: "connections closed within answers", idempotent: true,
			fail: func(t *testing.T) {
				t.Helper()
				n.restore(t, `{"type": "limit_data", "attributes": {"bytes": 2000}}`)
			},
		},
		{
			name: "answers lost on open connections", idempotent: true, silent: true,
			fail: func(t *testing.T) {
				t.Helper()
				n.worsen(t, `{"type": "timeout"}`)
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			n.restore(t, test.slow)
			apps := setup{
				cluster: cluster, bootstrap: cluster.BootstrapOf(proxied),
				producer: kafka.ConfigMap{"enable.idempotence": test.idempotent},
			}.start(t)
			stop := apps.flow(t)
			apps.goOn(t)
			if test.fail != nil {
				began := apps[0].sender.sent()
				test.fail(t)
				apps.eventually(t, "the failure lasts", func(a *application) bool {
					return a.sender.sent() > began+300 && (test.silent || a.sender.knowsAny())
				})
				n.restore(t, "")
				apps.goOn(t)
			}
			stop()
			apps.finish(t, test.name, "")
		})
	}
}
