//go:build integration

package faults

import (
	"slices"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing/test/kafkatest"
)

// A broker is killed while applications produce to and consume from partitions that it leads, and comes back.
func TestLeaderKilled(t *testing.T) {
	cluster := shared.get(t)
	plain := setup{cluster: cluster}.start(t)
	idempotent := setup{cluster: cluster, producer: kafka.ConfigMap{"enable.idempotence": true}}.start(t)
	all := slices.Concat(plain, idempotent)
	stop := all.flow(t)
	all.goOn(t)
	// There are as many brokers as partitions, so that each topic has a partition that this one leads.
	leader, err := kafkatest.Leader(patient(t), cluster.Bootstrap(), plain[0].sender.topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	cluster.Broker(leader).Kill()
	all.goOn(t) // With another leader.
	if err := cluster.Broker(leader).Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	all.goOn(t)
	stop()
	for name, apps := range map[string]applications{"": plain, ", idempotent": idempotent} {
		apps.finish(t, "partition leader killed and restarted"+name, "")
	}
}

// All brokers are down for longer than messages wait, and come back.
func TestAllBrokersDown(t *testing.T) {
	cluster := shared.get(t)
	start := func(idempotent bool) applications {
		return setup{cluster: cluster, producer: kafka.ConfigMap{
			"enable.idempotence": idempotent, "message.timeout.ms": 8000, "queue.buffering.max.messages": 400,
		}}.start(t)
	}
	plain, idempotent := start(false), start(true)
	all := slices.Concat(plain, idempotent)
	all.sendUpTo(300)
	cluster.Kill()
	all.sendUpTo(800) // More than there is room for.
	all.eventually(t, "the application knows", func(a *application) bool { return a.sender.knows("_ALL_BROKERS_DOWN") })
	if err := cluster.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	all.eventually(t, "the partitions have leaders", func(a *application) bool {
		for i := range a.sender.partitions {
			if _, err := kafkatest.Leader(t.Context(), cluster.Bootstrap(), a.sender.topic, i); err != nil {
				return false
			}
		}
		return true
	})
	all.sendUpTo(1100)
	for name, apps := range map[string]applications{"": plain, ", idempotent": idempotent} {
		apps.finish(t, "all brokers down beyond message.timeout.ms"+name, "", "_MSG_TIMED_OUT", refused+"_QUEUE_FULL")
	}
}
