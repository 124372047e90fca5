package soak

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing"
)

// valueSize is that of a message's value: its sequence number and padding.
const valueSize = 100

// produce sends the messages, to each partition in turn.
func (r *run) produce(ctx context.Context, producer *tracing.TracedProducer) error {
	value := make([]byte, valueSize) // The client copies it.
	for i := range r.config.Messages {
		select {
		case r.slots <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		partition, sequence := i%r.config.Partitions, uint64(i/r.config.Partitions)
		binary.BigEndian.PutUint64(value, sequence)
		err := producer.Produce(&kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &r.config.Topic, Partition: int32(partition)},
			Value:          value,
			Opaque:         sequence,
		}, r.reports)
		if err != nil {
			return fmt.Errorf("produce message %d: %w", i, err)
		}
		r.accepted[partition]++
	}
	return nil
}

// readReports reads as many delivery reports as there are messages.
func (r *run) readReports(ctx context.Context) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for n := range r.config.Messages {
		timer.Reset(patience)
		select {
		case event := <-r.reports:
			msg, ok := event.(*kafka.Message)
			if !ok {
				return fmt.Errorf("%T %v instead of a delivery report", event, event)
			}
			sequence, err := sequenceOf(msg)
			if err != nil {
				return fmt.Errorf("delivery report: %w", err)
			}
			if msg.Opaque != sequence {
				return fmt.Errorf("the report of message %d has Opaque %v", sequence, msg.Opaque)
			}
			r.reported.add(msg.TopicPartition.Partition, sequence)
		case <-timer.C:
			return fmt.Errorf("no delivery report for %v, after %d", patience, n)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// consume polls as many messages as there are, and takes the samples.
func (r *run) consume(ctx context.Context, consumer *tracing.TracedConsumer) error {
	every := max(1, r.config.Messages/Samples)
	const wait = 100 * time.Millisecond
	var idle time.Duration
	for n := 0; n < r.config.Messages; {
		switch event := consumer.Poll(int(wait.Milliseconds())).(type) {
		case *kafka.Message:
			sequence, err := sequenceOf(event)
			if err != nil {
				return fmt.Errorf("consumed message: %w", err)
			}
			r.consumed.add(event.TopicPartition.Partition, sequence)
			select {
			case <-r.slots:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			idle = 0
			if n++; n%every == 0 {
				r.sample(n)
			}
		case kafka.Error:
			return event
		case nil:
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if idle += wait; idle > patience {
				return fmt.Errorf("no message for %v, after %d", patience, n)
			}
		}
	}
	return nil
}

func (r *run) sample(consumed int) {
	s := takeSample()
	s.Consumed, s.InFlight = consumed, len(r.slots)
	r.samples = append(r.samples, s)
	if r.config.Progress != nil {
		r.config.Progress(s)
	}
}

// sequenceOf reads the sequence number of a message or of its report.
func sequenceOf(msg *kafka.Message) (uint64, error) {
	if err := msg.TopicPartition.Error; err != nil {
		return 0, err
	}
	if len(msg.Value) != valueSize {
		return 0, fmt.Errorf("%v has a value of %d bytes, not %d", msg.TopicPartition, len(msg.Value), valueSize)
	}
	return binary.BigEndian.Uint64(msg.Value), nil
}
