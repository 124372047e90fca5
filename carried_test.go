package tracing_test

import (
	"context"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/baggage"

	"github.com/kafkatrace/tracing"
)

// What a message carries is read once, when it is received. It comes on top of the
// context of whoever goes on with it, which keeps everything else.
func TestContextFromMessageIsLaidOverTheCallers(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	msg := message(topic, "v")
	msg.Headers = []kafka.Header{traceparent(spanContext(1)), {Key: "baggage", Value: []byte("tenant=message")}}
	c.produceRaw(msg)
	got := read(t, c.consumer(topic, nil))

	ctx, cancel := context.WithCancel(context.WithValue(withBaggage(t, context.Background(), "tenant=caller,mine=1"), ctxKey{}, "kept"))
	defer cancel()
	continued, stop := context.WithCancel(tracing.ContextFromMessage(ctx, got))
	defer stop()
	if v := continued.Value(ctxKey{}); v != "kept" {
		t.Errorf("the caller's value is %v", v)
	}
	if b := baggage.FromContext(continued).String(); b != "tenant=message" {
		t.Errorf("baggage %q, not the message's", b)
	}
	cancel()
	returns(t, "the wait for the caller's cancellation", func() { <-continued.Done() })
}

func TestContextFromMessageFollowsHeadersThatTheApplicationSets(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	msg := message(topic, "v")
	msg.Headers = []kafka.Header{{Key: "baggage", Value: []byte("tenant=old")}}
	c.produceRaw(msg)
	got := read(t, c.consumer(topic, nil))
	tracing.NewMessageCarrier(got).Set("baggage", "tenant=new")
	if b := baggage.FromContext(tracing.ContextFromMessage(context.Background(), got)).String(); b != "tenant=new" {
		t.Errorf("baggage %q, not that of the headers as they are now", b)
	}
}
