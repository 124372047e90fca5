package differential

import (
	"slices"
	"strings"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"pgregory.net/rapid"
)

// producerKind is a family of scripts: what the producer is configured for, and so what its scripts are about.
type producerKind struct {
	name string
	conf kafka.ConfigMap
	// modes that cannot behave as the raw client in this configuration.
	except []mode

	lingers    bool // messages stay in the queue until a Flush or Purge
	reportsOff bool
	onlyErrors bool
	noAcks     bool
	idempotent bool
	batch      bool // ProduceChannel is served by the client's batch producer
	outage     bool // the broker goes down and comes back
	timesOut   bool // it is down from the beginning, and messages time out
}

const aLongTime = 250_000 // milliseconds; longer than any script

var producerKinds = []producerKind{
	{name: "plain"},
	{name: "lingering", conf: kafka.ConfigMap{"linger.ms": aLongTime}, lingers: true},
	{name: "reports off", conf: kafka.ConfigMap{"go.delivery.reports": false}, reportsOff: true},
	{
		name: "reports of errors only", conf: kafka.ConfigMap{"delivery.report.only.error": "true", "linger.ms": aLongTime},
		lingers: true, onlyErrors: true,
		except: []mode{wrapped}, // It waits for reports that the client has been told not to make.
	},
	{name: "no acknowledgements", conf: kafka.ConfigMap{"acks": 0}, noAcks: true},
	{name: "idempotent", conf: kafka.ConfigMap{"enable.idempotence": true}, idempotent: true},
	{name: "batch producer", conf: kafka.ConfigMap{"go.batch.producer": true}, batch: true},
	{name: "outage", outage: true},
	{name: "timing out", conf: kafka.ConfigMap{"message.timeout.ms": 60}, timesOut: true},
}

// producerConfig is what a script draws beside its kind.
type producerConfig struct {
	producerKind
	partitions int
	scattered  bool   // the client chooses partitions, and so offsets
	queue      int    // how many messages the local queue takes; 0: enough
	capacities []int  // of Events() and of the application's delivery channels
	fields     string // of messages in reports; "": as by default
}

const maxMessageBytes = 50_000

func drawProducerConfig(t *rapid.T, kind producerKind) producerConfig {
	c := producerConfig{producerKind: kind}
	c.partitions = rapid.SampledFrom([]int{1, 1, 3}).Draw(t, "partitions")
	c.scattered = c.partitions > 1 && (kind.batch || rapid.Bool().Draw(t, "scattered"))
	if kind.lingers && rapid.Bool().Draw(t, "small queue") {
		c.queue = rapid.IntRange(1, 6).Draw(t, "queue")
	}
	events := 1000
	if kind.sharesCluster() { // in an outage the client's own events need room as well
		events = rapid.SampledFrom([]int{1000, 1000, 0, 1, 3}).Draw(t, "capacity of Events()")
	}
	c.capacities = []int{events}
	for range 2 {
		c.capacities = append(c.capacities, drawCapacity(t))
	}
	if !kind.batch {
		c.fields = rapid.SampledFrom([]string{"", "", "none", "key", "value", "headers", "all"}).Draw(t, "fields")
	}
	return c
}

func drawCapacity(t *rapid.T) int {
	return rapid.SampledFrom([]int{1000, 1000, 0, 1, 4}).Draw(t, "capacity")
}

// clientConfig is what the client is given.
func (c producerConfig) clientConfig(of *cluster) kafka.ConfigMap {
	conf := kafka.ConfigMap{
		"linger.ms":               0,
		"message.max.bytes":       maxMessageBytes,
		"go.events.channel.size":  c.capacities[0],
		"go.produce.channel.size": 100,
	}
	if c.queue > 0 {
		conf["queue.buffering.max.messages"] = c.queue
	}
	if c.fields != "" {
		conf["go.delivery.report.fields"] = c.fields
	}
	return of.config(conf, c.conf)
}

// reports tells whether reports carry a field of the message.
func (c producerConfig) reports(field string) bool {
	if c.fields == "" {
		return field == "key" || field == "value"
	}
	return c.fields == "all" || slices.Contains(strings.Split(c.fields, ","), field)
}

// sharesCluster reports whether the scripts leave the broker alone.
func (k producerKind) sharesCluster() bool { return !k.outage && !k.timesOut }
