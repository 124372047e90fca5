//go:build integration

package e2e

import (
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
	"github.com/kafkatrace/tracing/test/kafkatest"
)

// A member of a group of either protocol sees what it sees without tracing.
func TestGroupProtocols(t *testing.T) {
	t.Parallel()
	const messages, partitions = 90, 3
	bootstrap := kafkatest.Shared(t)
	for _, protocol := range []string{classic, kip848} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			topic := kafkatest.NewTopic(t, bootstrap, partitions)
			produce(t, bootstrap, spread(topic, messages, partitions)...)
			conf := func(group string) kafka.ConfigMap {
				conf := patientConfig(bootstrap, topic+group)
				conf["group.protocol"] = protocol
				conf["enable.auto.commit"] = false
				return conf
			}
			e := newTelemetry(t)
			raw := belong(t, rawConsumer(t, bootstrap, conf("-raw")), topic, messages)
			traced := belong(t, e.consumer(t, conf("-traced"), tracing.WithCommitSpans()), topic, messages)
			if !reflect.DeepEqual(raw, traced) {
				t.Errorf("without tracing %+v, with it %+v", raw, traced)
			}
			if want := []string{"assigned", "3", "revoked", "3"}; !reflect.DeepEqual(traced.callbacks, want) {
				t.Errorf("callbacks %v, want %v", traced.callbacks, want)
			}
			for group, c := range map[string]*committed{"-raw": newCommitted(t, bootstrap, topic+"-raw", topic), "-traced": newCommitted(t, bootstrap, topic+"-traced", topic)} {
				if got, want := c.offsets(), c.ends(); !reflect.DeepEqual(got, want) {
					t.Errorf("group %s has committed %v, want %v", group, got, want)
				}
			}
			assertCommitSpans(t, e, bootstrap, topic, messages)
		})
	}
}

// membership is what a consumer sees of its group.
type membership struct {
	protocol  string
	callbacks []string
	values    map[string]int
	positions []kafka.Offset
}

// belong reads and commits messages, one by one.
func belong(t *testing.T, c tracing.Consumer, topic string, messages int) membership {
	t.Helper()
	m := membership{values: map[string]int{}}
	err := c.SubscribeTopics([]string{topic}, func(_ *kafka.Consumer, event kafka.Event) error {
		switch e := event.(type) {
		case kafka.AssignedPartitions:
			m.callbacks = append(m.callbacks, "assigned", strconv.Itoa(len(e.Partitions)))
		case kafka.RevokedPartitions:
			m.callbacks = append(m.callbacks, "revoked", strconv.Itoa(len(e.Partitions)))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); len(m.values) < messages; {
		if time.Now().After(deadline) {
			t.Fatalf("%d messages, want %d", len(m.values), messages)
		}
		msg, err := c.ReadMessage(time.Second)
		if err != nil {
			if outcomeOf(err).code != kafka.ErrTimedOut {
				t.Fatal(err)
			}
			continue
		}
		m.values[string(msg.Value)]++
		if _, err := c.CommitMessage(msg); err != nil {
			t.Fatal(err)
		}
	}
	m.protocol = c.GetRebalanceProtocol()
	assigned, err := c.Assignment()
	if err != nil {
		t.Fatal(err)
	}
	positions, err := c.Position(assigned)
	if err != nil {
		t.Fatal(err)
	}
	for _, tp := range positions {
		m.positions = append(m.positions, tp.Offset)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return m
}

// assertCommitSpans compares the spans of commits of single messages, each a child of its message's receive span.
func assertCommitSpans(t *testing.T, e *telemetry, bootstrap, topic string, messages int) {
	t.Helper()
	commits := e.spans("kafka.commit")
	if len(commits) != messages {
		t.Fatalf("%d commit spans, want %d", len(commits), messages)
	}
	parents := 0
	receives := e.spans("kafka.receive")
	for i := range receives {
		receive := receives[i]
		if len(children(commits, receive)) > 0 {
			parents++
			commit := onlyChild(t, commits, receive)
			want := messagingAttributes(bootstrap, "consumer", topic, "commit", "settle")
			want["messaging.consumer.group.name"] = topic + "-traced"
			want["messaging.destination.partition.id"] = receive.Attributes["messaging.destination.partition.id"]
			assertSpan(t, commit, wantSpan{name: "kafka.commit", kind: trace.SpanKindClient, parent: receive, attributes: want})
		}
	}
	if parents != messages {
		t.Errorf("%d commit spans are children of receive spans, want %d", parents, messages)
	}
}
