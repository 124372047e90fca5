//go:build integration

package faults

import (
	"fmt"
	"maps"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing"
	"github.com/kafkatrace/tracing/test/kafkatest"
)

// Ten consumers join a group at once, and while messages flow two at a time leave and two others join, until none of the
// first is left.
func TestRebalanceStorm(t *testing.T) {
	t.Parallel()
	classic := func(strategy string) kafka.ConfigMap {
		return kafka.ConfigMap{
			"partition.assignment.strategy": strategy, "heartbeat.interval.ms": 200,
			// Close may wait for a session to end: librdkafka gives up leaving when a join is under way.
			"session.timeout.ms": 3000,
		}
	}
	for _, test := range []struct {
		name string
		conf kafka.ConfigMap
	}{
		{"classic, range", classic("range")},
		{"classic, cooperative-sticky", classic("cooperative-sticky")},
		{"KIP-848", kafka.ConfigMap{"group.protocol": "consumer"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			const members = 10
			bootstrap := shared.get(t).Bootstrap()
			topic := kafkatest.NewTopic(t, bootstrap, members)
			p := rawClient().producer(t, clientConfig(bootstrap, kafka.ConfigMap{"acks": "all", "linger.ms": 50}))
			sender := newSender(t, p, topic, members)
			groups := []*group{
				{t: t, client: rawClient(), bootstrap: bootstrap, topic: topic, conf: test.conf},
				{t: t, client: tracedClient(t, tracing.WithProcessSpanUntilNextPoll()), bootstrap: bootstrap, topic: topic, conf: test.conf},
			}
			stop := sender.flow()
			t.Cleanup(stop)
			for _, g := range groups {
				g.join(members)
			}
			for i := 0; i < members; i += 2 {
				goOn(t, groups)
				for _, g := range groups {
					g.receivers[i].end()
					g.receivers[i+1].end()
					g.join(2)
				}
			}
			goOn(t, groups)
			stop()
			sender.close()
			lost := 0
			records := stored(t, bootstrap, topic, members, "read_uncommitted")
			for _, g := range groups {
				lost += g.finish(records)
			}
			keep(t, "rebalance storm, "+test.name, groups[0].String(), groups[1].String(), groups[1].client.spanCount(), count(lost))
		})
	}
}

// group is a group of consumers of a topic.
type group struct {
	t         *testing.T
	client    *client
	bootstrap string
	topic     string
	conf      kafka.ConfigMap
	receivers []*receiver // those that have left included
}

// join adds n consumers.
func (g *group) join(n int) {
	g.t.Helper()
	for range n {
		conf := clientConfig(g.bootstrap, kafka.ConfigMap{
			"group.id": g.topic + g.client.name, "auto.offset.reset": "earliest", "enable.auto.offset.store": false,
			"auto.commit.interval.ms": 100,
		})
		maps.Copy(*conf, g.conf)
		g.receivers = append(g.receivers, newReceiver(g.t, g.client.consumer(g.t, conf), g.topic))
	}
}

// handled returns how often each message has been handled.
func (g *group) handled() map[position]int { return handledBy(g.receivers...) }

// goOn waits until each of the groups has handled more messages.
func goOn(t *testing.T, groups []*group) {
	t.Helper()
	for _, g := range groups {
		before := len(g.handled())
		eventually(t, g.client.name+": the group goes on", func() bool { return len(g.handled()) > before+100 })
	}
}

// finish waits until the group has handled what Kafka has, closes its members, and checks what they have seen.
func (g *group) finish(records []record) (lost int) {
	g.t.Helper()
	eventually(g.t, g.client.name+": all is handled", func() bool { return len(g.handled()) >= len(records) })
	for _, r := range g.receivers {
		r.end()
	}
	checkClosed(g.receivers...).assert(g.t, g.client.name)
	lost, wrong := checkHandled(records, g.handled())
	wrong.assert(g.t, g.client.name)
	if g.client.recorder != nil {
		g.client.checkEnded().assert(g.t, g.client.name)
		g.client.checkHandledSpans("kafka.receive", g.handled()).assert(g.t, g.client.name)
		g.client.checkHandledSpans("kafka.process", g.handled()).assert(g.t, g.client.name)
	}
	return lost
}

func (g *group) String() string {
	times := 0
	for _, n := range g.handled() {
		times += n
	}
	messages := len(g.handled())
	return fmt.Sprintf("%s handled by %d consumers, %s again", count(messages), len(g.receivers), count(times-messages))
}
