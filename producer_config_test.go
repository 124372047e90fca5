package tracing_test

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing"
)

// What the raw client refuses is refused with its error, what makes it panic with
// ErrInvalidArg; and the caller's configuration is never changed.
func TestNewProducerConfigurations(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for name, test := range map[string]struct {
		conf    kafka.ConfigMap
		crashes bool
	}{
		"valid":                        {conf: kafka.ConfigMap{"acks": "all", "linger.ms": 5, "enable.idempotence": true}},
		"default.topic.config":         {conf: kafka.ConfigMap{"default.topic.config": kafka.ConfigMap{"acks": 1}}},
		"unknown key":                  {conf: kafka.ConfigMap{"no.such.key": 1}},
		"bad value":                    {conf: kafka.ConfigMap{"acks": "many"}},
		"bad type":                     {conf: kafka.ConfigMap{"linger.ms": 1.5}},
		"nil value":                    {conf: kafka.ConfigMap{"client.id": nil}},
		"only errors":                  {conf: kafka.ConfigMap{"delivery.report.only.error": true}},
		"only errors, mistyped":        {conf: kafka.ConfigMap{"delivery.report.only.error": "true"}},
		"reports mistyped":             {conf: kafka.ConfigMap{"go.delivery.reports": "false"}},
		"reports nil":                  {conf: kafka.ConfigMap{"go.delivery.reports": nil}},
		"batch mistyped":               {conf: kafka.ConfigMap{"go.batch.producer": 1}},
		"events mistyped":              {conf: kafka.ConfigMap{"go.events.channel.size": "10"}},
		"events nil":                   {conf: kafka.ConfigMap{"go.events.channel.size": nil}},
		"produce channel mistyped":     {conf: kafka.ConfigMap{"go.produce.channel.size": int64(10)}},
		"fields mistyped":              {conf: kafka.ConfigMap{"go.delivery.report.fields": true}},
		"fields unknown":               {conf: kafka.ConfigMap{"go.delivery.report.fields": "key,offset"}},
		"logs enable mistyped":         {conf: kafka.ConfigMap{"go.logs.channel.enable": "yes"}},
		"logs channel nil":             {conf: kafka.ConfigMap{"go.logs.channel": nil}},
		"logs channel":                 {conf: kafka.ConfigMap{"go.logs.channel": make(chan kafka.LogEvent, 10), "go.logs.channel.enable": true}},
		"logs channel mistyped":        {conf: kafka.ConfigMap{"go.logs.channel": make(chan string)}, crashes: true},
		"events negative":              {conf: kafka.ConfigMap{"go.events.channel.size": -1}, crashes: true},
		"produce channel negative":     {conf: kafka.ConfigMap{"go.produce.channel.size": -1}, crashes: true},
		"events too large":             {conf: kafka.ConfigMap{"go.events.channel.size": math.MaxInt}, crashes: true},
		"produce channel too large":    {conf: kafka.ConfigMap{"go.produce.channel.size": math.MaxInt}, crashes: true},
		"batch, negative":              {conf: kafka.ConfigMap{"go.produce.channel.size": -1, "go.batch.producer": true}, crashes: true},
		"linger not below the timeout": {conf: kafka.ConfigMap{"linger.ms": 1000, "message.timeout.ms": 1000}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conf := kafka.ConfigMap{"bootstrap.servers": c.mock.BootstrapServers(), "log_level": 0}
			maps.Copy(conf, test.conf)
			var want error
			if !test.crashes {
				raw, err := kafka.NewProducer(&conf)
				if want = err; err == nil {
					raw.Close()
				}
			}
			for mode, opts := range offAndOn() {
				before := maps.Clone(conf)
				p, err := tracing.NewProducer(&conf, c.options(opts...)...)
				switch {
				case test.crashes && code(t, err) != kafka.ErrInvalidArg:
					t.Errorf("%s: error %v, want an invalid argument", mode, err)
				case !test.crashes && fmt.Sprintf("%#v", err) != fmt.Sprintf("%#v", want):
					t.Errorf("%s: error %v, the raw client's is %v", mode, err, want)
				case (err == nil) == (p == nil):
					t.Errorf("%s: producer %v and error %v", mode, p, err)
				}
				if p != nil {
					p.Close()
				}
				if !reflect.DeepEqual(conf, before) {
					t.Errorf("%s: configuration changed from %v to %v", mode, before, conf)
				}
			}
		})
	}
	for mode, opts := range offAndOn() {
		if _, err := tracing.NewProducer(nil, opts...); code(t, err) != kafka.ErrInvalidArg {
			t.Errorf("%s: error %v for a nil configuration", mode, err)
		}
		if p, err := tracing.NewProducer(&kafka.ConfigMap{}, append(opts, nil)...); err != nil {
			t.Errorf("%s: error %v for an empty configuration and a nil option", mode, err)
		} else {
			p.Close()
		}
	}
}

// As a string the client takes it, and nothing comes of a delivered message.
func TestDeliveryReportsOfErrorsOnly(t *testing.T) {
	t.Parallel()
	for name, batch := range map[string]bool{"": false, "batch": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			topic := c.topic(1)
			p := c.producer(kafka.ConfigMap{"delivery.report.only.error": "True", "go.batch.producer": batch})
			own := make(chan kafka.Event, 2)
			produce(t, p, message(topic, "v"), own)
			produce(t, p, message(topic, "v"), nil)
			p.ProduceChannel() <- message(topic, "v")
			eventually(t, "the spans end", func() bool { return len(c.ended("kafka.publish")) == 3 })
			if left := p.Flush(int(patience.Milliseconds())); left != 0 || len(own) != 0 || len(p.Events()) != 0 {
				t.Errorf("Flush returned %d, %d and %d reports of successes", left, len(own), len(p.Events()))
			}
			c.brokerDown()
			produce(t, p, message(topic, "v"), own)
			if err := p.Purge(kafka.PurgeQueue | kafka.PurgeInFlight); err != nil {
				t.Fatal(err)
			}
			if report(t, own).TopicPartition.Error == nil {
				t.Error("the report of a failure has no error")
			}
		})
	}
}

// The channels are as large as the application asked for.
func TestProducerChannelSizes(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	for _, conf := range []kafka.ConfigMap{
		nil,
		{"go.events.channel.size": 0, "go.produce.channel.size": 0},
		{"go.events.channel.size": 7, "go.produce.channel.size": 9},
		{"go.events.channel.size": 7, "go.produce.channel.size": 9, "go.batch.producer": true},
	} {
		raw := c.rawProducer(conf)
		for name, p := range map[string]*tracing.TracedProducer{
			"new":     c.producer(conf),
			"wrapped": tracing.WrapProducer(c.rawProducer(conf), c.options()...),
			"off":     c.producer(conf, off...),
		} {
			if cap(p.Events()) != cap(raw.Events()) || cap(p.ProduceChannel()) != cap(raw.ProduceChannel()) {
				t.Errorf("%s, %v: channels of %d and %d, the raw client's have %d and %d", name, conf,
					cap(p.Events()), cap(p.ProduceChannel()), cap(raw.Events()), cap(raw.ProduceChannel()))
			}
			p.Close()
		}
	}
}
