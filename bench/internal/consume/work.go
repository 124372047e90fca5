// Package consume has the workloads that receive and handle messages.
package consume

import (
	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing/bench/internal/measure"
	"github.com/kafkatrace/tracing/bench/internal/produce"
	"github.com/kafkatrace/tracing/bench/internal/telemetry"
)

// By says by which call messages are received.
type By int

// By which call messages are received.
const (
	Poll By = iota
	ReadMessage
	Events
)

// Task says what is done with messages.
type Task int

// What is done with messages.
const (
	Receive Task = iota // nothing
	Process             // each is handled
	Batch               // they are handled in batches
)

// Work says how messages are received, and what is done with them.
type Work struct {
	Name string
	By   By
	Task Task
}

// Base is what the other workloads differ from.
var Base = Work{Name: "`Poll`"}

// Variant is one way to consume.
type Variant struct {
	Name  string
	Floor string // the variant that does the same by hand; "" if there is none
	Open  Open
}

// Open makes a consumer for the work, with the client's configuration.
type Open func(Work, kafka.ConfigMap) (Consumer, error)

// Consumer is what a variant consumes with.
type Consumer struct {
	Client Client
	// Next receives and handles a message, or a batch, and returns how many.
	Next func() (int, error)
}

// most is the most messages that the broker keeps, which has room for 5 MB.
const most = 20_000

// Workload returns the work, done in each of the ways.
func (w Work) Workload(variants ...Variant) measure.Workload {
	load := measure.Workload{Name: w.Name, Limit: most, SetUp: fill}
	for _, v := range variants {
		load.Variants = append(load.Variants, measure.Variant{
			Name: v.Name, Floor: v.Floor,
			Prepare: func(broker string, messages int) (measure.Run, error) { return w.prepare(v, broker, messages) },
		})
	}
	return load
}

// fill sends the messages that are consumed, each with the context of a trace.
func fill(broker string, messages int) error {
	v := produce.Variant{Name: "fill the topic", Open: produce.Traced(telemetry.Sampled)}
	// One less, since one was sent to connect.
	return produce.Base.Workload(v).Variants[0].With(broker, messages-1, func(work func() error) error { return work() })
}

func (w Work) prepare(v Variant, broker string, messages int) (measure.Run, error) {
	c, err := v.Open(w, w.config(broker))
	if err != nil {
		return measure.Run{}, err
	}
	// Connects, but does not fetch.
	if _, _, err := c.Client.QueryWatermarkOffsets(measure.Topic, 0, 10_000); err != nil {
		return measure.Run{}, err
	}
	return measure.Run{
		Work:    func() error { return c.run(messages) },
		CleanUp: func() { _ = c.Client.Close() },
	}, nil
}

func (w Work) config(broker string) kafka.ConfigMap {
	conf := kafka.ConfigMap{
		"bootstrap.servers": broker, "client.id": "bench", "group.id": "bench", "log_level": 0,
		"enable.auto.commit": false, "queued.min.messages": 1_000_000, "fetch.wait.max.ms": 10,
	}
	if w.By == Events {
		conf["go.events.channel.enable"] = true
	}
	return conf
}

// run is what is measured, the fetching included: it goes on in the background.
func (c Consumer) run(messages int) error {
	topic := measure.Topic
	all := []kafka.TopicPartition{{Topic: &topic, Partition: 0, Offset: kafka.OffsetBeginning}}
	if err := c.Client.Assign(all); err != nil {
		return err
	}
	for messages > 0 {
		n, err := c.Next()
		if err != nil {
			return err
		}
		messages -= n
	}
	return nil
}
