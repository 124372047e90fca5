package tracing

import (
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// The raw client panics when an application closes a delivery channel too soon,
// but sends nothing once it is closed itself: then the channel may be closed.
func TestForwardingToAClosedChannel(t *testing.T) {
	t.Parallel()
	raw, err := kafka.NewProducer(&kafka.ConfigMap{"bootstrap.servers": "127.0.0.1:1", "log_level": 0})
	if err != nil {
		t.Fatal(err)
	}
	p := WrapProducer(raw)
	defer p.Close()
	forward := func(size int) (panicked bool) {
		defer func() { panicked = recover() != nil }()
		closed := make(chan kafka.Event, size)
		close(closed)
		f := new(forwarder)
		f.init(p)
		f.forward(delivery{event: kafka.OffsetsCommitted{}, to: closed})
		f.forward(delivery{event: kafka.OffsetsCommitted{}, to: closed})
		return false
	}
	if !forward(0) || !forward(1) {
		t.Error("sending on a closed channel went unnoticed")
	}
	raw.Close()
	if forward(0) || forward(1) {
		t.Error("sending after the client was closed panics")
	}
}

// While a Flush is under way the forwarder takes events that the application does not
// read, and passes them on in the client's order all the same.
func TestProducerRule03OrderDuringAFlush(t *testing.T) {
	t.Parallel()
	raw, err := kafka.NewProducer(&kafka.ConfigMap{"log_level": 0, "go.events.channel.size": 1})
	if err != nil {
		t.Fatal(err)
	}
	p := WrapProducer(raw)
	defer p.Close()
	defer p.forwarder.flushing()()
	const n = 1000
	timeout := time.After(20 * time.Second)
	for i := range n {
		select {
		case raw.Events() <- kafka.PartitionEOF{Partition: int32(i)}:
		case <-timeout:
			t.Fatalf("only %d of %d events are taken", i, n)
		}
	}
	for i := range n {
		select {
		case event := <-p.Events():
			if eof, ok := event.(kafka.PartitionEOF); !ok || int(eof.Partition) != i {
				t.Fatalf("event %d is %v", i, event)
			}
		case <-timeout:
			t.Fatalf("only %d of %d events arrive", i, n)
		}
	}
}
