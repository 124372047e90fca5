package tracing_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/kafkatrace/tracing"
)

// patiently retries until a busy machine has connected.
var patiently = tracing.WithRetry(tracing.RetryPolicy{Attempts: 100, FirstDelay: time.Millisecond})

// A message timeout is retried until the broker is back: one send span without an
// error over one publish span for each attempt, and every attempt's header is its
// own span's.
func TestRetryUntilDelivered(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(kafka.ConfigMap{"message.timeout.ms": 200})
	// From then on the client knows the topic.
	if _, err := p.SendBatch(context.Background(), []*kafka.Message{message(topic, "first")}, patiently); err != nil {
		t.Fatal(err)
	}
	if err := c.mock.SetBrokerDown(-1); err != nil {
		t.Fatal(err)
	}
	msg := message(topic, "again")
	msg.Headers = []kafka.Header{{Key: "traceparent", Value: []byte("stale")}, {Key: "app", Value: []byte("1")}}
	failures := 0
	tp, err := p.Send(context.Background(), msg, tracing.WithRetry(tracing.RetryPolicy{
		Attempts: 100, FirstDelay: time.Millisecond, MaxDelay: 20 * time.Millisecond,
		Retriable: func(err error) bool {
			if failures++; failures == 2 {
				if err := c.mock.SetBrokerUp(-1); err != nil {
					t.Error(err)
				}
			}
			return tracing.IsRetriable(err)
		},
	}))
	if err != nil || tp.Error != nil {
		t.Fatalf("Send returned %v, %v", tp, err)
	}

	send := c.only("kafka.send")
	if send.Status().Code != codes.Unset || attributeOf(send, "error.type") != "" {
		t.Errorf("an error that was overcome is on the send span: %v", send.Status())
	}
	if got := attributeOf(send, "messaging.kafka.offset"); got != tp.Offset.String() {
		t.Errorf("offset of the send span %s, want %v", got, tp.Offset)
	}
	var attempts []sdktrace.ReadOnlySpan
	for _, s := range c.ended("kafka.publish") {
		if s.SpanContext().TraceID() == send.SpanContext().TraceID() {
			attempts = append(attempts, s)
		}
	}
	if len(attempts) < 3 {
		t.Fatalf("%d attempts", len(attempts))
	}
	last := len(attempts) - 1
	for i, s := range attempts {
		if s.Parent().SpanID() != send.SpanContext().SpanID() {
			t.Errorf("attempt %d is a child of %v", i, s.Parent().SpanID())
		}
		if i < last && attributeOf(s, "error.type") != "_MSG_TIMED_OUT" {
			t.Errorf("attempt %d: error.type %q", i, attributeOf(s, "error.type"))
		}
	}

	consumer := c.consumer(topic, nil)
	got := read(t, consumer)
	for got.TopicPartition.Offset != tp.Offset {
		got = read(t, consumer)
	}
	var parents []string
	for _, h := range got.Headers {
		if h.Key == "traceparent" {
			parents = append(parents, string(h.Value))
		}
	}
	own := attempts[last].SpanContext()
	if want := "00-" + own.TraceID().String() + "-" + own.SpanID().String() + "-01"; len(parents) != 1 || parents[0] != want {
		t.Errorf("traceparent %q, want one, %q", parents, want)
	}
	if string(msg.Headers[0].Value) != "stale" || len(msg.Headers) != 2 {
		t.Errorf("the message was written to: %v", msg.Headers)
	}
}

func TestRetryGivesUp(t *testing.T) {
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(kafka.ConfigMap{"message.max.bytes": 1000})
	large := message(topic, string(make([]byte, 2000)))

	t.Run("what is not retriable", func(t *testing.T) {
		_, err := p.Send(context.Background(), large, tracing.WithRetry(tracing.RetryPolicy{}))
		if codeOf(err) != kafka.ErrMsgSizeTooLarge {
			t.Errorf("Send returned %v", err)
		}
		if n := len(c.ended("kafka.publish")); n != 1 {
			t.Errorf("%d attempts", n)
		}
		if s := c.only("kafka.send"); attributeOf(s, "error.type") != "MESSAGE_TOO_LARGE" || s.Status().Code != codes.Error {
			t.Errorf("send span: %v %v", s.Status(), s.Attributes())
		}
	})
	t.Run("after the last attempt", func(t *testing.T) {
		before := len(c.ended("kafka.publish"))
		_, err := p.Send(context.Background(), large, tracing.WithRetry(tracing.RetryPolicy{
			Attempts: 3, FirstDelay: time.Millisecond, Jitter: -1,
			Retriable: func(error) bool { return true },
		}))
		// The client's own error, not a wrapper of the backoff library.
		var e kafka.Error
		if !errors.As(err, &e) || err != error(e) {
			t.Errorf("Send returned %T %v", err, err)
		}
		if n := len(c.ended("kafka.publish")) - before; n != 3 {
			t.Errorf("%d attempts", n)
		}
	})
	t.Run("when ctx ends", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		_, err := p.Send(ctx, large, tracing.WithRetry(tracing.RetryPolicy{
			FirstDelay: time.Hour, MaxDelay: time.Hour,
			Retriable: func(error) bool { cancel(); return true },
		}))
		if !errors.Is(err, context.Canceled) || codeOf(err) != kafka.ErrMsgSizeTooLarge {
			t.Errorf("Send returned %v", err)
		}
	})
}

func TestRetryOfABatchSendsOnlyWhatFailed(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(kafka.ConfigMap{"message.max.bytes": 1000})
	large := message(topic, string(make([]byte, 2000)))
	asked := 0
	results, err := p.SendBatch(context.Background(), []*kafka.Message{message(topic, "a"), large, message(topic, "b")},
		tracing.WithRetry(tracing.RetryPolicy{
			Attempts: 3, FirstDelay: time.Millisecond,
			Retriable: func(error) bool { asked++; return asked < 2 },
		}))
	if codeOf(results[1].Error) != kafka.ErrMsgSizeTooLarge || !errors.Is(err, results[1].Error) {
		t.Errorf("results %v, error %v", results, err)
	}
	if results[0].Error != nil || results[2].Error != nil {
		t.Errorf("results %v", results)
	}
	// Three, and the large one again: a and b are not sent twice.
	if n := len(c.ended("kafka.publish")); n != 4 {
		t.Errorf("%d publish spans, want 4", n)
	}
	c.only("kafka.publish_batch")
}
