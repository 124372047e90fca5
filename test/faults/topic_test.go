//go:build integration

package faults

import (
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing/test/kafkatest"
)

// A topic is deleted while an application produces to it and consumes from it.
func TestTopicDeleted(t *testing.T) {
	t.Parallel()
	cluster := shared.get(t)
	soon := kafka.ConfigMap{"topic.metadata.refresh.interval.ms": 300, "topic.metadata.propagation.max.ms": 500}
	apps := setup{cluster: cluster, clients: soon}.start(t)
	stop := apps.flow(t)
	apps.goOn(t)
	for _, a := range apps {
		if err := kafkatest.DeleteTopics(patient(t), cluster.Bootstrap(), a.sender.topic); err != nil {
			t.Fatal(err)
		}
	}
	apps.eventually(t, "the application is told", func(a *application) bool {
		return a.sender.met(refused+"_UNKNOWN_TOPIC") > 0 && a.receiver.knows("UNKNOWN_TOPIC_OR_PARTITION")
	})
	stop()
	// Kafka has nothing any more to compare the reports with.
	for _, a := range apps {
		a.end()
	}
	// A message may have been on its way, or have waited, in several places.
	apps.assertFates(t, []string{"", refused + "_UNKNOWN_TOPIC"}, []string{"UNKNOWN_TOPIC_OR_PARTITION", "_UNKNOWN_PARTITION", "_DESTROY"})
	apps.keep(t, "topic deleted", "n/a")
}

// Some messages are larger than the producer takes, others are larger than the broker takes.
func TestOversizedMessages(t *testing.T) {
	t.Parallel()
	for _, idempotent := range []bool{false, true} {
		apps := setup{
			cluster: shared.get(t), topic: kafka.TopicSpecification{Config: map[string]string{"max.message.bytes": "10000"}},
			// The broker refuses whole batches.
			producer: kafka.ConfigMap{"enable.idempotence": idempotent, "message.max.bytes": 20_000, "batch.num.messages": 1},
		}.start(t)
		for _, a := range apps {
			for i := range 300 {
				switch i % 10 {
				case 2:
					a.sender.send(50_000)
				case 7:
					a.sender.send(15_000)
				default:
					a.sender.send(small)
				}
			}
		}
		name := "oversized messages"
		if idempotent {
			name += ", idempotent"
		}
		apps.finish(t, name, "", "MESSAGE_TOO_LARGE", refused+"MESSAGE_TOO_LARGE")
	}
}
