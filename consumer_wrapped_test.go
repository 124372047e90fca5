package tracing_test

import (
	"context"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

func TestConsumerWrapped(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	raw := c.rawConsumer(c.fillTopic("hello"), kafka.ConfigMap{"client.id": "unseen"})
	consumer := tracing.WrapConsumer(raw, c.options(
		tracing.WithConsumerGroup("ledger"), tracing.WithClientID("till-7"), tracing.WithServerAddress("kafka.example:9093"))...)
	t.Cleanup(func() { _ = consumer.Close() })
	if consumer.Consumer != raw {
		t.Error("the embedded consumer is not the wrapped one")
	}
	read(t, consumer)
	got := attribute.NewSet(c.only("kafka.receive").Attributes()...)
	for _, want := range []attribute.KeyValue{
		attribute.String("messaging.consumer.group.name", "ledger"),
		attribute.String("messaging.client.id", "till-7"),
		attribute.String("server.address", "kafka.example"),
		attribute.Int("server.port", 9093),
	} {
		if v, ok := got.Value(want.Key); !ok || v != want.Value {
			t.Errorf("%s is %v, want %v", want.Key, v.String(), want.Value.String())
		}
	}
}

// Without the options a wrapped client tells its own name and nothing else.
func TestConsumerWrappedWithoutOptions(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	raw := c.rawConsumer(c.fillTopic("hello"), nil)
	consumer := tracing.WrapConsumer(raw, c.options()...)
	t.Cleanup(func() { _ = consumer.Close() })
	read(t, consumer)
	got := attribute.NewSet(c.only("kafka.receive").Attributes()...)
	if v, _ := got.Value("messaging.client.id"); v.AsString() != raw.String() || raw.String() == "" {
		t.Errorf("client id %q, want %q", v.AsString(), raw.String())
	}
	for _, key := range []attribute.Key{"messaging.consumer.group.name", "server.address", "server.port"} {
		if got.HasValue(key) {
			t.Errorf("%s is there", key)
		}
	}
}

func TestConsumerFilteredMessagesPassUntouched(t *testing.T) {
	t.Parallel()
	for way, receive := range waysToReceive {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			consumer := c.consumer(c.fillTopic("secret", "open"), kafka.ConfigMap{"go.events.channel.enable": way == "Events"},
				tracing.WithFilter(func(m *kafka.Message) bool { return string(m.Value) != "secret" }))
			secret, open := receive(t, consumer), receive(t, consumer)
			if secret.Opaque != nil || open.Opaque == nil {
				t.Errorf("Opaque of the filtered message %v, of the other %v", secret.Opaque, open.Opaque)
			}
			if got := c.only("kafka.receive"); !hasAttribute(got.Attributes(), attribute.Int64("messaging.kafka.offset", 1)) {
				t.Errorf("the span is not the second message's: %v", got.Attributes())
			}
			ctx, end := consumer.StartProcess(context.Background(), secret)
			end(nil)
			if trace.SpanContextFromContext(ctx).IsValid() || len(c.ended("kafka.process")) != 0 {
				t.Error("a filtered message has a process span")
			}
		})
	}
}

func hasAttribute(attrs []attribute.KeyValue, want attribute.KeyValue) bool {
	set := attribute.NewSet(attrs...)
	v, ok := set.Value(want.Key)
	return ok && v == want.Value
}

// Close of a consumer whose embedded client the application has closed.
func TestConsumerRule05TheApplicationClosesTheEmbeddedClient(t *testing.T) {
	t.Parallel()
	for _, events := range []bool{false, true} {
		c := newCluster(t)
		consumer := c.consumer(c.fillTopic("a", "b"), kafka.ConfigMap{"go.events.channel.enable": events, "go.events.channel.size": 0})
		if events {
			eventually(t, "an event waits to be read", func() bool { return len(c.ended("kafka.receive")) == 1 })
		}
		if err := consumer.Consumer.Close(); err != nil {
			t.Fatal(err)
		}
		returns(t, "the goroutine behind Events()", func() { <-consumer.Done() })
		if event := consumer.Poll(-1); event != nil {
			t.Errorf("Poll returned %v", event)
		}
		if _, err := consumer.ReadMessage(-1); err == nil {
			t.Error("ReadMessage returned no error")
		}
		if err := consumer.Close(); err == nil {
			t.Error("Close returned no error")
		}
	}
}

// Two wrappers on one client: each message is received once, by one of them, and only
// the first Close closes the client.
func TestConsumerRule05TwoWrappersOnOneClient(t *testing.T) {
	t.Parallel()
	for name, events := range map[string]bool{"Poll": false, "Events": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			const n = 20
			raw := c.rawConsumer(c.fillTopic(make([]string, n)...), kafka.ConfigMap{"go.events.channel.enable": events})
			wrappers := []*tracing.TracedConsumer{tracing.WrapConsumer(raw, c.options()...), tracing.WrapConsumer(raw, c.options()...)}
			offsets := map[kafka.Offset]bool{}
			for i := 0; len(offsets) < n; i++ {
				var event kafka.Event
				if events { // which of them gets it is anybody's guess
					select {
					case event = <-wrappers[0].Events():
					case event = <-wrappers[1].Events():
					case <-time.After(patience):
						t.Fatalf("%d of %d messages arrived", len(offsets), n)
					}
				} else {
					event = wrappers[i%2].Poll(int(patience.Milliseconds()))
				}
				msg, ok := event.(*kafka.Message)
				if !ok || offsets[msg.TopicPartition.Offset] {
					t.Fatalf("received %v", event)
				}
				offsets[msg.TopicPartition.Offset] = true
			}
			closeWithin(t, wrappers[0])
			if event := wrappers[1].Poll(-1); event != nil {
				t.Errorf("the other wrapper's Poll returned %v", event)
			}
			returns(t, "Close of the other", func() {
				if err := wrappers[1].Close(); codeOf(err) != kafka.ErrState {
					t.Errorf("Close of the other returned %v", err)
				}
			})
			if spans := len(c.ended("kafka.receive")); spans != n {
				t.Errorf("%d receive spans, want %d", spans, n)
			}
		})
	}
}
