//go:build integration

package faults

import (
	"maps"
	"sync"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing"
)

// receiver is an application that consumes, and notes what it has handled.
type receiver struct {
	t     *testing.T
	c     tracing.Consumer
	end   func() // ends it
	ended chan struct{}

	mu      sync.Mutex
	handled map[position]int       // how often
	next    map[int32]kafka.Offset // where the partitions that are assigned go on
	errors  map[string]int         // that Poll told of, by name
	closed  error
}

// position is where a message is in its topic.
type position struct {
	partition int32
	offset    kafka.Offset
}

// newReceiver subscribes a consumer that does not store offsets by itself. It is closed at the end of the test.
func newReceiver(t *testing.T, c tracing.Consumer, topic string) *receiver {
	t.Helper()
	end := make(chan struct{})
	r := &receiver{
		t: t, c: c, end: sync.OnceFunc(func() { close(end) }), ended: make(chan struct{}),
		handled: map[position]int{}, next: map[int32]kafka.Offset{}, errors: map[string]int{},
	}
	if err := c.SubscribeTopics([]string{topic}, r.rebalanced); err != nil {
		t.Fatal(err)
	}
	go r.run(end)
	t.Cleanup(r.close)
	return r
}

func (r *receiver) run(end <-chan struct{}) {
	defer close(r.ended)
	for {
		select {
		case <-end:
			r.closed = r.c.Close()
			return
		default:
			r.handle(r.c.Poll(100))
		}
	}
}

func (r *receiver) handle(event kafka.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e := event.(type) {
	case *kafka.Message:
		tp := e.TopicPartition
		// What a cooperative rebalance leaves assigned is paused meanwhile, and librdkafka, when it goes on, may hand over
		// the last message again.
		if next, ok := r.next[tp.Partition]; ok && tp.Offset < next && r.c.GetRebalanceProtocol() != "COOPERATIVE" {
			r.t.Errorf("%s: %v comes after offset %v, and there was no rebalance", r.c, tp, next-1)
		}
		r.next[tp.Partition] = tp.Offset + 1
		r.handled[position{tp.Partition, tp.Offset}]++
		if _, err := r.c.StoreMessage(e); err != nil {
			r.errors[name(err)]++
		}
	case kafka.Error:
		r.errors[name(e)]++
	}
}

// rebalanced leaves the assignment to the client. It runs within Poll and Close.
func (r *receiver) rebalanced(_ *kafka.Consumer, event kafka.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var tps []kafka.TopicPartition
	switch e := event.(type) {
	case kafka.AssignedPartitions:
		tps = e.Partitions
	case kafka.RevokedPartitions:
		tps = e.Partitions
	}
	for _, tp := range tps {
		delete(r.next, tp.Partition)
	}
	return nil
}

// knows tells whether Poll has told of that error.
func (r *receiver) knows(name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.errors[name] > 0
}

// close ends the loop and closes the consumer.
func (r *receiver) close() {
	r.t.Helper()
	r.end()
	within(r.t, "the consumer is closed", func() { <-r.ended })
}

// handledBy returns how often each message has been handled.
func handledBy(receivers ...*receiver) map[position]int {
	handled := map[position]int{}
	for _, r := range receivers {
		r.mu.Lock()
		for at, times := range r.handled {
			handled[at] += times
		}
		r.mu.Unlock()
	}
	return handled
}

// checkClosed tells which receivers could not be closed.
func checkClosed(receivers ...*receiver) (wrong problems) {
	for _, r := range receivers {
		r.close()
		if r.closed != nil {
			wrong.add("Close: %v", r.closed)
		}
	}
	return wrong
}

// checkHandled tells which messages that Kafka has were not handled, and which were that it does not have.
func checkHandled(records []record, handled map[position]int) (lost int, wrong problems) {
	unknown := maps.Clone(handled)
	for _, r := range records {
		if handled[r.position] == 0 {
			lost++
			wrong.add("message %d at %v was not handled", r.number, r.position)
		}
		delete(unknown, r.position)
	}
	for at := range unknown {
		wrong.add("a message at %v was handled, which Kafka does not have", at)
	}
	return lost, wrong
}
