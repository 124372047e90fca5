// Package produce has the workloads that produce messages.
package produce

import (
	"fmt"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing/bench/internal/measure"
)

// Reports says where delivery reports are read.
type Reports int

// Where delivery reports are read.
const (
	OwnChannel Reports = iota // a delivery channel given to Produce
	Events                    // the producer's Events()
	None                      // nowhere: go.delivery.reports is false
)

// Work says what is produced, and how.
type Work struct {
	Name       string
	Reports    Reports
	ByChannel  bool // through ProduceChannel(); reports are read at Events()
	Headers    int  // of the application
	Goroutines int
	ValueSize  int
	InFlight   int // at most: with more the machine's caches are what is measured
	Limit      int // of messages for each measurement; 0 is no limit
}

// Base is what the other workloads differ from in one thing each.
var Base = Work{Name: "produce, own channel", Goroutines: 1, ValueSize: 100, InFlight: 5000}

// Variant is one way to produce.
type Variant struct {
	Name  string
	Floor string // the variant that does the same by hand; "" if there is none
	Open  Open
}

// Open makes a producer for the work, with the client's configuration.
type Open func(Work, kafka.ConfigMap) (Producer, error)

// Producer is what a variant produces through.
type Producer struct {
	// Sender is called once for each producing goroutine, with its delivery
	// channel, which is nil if reports are not read there.
	Sender func(reports chan kafka.Event) Sender
	Events chan kafka.Event
	Len    func() int // messages that have no report yet
	Purge  func(flags int) error
	Close  func()
}

// Sender is a Producer as one goroutine uses it.
type Sender struct {
	Send     func(*kafka.Message) error
	Reported func(*kafka.Message) // called with every report; may be nil
}

// Workload returns the work, done in each of the ways.
func (w Work) Workload(variants ...Variant) measure.Workload {
	load := measure.Workload{Name: w.Name, Limit: w.Limit}
	for _, v := range variants {
		load.Variants = append(load.Variants, measure.Variant{
			Name: v.Name, Floor: v.Floor,
			Prepare: func(broker string, messages int) (measure.Run, error) { return w.prepare(v, broker, messages) },
		})
	}
	return load
}

func (w Work) prepare(v Variant, broker string, messages int) (measure.Run, error) {
	p, err := v.Open(w, w.config(broker))
	if err != nil {
		return measure.Run{}, err
	}
	workers := w.workers(p)
	if err := workers[0].run(1); err != nil { // connects
		return measure.Run{}, err
	}
	return measure.Run{
		Work:    func() error { return runAll(workers, messages) },
		CleanUp: p.Close,
	}, nil
}

func (w Work) config(broker string) kafka.ConfigMap {
	conf := kafka.ConfigMap{
		"bootstrap.servers": broker, "client.id": "bench", "linger.ms": 5, "log_level": 0,
	}
	if w.Reports == None {
		conf["go.delivery.reports"] = false
	}
	return conf
}

func (w Work) message() kafka.Message {
	topic := measure.Topic
	msg := kafka.Message{
		TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny},
		Value:          make([]byte, w.ValueSize),
	}
	for i := range w.Headers {
		msg.Headers = append(msg.Headers, kafka.Header{Key: fmt.Sprintf("header-%d", i), Value: []byte("0123456789abcdef")})
	}
	return msg
}
