//go:build integration

package kafkatest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

func TestMain(m *testing.M) { Main(m) }

func TestSharedBrokerDeliversAMessage(t *testing.T) {
	t.Parallel()
	bootstrap := Shared(t)
	topic := NewTopic(t, bootstrap, 3)
	produce(t, bootstrap, topic, "hello")
	if got := consume(t, bootstrap, topic); got != "hello" {
		t.Errorf("consumed %q, want hello", got)
	}
}

// One broker of three crashes: the others go on, and the crashed one comes back with its data. Then all of them crash.
func TestClusterOutlivesACrash(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cluster, err := Start(ctx, Config{Brokers: 3, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	}()
	topic := NewTopic(t, cluster.Bootstrap(), 1)
	produce(t, cluster.Bootstrap(), topic, "before")

	leader, err := Leader(ctx, cluster.Bootstrap(), topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	cluster.Broker(leader).Kill()
	produce(t, cluster.Bootstrap(), topic, "during")
	if err := cluster.Broker(leader).Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Broker(1 + leader%3).Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if got := consume(t, cluster.Bootstrap(), topic); got != "before" {
		t.Errorf("consumed %q, want before", got)
	}

	cluster.Kill()
	if err := cluster.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if got := consume(t, cluster.Bootstrap(), topic); got != "before" {
		t.Errorf("consumed %q after all brokers were killed, want before", got)
	}
	if err := DeleteTopics(ctx, cluster.Bootstrap(), topic); err != nil {
		t.Fatal(err)
	}
	if leader, err := Leader(ctx, cluster.Bootstrap(), topic, 0); err == nil {
		t.Errorf("broker %d leads a topic that was deleted", leader)
	}
}

// A setting that only the running broker refuses, not the formatting of its storage.
func TestStartReportsWhyTheBrokerDied(t *testing.T) {
	t.Parallel()
	cluster, err := Start(t.Context(), Config{Properties: map[string]string{"metric.reporters": "no.such.Reporter"}})
	if err == nil {
		_ = cluster.Close()
		t.Fatal("a broker started with a class that does not exist")
	}
	if !strings.Contains(err.Error(), "no.such.Reporter") {
		t.Errorf("the error does not give the broker's reason: %v", err)
	}
}

func produce(t *testing.T, bootstrap, topic, value string) {
	t.Helper()
	p, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": bootstrap, "acks": "all", "log_level": 0})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	reports := make(chan kafka.Event, 1)
	msg := &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: 0}, Value: []byte(value)}
	if err := p.Produce(msg, reports); err != nil {
		t.Fatal(err)
	}
	if report := (<-reports).(*kafka.Message); report.TopicPartition.Error != nil {
		t.Fatal(report.TopicPartition.Error)
	}
}

func consume(t *testing.T, bootstrap, topic string) string {
	t.Helper()
	c, err := kafka.NewConsumer(&kafka.ConfigMap{
		"bootstrap.servers": bootstrap, "group.id": topic, "auto.offset.reset": "earliest", "enable.auto.commit": false, "log_level": 0,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.Subscribe(topic, nil); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		switch event := c.Poll(1000).(type) {
		case *kafka.Message:
			return string(event.Value)
		case kafka.Error: // Mostly news of a broker that is down.
			t.Log(event)
		}
	}
	t.Fatal("nothing to consume")
	return ""
}
