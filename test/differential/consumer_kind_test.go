package differential

import (
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"pgregory.net/rapid"
)

// consumerKind is a family of scripts for a consumer.
type consumerKind struct {
	name string
	conf kafka.ConfigMap

	subscribes bool // it joins a group, instead of being assigned
	channel    bool // it reads Events()
	outage     bool // the broker goes down and comes back
}

var consumerKinds = []consumerKind{
	{name: "assigned"},
	{name: "subscribed", conf: kafka.ConfigMap{"group.protocol": "consumer"}, subscribes: true},
	{name: "events channel", conf: kafka.ConfigMap{"go.events.channel.enable": true}, channel: true},
	{name: "outage", outage: true},
}

// consumerConfig is what a script draws beside its kind.
type consumerConfig struct {
	consumerKind
	partitions int
	eof        bool // the ends of partitions are events
	stores     bool // the client stores the offset of what it hands over
	commits    bool // and commits when it is closed
	capacity   int  // of Events()
	callback   bool // rebalances are told to a callback
}

func drawConsumerConfig(t *rapid.T, kind consumerKind) consumerConfig {
	c := consumerConfig{consumerKind: kind, partitions: 1}
	if !kind.channel {
		c.partitions = rapid.SampledFrom([]int{1, 1, 2}).Draw(t, "partitions")
	}
	c.eof = rapid.Bool().Draw(t, "partition EOF")
	c.stores = rapid.Bool().Draw(t, "auto offset store")
	// What the channel has taken is stored, read or not.
	c.commits = !kind.channel && rapid.Bool().Draw(t, "auto commit")
	c.capacity = rapid.SampledFrom([]int{1000, 0, 1, 3}).Draw(t, "capacity")
	c.callback = kind.subscribes && rapid.Bool().Draw(t, "callback")
	return c
}

// clientConfig is what the client is given.
func (c consumerConfig) clientConfig(of *cluster, group string) kafka.ConfigMap {
	return of.config(kafka.ConfigMap{
		"group.id":                 group,
		"auto.offset.reset":        "earliest",
		"enable.auto.commit":       c.commits,
		"auto.commit.interval.ms":  aLongTime,
		"enable.auto.offset.store": c.stores,
		"enable.partition.eof":     c.eof,
		"go.events.channel.size":   c.capacity,
		"fetch.wait.max.ms":        10,
		"fetch.error.backoff.ms":   10,
		"retry.backoff.ms":         10,
	}, c.conf)
}
