package tracing_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
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

// Close waits for a transaction call that is under way, which its context bounds: the
// client ends the process if it is destroyed beneath one.
func TestProducerRule13CloseDuringATransactionCall(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(kafka.ConfigMap{"transactional.id": "till-1"}, tracing.WithTransactionSpans())
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := p.InitTransactions(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, p, message(topic, "v"), nil)
	c.brokerDown()
	soon, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	committed, closed := make(chan error, 1), make(chan struct{})
	go func() { committed <- p.CommitTransaction(soon) }()
	eventually(t, "the commit begins", func() bool { return slices.ContainsFunc(c.spans.Started(), isCommit) })
	go func() { defer close(closed); p.Close() }()
	eventually(t, "closing has begun", func() bool { return codeOf(p.InitTransactions(ctx)) == kafka.ErrState })
	if p.IsClosed() {
		t.Error("the client is closed while a call is in it")
	}
	if err := receiveEvent(t, committed); codeOf(err) != kafka.ErrTimedOut {
		t.Errorf("the commit returned %v", err)
	}
	returns(t, "Close", func() { <-closed })
}

func isCommit(s sdktrace.ReadWriteSpan) bool { return s.Name() == "kafka.commit_transaction" }

// So it does for a query, beneath which the raw client may end the process.
func TestProducerRule13CloseDuringAQuery(t *testing.T) {
	t.Parallel()
	const timeout = 1000
	for name, query := range map[string]func(p *tracing.TracedProducer, topic string) error{
		"QueryWatermarkOffsets": func(p *tracing.TracedProducer, topic string) error {
			_, _, err := p.QueryWatermarkOffsets(topic, 0, timeout)
			return err
		},
		"OffsetsForTimes": func(p *tracing.TracedProducer, topic string) error {
			_, err := p.OffsetsForTimes([]kafka.TopicPartition{{Topic: &topic, Offset: 1}}, timeout)
			return err
		},
		"GetMetadata": func(p *tracing.TracedProducer, topic string) error {
			_, err := p.GetMetadata(&topic, false, timeout)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			p := c.producer(kafka.ConfigMap{"bootstrap.servers": "127.0.0.1:1"})
			collect(p.Events()) // of the client's own errors
			answered := make(chan error, 1)
			go func() { answered <- query(p, "some") }()
			eventually(t, "the call is in the client", func() bool { return p.Inside() == 1 })
			returns(t, "Close", p.Close)
			select {
			case <-answered:
			default:
				t.Errorf("Close returned before the call did, with %v", receiveEvent(t, answered))
			}
		})
	}
}

// The client panics.
func TestProducerRule13MetadataOfALongTopic(t *testing.T) {
	t.Parallel()
	p := newCluster(t).producer(nil)
	topic := strings.Repeat("x", 513)
	if _, err := p.GetMetadata(&topic, false, 1000); codeOf(err) != kafka.ErrInvalidArg {
		t.Errorf("GetMetadata returned %v", err)
	}
}
