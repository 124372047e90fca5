package tracing_test

import (
	"context"
	"errors"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"

	"github.com/kafkatrace/tracing"
)

// Send gets its report whatever becomes of those of other messages.
func TestSendWhereReportsAreNotForwarded(t *testing.T) {
	t.Parallel()
	for confName, conf := range map[string]kafka.ConfigMap{
		"reports off":             {"go.delivery.reports": false, "linger.ms": 50},
		"reports of errors only":  {"delivery.report.only.error": "true"},
		"reports off, for errors": {"delivery.report.only.error": "true", "go.delivery.reports": false},
	} {
		for name, opts := range map[string][]tracing.Option{"traced": nil, "off": off} {
			t.Run(confName+" "+name, func(t *testing.T) {
				t.Parallel()
				c := newCluster(t)
				topic := c.topic(1)
				p := c.producer(conf, opts...)
				// The client loses reports where messages with and without a channel are mixed.
				produce(t, p, message(topic, "without a channel"), nil)
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				if tp, err := p.Send(ctx, message(topic, "sent")); err != nil || tp.Offset != 1 {
					t.Errorf("Send returned %v, %v", tp, err)
				}
				if _, err := p.SendBatch(ctx, []*kafka.Message{message(topic, "a"), message(topic, "b")}); err != nil {
					t.Errorf("SendBatch returned %v", err)
				}
				if left := p.Flush(int(patience.Milliseconds())); left != 0 {
					t.Errorf("Flush returned %d", left)
				}
				if n := len(p.Events()); n != 0 {
					t.Errorf("%d unwanted reports in Events()", n)
				}
			})
		}
	}
}

// What is known to be delivered when ctx ends is not returned as undelivered: an
// application would send it again.
func TestSendBatchKeepsReportsThatHaveComeIn(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	const n = 20
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var p *tracing.TracedProducer
	p = c.producer(nil, tracing.WithFilter(func(msg *kafka.Message) bool {
		if string(msg.Value) == "last" {
			eventually(t, "the others are reported", func() bool { return len(c.ended("kafka.publish")) == n && p.Len() == 0 })
			cancel()
		}
		return true
	}))
	msgs := make([]*kafka.Message, n+1)
	for i := range msgs {
		msgs[i] = message(topic, "v")
	}
	msgs[n].Value = []byte("last")
	results, err := p.SendBatch(ctx, msgs)
	for i, r := range results[:n] {
		if r.Error != nil || int(r.Offset) != i {
			t.Errorf("message %d: %v", i, r)
		}
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Close may have to wait for others; who waits for a report within ctx does not.
func TestSendKeepsToItsContextWhileClosing(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	entered, leave := make(chan struct{}), make(chan struct{})
	p := c.producer(nil, tracing.WithFilter(func(msg *kafka.Message) bool {
		if string(msg.Value) == "slow" {
			close(entered)
			<-leave
		}
		return true
	}))
	c.brokerDown()
	slow, sent, closed := make(chan error, 1), make(chan error, 1), make(chan struct{})
	go func() { slow <- p.Produce(message(topic, "slow"), nil) }()
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, err := p.Send(ctx, message(topic, "v"))
		sent <- err
	}()
	eventually(t, "the message is in the queue", func() bool { return p.Len() > 0 })
	go func() { p.Close(); close(closed) }()
	eventually(t, "closing has begun", func() bool { return codeOf(p.InitTransactions(t.Context())) == kafka.ErrState })
	cancel()
	if err := receiveEvent(t, sent); !errors.Is(err, context.Canceled) {
		t.Errorf("Send returned %v", err)
	}
	close(leave)
	if err := receiveEvent(t, slow); err != nil {
		t.Error(err)
	}
	returns(t, "Close", func() { <-closed })
}

func TestSendWhileTheApplicationClosesTheEmbeddedClient(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]tracing.Option{"traced": nil, "off": off} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			p := c.producer(nil, opts...)
			topic := c.topic(1)
			c.brokerDown()
			sent := make(chan error, 1)
			go func() {
				_, err := p.Send(context.Background(), message(topic, "v"))
				sent <- err
			}()
			eventually(t, "the message is in the queue", func() bool { return p.Len() > 0 })
			p.Producer.Close()
			if err := receiveEvent(t, sent); codeOf(err) != kafka.ErrDestroy {
				t.Errorf("Send returned %v", err)
			}
		})
	}
}

// By which message a report is known in a batch is nobody else's business.
func TestSendBatchShowsTheMessagesOwnOpaque(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	var seen []any
	p := c.producer(nil,
		tracing.WithFilter(func(msg *kafka.Message) bool { seen = append(seen, msg.Opaque); return true }),
		tracing.WithMessageAttributes(func(msg *kafka.Message) []attribute.KeyValue { seen = append(seen, msg.Opaque); return nil }))
	msg := message(c.topic(1), "v")
	msg.Opaque = "mine"
	if _, err := p.SendBatch(t.Context(), []*kafka.Message{msg}); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 2 || seen[0] != "mine" || seen[1] != "mine" {
		t.Errorf("saw %v", seen)
	}
}

// The client takes a topic name that no broker has; exporters do not.
func TestPublishTopicThatIsNotText(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	p := c.producer(nil, tracing.WithSpanNameFormatter(tracing.SemconvSpanName))
	produce(t, p, message("a\xff", "v"), nil)
	p.Close()
	if got := attributeOf(c.only("publish a\ufffd"), "messaging.destination.name"); got != "a\ufffd" {
		t.Errorf("destination %q", got)
	}
}
