package tracing_test

import (
	"slices"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/trace"
)

// What ends the process in the raw client.
func TestProducerRule13AfterClose(t *testing.T) {
	t.Parallel()
	for name, opts := range offAndOn() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			topic := c.topic(1)
			p := c.producer(nil, opts...)
			p.Close()
			for _, err := range []error{
				p.Produce(message(topic, "v"), nil),
				p.Produce(nil, nil),
				p.ProduceContext(trace.ContextWithSpanContext(t.Context(), trace.SpanContext{}), message(topic, "v"), make(chan kafka.Event)),
				p.Purge(kafka.PurgeQueue),
				p.InitTransactions(t.Context()),
			} {
				if code(t, err) != kafka.ErrState {
					t.Errorf("error %v, want that of a closed client", err)
				}
			}
			if n := p.Len(); n != 0 {
				t.Errorf("Len is %d", n)
			}
			start := time.Now()
			if n := p.Flush(60_000); n != 0 || time.Since(start) > 10*time.Second {
				t.Errorf("Flush returned %d after %v", n, time.Since(start))
			}
			if !p.IsClosed() {
				t.Error("IsClosed is false")
			}
		})
	}
}

// The client panics on the first message if librdkafka finds the topic's
// configuration invalid, as here, where linger.ms is not below the timeout.
func TestProducerRule13InvalidTopicConfiguration(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(kafka.ConfigMap{"transactional.id": "till-1", "linger.ms": 60_000})
	for range 2 {
		if err := p.Produce(message(topic, "v"), nil); code(t, err) != kafka.ErrInvalidArg {
			t.Errorf("error %v, want an invalid argument", err)
		}
	}
	if n := p.Len(); n != 0 {
		t.Errorf("Len is %d", n)
	}
	if got := c.publishErrorTypes(); !slices.Equal(got, []string{"_INVALID_ARG", "_INVALID_ARG"}) {
		t.Errorf("spans with error types %q", got)
	}
}
