//go:build integration

package faults

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing"
)

// sender is an application that produces. It notes what it learns of each message, which has its number as its key.
type sender struct {
	t          *testing.T
	p          tracing.Producer
	topic      string
	partitions int
	own        chan kafka.Event // the delivery channel of even partitions; the reports of the others go to Events()
	read       chan struct{}    // closed when Events() is

	mu       sync.Mutex
	messages []fate
	accepted int
	reported []int          // the numbers of messages, in the order of their reports
	errors   map[string]int // that Events() told of, by name
}

// fate is what the application knows of a message.
type fate struct {
	partition int32
	refused   error
	reports   []kafka.TopicPartition
}

// small is the size in bytes of a message whose size does not matter.
const small = 100

func newSender(t *testing.T, p tracing.Producer, topic string, partitions int) *sender {
	t.Helper()
	s := &sender{
		t: t, p: p, topic: topic, partitions: partitions,
		own: make(chan kafka.Event, 100), read: make(chan struct{}), errors: map[string]int{},
	}
	go s.readAll()
	return s
}

func (s *sender) readAll() {
	defer close(s.read)
	for {
		select {
		case event := <-s.own:
			s.note(event)
		case event, open := <-s.p.Events():
			if !open {
				return
			}
			s.note(event)
		}
	}
}

func (s *sender) note(event kafka.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e := event.(type) {
	case *kafka.Message:
		i, ok := e.Opaque.(int)
		if !ok || string(e.Key) != strconv.Itoa(i) {
			s.t.Errorf("a report of the message %q has the Opaque %v", e.Key, e.Opaque)
			return
		}
		s.messages[i].reports = append(s.messages[i].reports, e.TopicPartition)
		s.reported = append(s.reported, i)
	case kafka.Error:
		s.errors[name(e)]++
	}
}

// send produces a message with a value of so many bytes, to each partition in turn.
func (s *sender) send(size int) {
	s.mu.Lock()
	i := len(s.messages)
	partition := int32(i % s.partitions)
	s.messages = append(s.messages, fate{partition: partition})
	s.mu.Unlock()
	var reports chan kafka.Event
	if partition%2 == 0 {
		reports = s.own
	}
	err := s.p.Produce(&kafka.Message{
		TopicPartition: kafka.TopicPartition{Topic: &s.topic, Partition: partition},
		Key:            []byte(strconv.Itoa(i)), Value: make([]byte, size), Opaque: i,
	}, reports)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages[i].refused = err
	if err == nil {
		s.accepted++
	}
}

// sendUpTo produces messages until there are n.
func (s *sender) sendUpTo(n int) {
	for s.sent() < n {
		s.send(small)
	}
}

// flow produces a message every few milliseconds until stop is called.
func (s *sender) flow() (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		pace := time.NewTicker(4 * time.Millisecond)
		defer pace.Stop()
		for {
			select {
			case <-pace.C:
				s.send(small)
			case <-end:
				return
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(end)
		<-ended
	})
}

// sent returns how many messages there are, refused ones included.
func (s *sender) sent() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.messages)
}

// delivered returns for each partition how many messages have been acknowledged.
func (s *sender) delivered() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := make([]int, s.partitions)
	for _, i := range s.reported {
		if m := s.messages[i]; m.reports[0].Error == nil {
			n[m.partition]++
		}
	}
	return n
}

// met returns how many messages have met that fate, see fates.
func (s *sender) met(fate string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fates()[fate]
}

// knows tells whether Events() has told of that error.
func (s *sender) knows(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.errors[name] > 0
}

// knowsAny tells whether Events() has told of an error.
func (s *sender) knowsAny() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.errors) > 0
}

// settle waits until every message has its report.
func (s *sender) settle() {
	s.t.Helper()
	eventually(s.t, "every message has its report", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.reported) >= s.accepted
	})
}

// close waits until every message has its report, closes the producer, and returns when nothing more is reported.
func (s *sender) close() {
	s.t.Helper()
	s.settle()
	if n := s.p.Flush(1000); n != 0 {
		s.t.Errorf("every message has its report, but Flush returns %d", n)
	}
	within(s.t, "the producer is closed", func() {
		s.p.Close()
		<-s.read
	})
	for len(s.own) > 0 {
		s.note(<-s.own)
	}
}
