package tracing_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/kafkatrace/tracing"
)

// Not parallel: it counts goroutines.
func TestProducerRule09OneGoroutineForProduceChannel(t *testing.T) {
	c := newCluster(t)
	p := c.producer(nil)
	before := runtime.NumGoroutine()
	ch := p.ProduceChannel()
	for range 1000 {
		if p.ProduceChannel() != ch {
			t.Fatal("another channel at another call")
		}
	}
	if n := runtime.NumGoroutine() - before; n > 1 {
		t.Errorf("%d goroutines more", n)
	}
	if raw := c.rawProducer(nil); cap(ch) != cap(raw.ProduceChannel()) {
		t.Errorf("capacity %d, the raw client's is %d", cap(ch), cap(raw.ProduceChannel()))
	}
}

// Spans end at the report, which has the message's own Opaque.
func TestProducerRule09ProduceChannel(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(nil)
	const n = 1000
	var producing sync.WaitGroup
	producing.Go(func() {
		for i := range n {
			msg := message(topic, "v")
			msg.Opaque = i
			p.ProduceChannel() <- msg
		}
	})
	for i := range n {
		got := report(t, p.Events())
		wantOpaque(t, "Events()", got, i)
		span := c.ended("kafka.publish")[i]
		if offset := attributeOf(span, "messaging.kafka.offset"); offset != fmt.Sprint(int(got.TopicPartition.Offset)) {
			t.Fatalf("span %d has offset %s, its report %v", i, offset, got.TopicPartition.Offset)
		}
	}
	producing.Wait()
	consumer := c.consumer(topic, nil)
	if msg := read(t, consumer); tracing.NewMessageCarrier(msg).Get("traceparent") == "" {
		t.Error("no context in the message")
	}
}

func TestProducerRule09FullQueueIsWaitedOut(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(kafka.ConfigMap{"queue.buffering.max.messages": 2, "go.produce.channel.size": 0})
	if cap(p.ProduceChannel()) != 0 {
		t.Errorf("capacity %d, want the configured 0", cap(p.ProduceChannel()))
	}
	const n = 50
	events := collect(p.Events())
	for range n {
		p.ProduceChannel() <- message(topic, "v")
	}
	if left := p.Flush(int(patience.Milliseconds())); left != 0 {
		t.Errorf("Flush returned %d", left)
	}
	p.Close()
	<-events.done
	if got := events.reports(); len(got) != n {
		t.Errorf("%d reports of %d messages", len(got), n)
	}
	for _, msg := range events.reports() {
		if msg.TopicPartition.Error != nil {
			t.Error(msg.TopicPartition.Error)
		}
	}
	// Waiting is no failure, and no operation of its own.
	if durations, sent := c.publishMetrics(); durations[""] != n || sent[""] != n || len(durations) != 1 {
		t.Errorf("metrics %v and %v, want %d successes", durations, sent, n)
	}
}

// The raw client writes the error into the caller's message, and ends the process
// on a nil one.
func TestProducerRule09RefusedMessagesComeBackAsCopies(t *testing.T) {
	t.Parallel()
	for name, conf := range map[string]kafka.ConfigMap{"": nil, "batch": {"go.batch.producer": true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			p := c.producer(conf)
			long := strings.Repeat("x", 513)
			noTopic := &kafka.Message{Opaque: "no topic", Value: []byte("v")}
			overLong := message(long, "v")
			overLong.Opaque = "over-long"
			for _, msg := range []*kafka.Message{noTopic, overLong, nil} {
				p.ProduceChannel() <- msg
				got := report(t, p.Events())
				if code(t, got.TopicPartition.Error) != kafka.ErrInvalidArg {
					t.Errorf("error %v", got.TopicPartition.Error)
				}
				if msg == nil {
					continue
				}
				if got == msg || msg.TopicPartition.Error != nil {
					t.Errorf("%v: the caller's own message was written to", msg.Opaque)
				}
				if got.Opaque != msg.Opaque || string(got.Value) != "v" {
					t.Errorf("%v: not a copy: %+v", msg.Opaque, got)
				}
			}
			if left := p.Flush(5000); left != 0 {
				t.Errorf("Flush returned %d", left)
			}
		})
	}
}

func TestProducerRule09CloseWithMessagesInTheChannel(t *testing.T) {
	t.Parallel()
	for name, conf := range map[string]kafka.ConfigMap{
		"":                 nil,
		"full queue":       {"queue.buffering.max.messages": 1},
		"unread events":    {"go.events.channel.size": 0},
		"batch":            {"go.batch.producer": true},
		"batch, no events": {"go.batch.producer": true, "go.events.channel.size": 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			topic := c.topic(1)
			p := c.producer(conf)
			if name == "full queue" {
				c.brokerDown()
			}
			ch := p.ProduceChannel()
			for range 1000 {
				ch <- message(topic, "v")
			}
			returns(t, "Close with messages in ProduceChannel", p.Close)
			returns(t, "reading a closed channel", func() {
				if _, open := <-ch; open {
					t.Error("the channel is open after Close")
				}
			})
			if p.ProduceChannel() != ch {
				t.Error("another channel after Close")
			}
		})
	}
	t.Run("first asked for after Close", func(t *testing.T) {
		t.Parallel()
		p := newCluster(t).producer(nil)
		p.Close()
		if _, open := <-p.ProduceChannel(); open {
			t.Error("the channel is open after Close")
		}
		returns(t, "Close after that", p.Close)
	})
}

// With go.batch.producer the span tells of the hand-over; the message is as the
// application made it, and its report comes without Opaque, as from the client.
func TestProducerRule09BatchProducer(t *testing.T) {
	t.Parallel()
	for name, wrapped := range map[string]bool{"new": false, "wrapped": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			topic := c.topic(1)
			conf := kafka.ConfigMap{"go.batch.producer": true, "go.produce.channel.size": 10}
			var p *tracing.TracedProducer
			if wrapped {
				p = tracing.WrapProducer(c.rawProducer(conf), c.options(tracing.WithBatchProducer(true))...)
				t.Cleanup(p.Close)
			} else {
				p = c.producer(conf)
			}
			const n = 50
			for range n {
				msg := message(topic, "v")
				msg.Opaque = "mine"
				p.ProduceChannel() <- msg
			}
			for range n {
				got := nextReport(t, p.Events())
				if got.Opaque != nil || got.TopicPartition.Error != nil {
					t.Errorf("report %+v", got)
				}
			}
			if got := c.publishErrorTypes(); len(got) != n || slices.ContainsFunc(got, func(s string) bool { return s != "" }) {
				t.Errorf("%d spans with error types %q, want %d successes", len(got), got, n)
			}
			// Produce is as ever.
			own := make(chan kafka.Event, 1)
			msg := message(topic, "v")
			msg.Opaque = "mine"
			produce(t, p, msg, own)
			wantOpaque(t, "own channel", report(t, own), "mine")

			consumer := c.consumer(topic, nil)
			for range n {
				if msg := read(t, consumer); len(msg.Headers) != 0 {
					t.Fatalf("headers %v", msg.Headers)
				}
			}
			if msg := read(t, consumer); tracing.NewMessageCarrier(msg).Get("traceparent") == "" {
				t.Error("no context in the message from Produce")
			}
		})
	}
}

// go.delivery.reports=false: nothing of what goes through the channel comes back,
// but its spans end at the report all the same.
func TestProducerRule09ReportsOff(t *testing.T) {
	t.Parallel()
	for name, conf := range map[string]kafka.ConfigMap{
		"":      {"go.delivery.reports": false},
		"batch": {"go.delivery.reports": false, "go.batch.producer": true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			topic := c.topic(1)
			p := c.producer(conf)
			for range 20 {
				p.ProduceChannel() <- message(topic, "v")
			}
			eventually(t, "the spans end", func() bool { return len(c.ended("kafka.publish")) == 20 })
			if left := p.Flush(int(patience.Milliseconds())); left != 0 {
				t.Errorf("Flush returned %d", left)
			}
			p.Close()
			for _, event := range collectClosed(p.Events()) {
				if msg, ok := event.(*kafka.Message); ok {
					t.Errorf("unwanted report %v", msg)
				}
			}
		})
	}
}

// collectClosed reads a closed channel to its end.
func collectClosed(ch <-chan kafka.Event) []kafka.Event {
	var events []kafka.Event
	for e := range ch {
		events = append(events, e)
	}
	return events
}
