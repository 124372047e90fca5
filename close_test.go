package tracing_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/codes"

	"github.com/kafkatrace/tracing"
)

// Every span has ended when Close returns; goleak sees that no goroutine is left.
func TestProducerRule07CloseWithMessagesInFlight(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(nil)
	c.brokerDown()
	const n = 500
	reports := make(chan kafka.Event) // nobody reads it
	for i := range n {
		produce(t, p, message(topic, "v"), []chan kafka.Event{reports, nil}[i%2])
	}
	events := collect(p.Events())
	returns(t, "Close with messages in flight", p.Close)
	spans := c.ended("kafka.publish")
	if len(spans) != n {
		t.Fatalf("%d spans had ended when Close returned, want %d", len(spans), n)
	}
	for _, s := range spans {
		if s.Status().Code != codes.Error || s.Status().Description != "producer closed before the delivery report" || attributeOf(s, "error.type") != "_DESTROY" {
			t.Fatalf("status %v, error.type %s", s.Status(), attributeOf(s, "error.type"))
		}
	}
	returns(t, "reading Events() to its end", func() { <-events.done })
	if got := events.reports(); len(got) != 0 {
		t.Errorf("%d reports of messages that were not delivered", len(got))
	}
}

func TestProducerRule07CloseWhileReportsArrive(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	for round := range 15 {
		p, err := tracing.NewProducer(c.producerConfig(nil), c.options()...)
		if err != nil {
			t.Fatal(err)
		}
		const n = 1000
		reports := make(chan kafka.Event, []int{0, 10, n}[round%3])
		for range n {
			produce(t, p, message(topic, "v"), reports)
		}
		for range round * 7 {
			report(t, reports)
		}
		got := collect(reports)
		returns(t, "Close while reports arrive", p.Close)
		if ended := len(c.ended("kafka.publish")); ended != n {
			t.Fatalf("%d spans ended, want %d", ended, n)
		}
		close(reports) // nothing may be sent any more
		<-got.done
		c.spans.Reset()
	}
}

// Nobody reads; the raw client does not hang there either.
func TestProducerRule07CloseWithUnreadChannels(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		conf  kafka.ConfigMap
		own   chan kafka.Event
		flush bool
	}{
		"unbuffered own channel":              {own: make(chan kafka.Event)},
		"full own channel":                    {own: make(chan kafka.Event, 3)},
		"unbuffered Events()":                 {conf: kafka.ConfigMap{"go.events.channel.size": 0}},
		"full Events()":                       {conf: kafka.ConfigMap{"go.events.channel.size": 3}},
		"unbuffered own channel, in a Flush":  {own: make(chan kafka.Event), flush: true},
		"full Events(), in a Flush":           {conf: kafka.ConfigMap{"go.events.channel.size": 3}, flush: true},
		"full Events() and a full own one":    {conf: kafka.ConfigMap{"go.events.channel.size": 3}, own: make(chan kafka.Event, 1)},
		"reports off, unbuffered own channel": {conf: kafka.ConfigMap{"go.delivery.reports": false}, own: make(chan kafka.Event)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			topic := c.topic(1)
			p := c.producer(test.conf)
			const n = 3000
			for i := range n {
				own := test.own
				if name == "full Events() and a full own one" && i%2 == 0 {
					own = nil
				}
				produce(t, p, message(topic, "v"), own)
			}
			eventually(t, "a report waits to be read", func() bool { return len(c.spans.Ended()) > 0 })
			var flushing sync.WaitGroup
			if test.flush {
				began := make(chan struct{})
				flushing.Go(func() {
					close(began)
					p.Flush(60_000)
				})
				<-began
			}
			returns(t, "Close", p.Close)
			returns(t, "Flush", flushing.Wait)
			if ended := len(c.ended("kafka.publish")); ended != n {
				t.Errorf("%d spans ended, want %d", ended, n)
			}
			last := -1
			for event := range p.Events() { // closed, and in order until the first that is lost
				if msg, ok := event.(*kafka.Message); ok {
					// Beside a Flush the client itself reports in no order.
					if int(msg.TopicPartition.Offset) <= last && !test.flush {
						t.Errorf("offset %v after %d", msg.TopicPartition.Offset, last)
					}
					last = int(msg.TopicPartition.Offset)
				}
			}
		})
	}
}

func TestProducerRule07CloseTwiceAndConcurrently(t *testing.T) {
	t.Parallel()
	for name, opts := range offAndOn() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			topic := c.topic(1)
			p := c.producer(nil, opts...)
			for range 100 {
				produce(t, p, message(topic, "v"), nil)
			}
			var closing sync.WaitGroup
			for range 8 {
				closing.Go(func() {
					p.Close()
					// Every one of them returns to a closed producer only.
					for range p.Events() {
					}
					if started, ended := len(c.spans.Started()), len(c.spans.Ended()); started != ended {
						t.Errorf("%d spans started, %d ended", started, ended)
					}
				})
			}
			returns(t, "Close from several goroutines", closing.Wait)
			returns(t, "Close after Close", p.Close)
		})
	}
}

// offAndOn are the options of a traced producer and of one that does nothing.
func offAndOn() map[string][]tracing.Option {
	return map[string][]tracing.Option{"traced": nil, "off": off}
}

var off = []tracing.Option{tracing.WithoutTracing(), tracing.WithoutMetrics(), tracing.WithoutPropagation()}

// The application closes the client that it finds embedded.
func TestProducerRule07ApplicationClosesTheEmbeddedClient(t *testing.T) {
	t.Parallel()
	for _, delivered := range []bool{false, true} {
		for _, size := range []int{0, 1, 1000} {
			t.Run(fmt.Sprintf("delivered=%v,channel=%d", delivered, size), func(t *testing.T) {
				t.Parallel()
				c := newCluster(t)
				topic := c.topic(1)
				p := c.producer(nil)
				if !delivered {
					c.brokerDown()
				}
				const n = 500
				reports := make(chan kafka.Event, size)
				for range n {
					produce(t, p, message(topic, "v"), reports)
				}
				if delivered {
					eventually(t, "reports arrive", func() bool { return len(reports) == min(size, n) && len(c.spans.Ended()) > 0 })
				}
				returns(t, "Close of the embedded client", p.Producer.Close)
				if err := p.Produce(message(topic, "v"), nil); code(t, err) != kafka.ErrState {
					t.Errorf("error %v, want that of a closed client", err)
				}
				returns(t, "reading Events() to its end", func() {
					for range p.Events() {
					}
				})
				close(reports)
				if left := p.Flush(int(patience.Milliseconds())); left != 0 || p.Len() != 0 {
					t.Errorf("Flush returned %d, Len is %d", left, p.Len())
				}
				returns(t, "Close", p.Close)
				published := slices.DeleteFunc(c.publishErrorTypes(), func(s string) bool { return s == "_STATE" })
				if len(published) != n {
					t.Errorf("%d spans ended, want %d", len(published), n)
				}
				if delivered && len(reports) != min(size, n) {
					t.Errorf("%d reports in a channel for %d", len(reports), size)
				}
			})
		}
	}
}

// Two wrappers on one client share it: no report is lost or doubled, no span left.
func TestProducerRule07TwoWrappersOnOneClient(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	raw := c.rawProducer(nil)
	first := tracing.WrapProducer(raw, c.options()...)
	second := tracing.WrapProducer(raw, c.options()...)
	const n = 500
	reports := make(chan kafka.Event, 2*n)
	for i := range n {
		for _, p := range []*tracing.TracedProducer{first, second} {
			msg := message(topic, "v")
			msg.Opaque = i
			produce(t, p, msg, reports)
		}
	}
	seen := map[any]int{}
	for range 2 * n {
		seen[report(t, reports).Opaque]++
	}
	for i := range n {
		if seen[i] != 2 {
			t.Fatalf("%d reports of message %d, want one from each", seen[i], i)
		}
	}
	for _, p := range []*tracing.TracedProducer{first, second} {
		if left := p.Flush(int(patience.Milliseconds())); left != 0 {
			t.Errorf("Flush returned %d", left)
		}
	}
	// Which of the two gets it on its Events() is anybody's guess.
	produce(t, first, message(topic, "v"), nil)
	produce(t, second, message(topic, "v"), nil)
	returns(t, "Close of both", func() {
		first.Close()
		second.Close()
	})
	if ended := len(c.ended("kafka.publish")); ended != 2*n+2 {
		t.Errorf("%d spans ended, want %d", ended, 2*n+2)
	}
}
