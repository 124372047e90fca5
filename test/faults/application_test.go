//go:build integration

package faults

import (
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing/test/kafkatest"
)

// setup is how an application is made.
type setup struct {
	cluster   *kafkatest.Cluster
	bootstrap string                   // for the application, if not the cluster's
	topic     kafka.TopicSpecification // its own topic, three partitions if it does not say

	clients  kafka.ConfigMap // for the producer and the consumer
	producer kafka.ConfigMap
	sendOnly bool // there is no consumer
}

// application produces to a topic of its own, and consumes from it.
type application struct {
	setup
	t        *testing.T
	client   *client
	sender   *sender
	receiver *receiver // nil if there is none
}

// applications are the same application twice: with the client itself, and with this library.
type applications []*application

func (s setup) start(t *testing.T) applications {
	t.Helper()
	return applications{s.startWith(t, rawClient()), s.startWith(t, tracedClient(t))}
}

func (s setup) startWith(t *testing.T, c *client) *application {
	t.Helper()
	if s.bootstrap == "" {
		s.bootstrap = s.cluster.Bootstrap()
	}
	if s.topic.NumPartitions == 0 {
		s.topic.NumPartitions = 3
	}
	a := &application{setup: s, t: t, client: c}
	topic := kafkatest.NewTopicOf(t, s.cluster.Bootstrap(), s.topic)
	a.sender = newSender(t, c.producer(t, a.config(s.producer, kafka.ConfigMap{
		"acks": "all", "linger.ms": 20, "message.timeout.ms": int(patience.Milliseconds()),
	})), topic, s.topic.NumPartitions)
	if !s.sendOnly {
		a.receiver = newReceiver(t, c.consumer(t, a.config(nil, kafka.ConfigMap{
			"group.id": topic, "auto.offset.reset": "earliest", "enable.auto.offset.store": false, "fetch.wait.max.ms": 100,
		})), topic)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s: %v, %s", c.name, a, a.told())
		}
	})
	return a
}

// config adds what the setup says of all clients, and what is to be said of this one, to what is usual.
func (s setup) config(own, usual kafka.ConfigMap) *kafka.ConfigMap {
	conf := clientConfig(s.bootstrap, usual)
	maps.Copy(*conf, s.clients)
	maps.Copy(*conf, own)
	return conf
}

// told returns the errors that the application was told of.
func (a *application) told() string {
	a.sender.mu.Lock()
	defer a.sender.mu.Unlock()
	text := fmt.Sprintf("told by Events() of %v", a.sender.errors)
	if a.receiver != nil {
		a.receiver.mu.Lock()
		defer a.receiver.mu.Unlock()
		text += fmt.Sprintf(", by Poll of %v", a.receiver.errors)
	}
	return text
}

// idempotent tells whether Kafka has what the producer sends once, and in order.
func (s setup) idempotent() bool {
	idempotent, _ := s.producer["enable.idempotence"].(bool)
	return idempotent || s.producer["transactional.id"] != nil
}

// sendUpTo has every application produce until it has sent n messages, and waits for their reports.
func (as applications) sendUpTo(n int) {
	for _, a := range as {
		a.sender.sendUpTo(n)
	}
	as.settle()
}

// settle waits until every message has its report.
func (as applications) settle() {
	for _, a := range as {
		a.t.Helper()
		a.sender.settle()
	}
}

// flow has every application produce a message every few milliseconds. Once stop has been called all have sent equally
// many.
func (as applications) flow(t *testing.T) (stop func()) {
	t.Helper()
	var stops []func()
	for _, a := range as {
		stops = append(stops, a.sender.flow())
	}
	stop = sync.OnceFunc(func() {
		most := 0
		for i, a := range as {
			stops[i]()
			most = max(most, a.sender.sent())
		}
		for _, a := range as {
			a.sender.sendUpTo(most)
		}
	})
	t.Cleanup(stop)
	return stop
}

// goOn waits until every application has more delivered, in every partition, and has handled more.
func (as applications) goOn(t *testing.T) {
	t.Helper()
	const more = 30
	for _, a := range as {
		delivered, handled := a.sender.delivered(), len(handledBy(a.receiver))
		eventually(t, a.client.name+": messages flow", func() bool {
			for i, n := range a.sender.delivered() {
				if n < delivered[i]+more {
					return false
				}
			}
			return len(handledBy(a.receiver)) >= handled+more
		})
	}
}

// eventually waits until a condition holds for every application.
func (as applications) eventually(t *testing.T, what string, condition func(*application) bool) {
	t.Helper()
	for _, a := range as {
		eventually(t, a.client.name+": "+what, func() bool { return condition(a) })
	}
}
