package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

// member makes a traced consumer that joins a group. The mock broker completes a
// join at once with the newer protocol only.
func (c *cluster) member(topic string, kv kafka.ConfigMap, opts ...tracing.Option) *tracing.TracedConsumer {
	c.t.Helper()
	conf := kafka.ConfigMap{
		"group.protocol": "consumer", "enable.auto.offset.store": false, "enable.auto.commit": true,
		"auto.commit.interval.ms": 10,
	}
	for k, v := range kv {
		conf[k] = v
	}
	consumer := c.consumer("", conf, opts...)
	if err := consumer.Subscribe(topic, nil); err != nil {
		c.t.Fatal(err)
	}
	return consumer
}

// fill produces n messages to partition 0 of topic, with the values 0 to n-1.
func (c *cluster) fill(topic string, n int) {
	c.t.Helper()
	p := c.producer(nil)
	msgs := make([]*kafka.Message, n)
	for i := range msgs {
		msgs[i] = message(topic, fmt.Sprint(i))
	}
	if _, err := p.SendBatch(context.Background(), msgs); err != nil {
		c.t.Fatal(err)
	}
}

// committed returns the offset that the group has committed for partition 0.
func committed(t *testing.T, c *tracing.TracedConsumer, topic string) kafka.Offset {
	t.Helper()
	tps, err := c.Committed([]kafka.TopicPartition{{Topic: &topic, Partition: 0}}, int(patience.Milliseconds()))
	if err != nil {
		t.Fatal(err)
	}
	return tps[0].Offset
}

func TestConsumeHandlesStoresAndStops(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	c.fill(topic, 10)
	consumer := c.member(topic, kafka.ConfigMap{"enable.auto.commit": false})
	ctx, stop := context.WithCancel(context.Background())
	var values []string
	err := consumer.Consume(ctx, func(ctx context.Context, msg *kafka.Message) error {
		if !trace.SpanFromContext(ctx).IsRecording() {
			t.Error("the handler's context has no open span")
		}
		values = append(values, string(msg.Value))
		if len(values) == 10 {
			stop()
		}
		return nil
	}, tracing.WithCommitInterval(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(values, ""); got != "0123456789" {
		t.Errorf("handled %s", got)
	}
	if got := committed(t, consumer, topic); got != 10 {
		t.Errorf("committed %v at the end, want 10", got)
	}
	receives := map[trace.SpanID]bool{}
	for _, s := range c.ended("kafka.receive") {
		receives[s.SpanContext().SpanID()] = true
	}
	processes := c.ended("kafka.process")
	if len(receives) != 10 || len(processes) != 10 {
		t.Fatalf("%d receive and %d process spans", len(receives), len(processes))
	}
	for _, s := range processes {
		if !receives[s.Parent().SpanID()] {
			t.Error("a process span is no child of a receive span")
		}
	}
}

// At least once: what failed, and all after it, is handled by the next consumer.
func TestConsumeStopsAtAFailure(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	c.fill(topic, 5)
	consumer := c.member(topic, nil)
	broken := errors.New("broken")
	err := consumer.Consume(context.Background(), func(_ context.Context, msg *kafka.Message) error {
		if string(msg.Value) == "3" {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), topic+"[0]@3") {
		t.Errorf("Consume returned %v", err)
	}
	if err := consumer.Close(); err != nil { // commits what is stored
		t.Fatal(err)
	}
	next := c.member(topic, nil)
	if got := committed(t, next, topic); got != 3 {
		t.Errorf("committed %v, want 3", got)
	}
	ctx, stop := context.WithCancel(context.Background())
	err = next.Consume(ctx, func(_ context.Context, msg *kafka.Message) error {
		if string(msg.Value) != "3" {
			t.Errorf("the first message is %s", msg.Value)
		}
		stop()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestConsumeErrorHandlerDecides(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	c.fill(topic, 5)
	consumer := c.member(topic, kafka.ConfigMap{"enable.auto.commit": false})
	broken, enough := errors.New("broken"), errors.New("enough")
	var dead []string
	err := consumer.Consume(context.Background(), func(context.Context, *kafka.Message) error { return broken },
		tracing.WithCommitInterval(0),
		tracing.WithErrorHandler(func(ctx context.Context, msg *kafka.Message, err error) error {
			if !errors.Is(err, broken) {
				t.Errorf("the error handler got %v", err)
			}
			receives := c.ended("kafka.receive")
			if got, want := trace.SpanContextFromContext(ctx).SpanID(), receives[len(receives)-1].SpanContext().SpanID(); got != want {
				t.Errorf("the error handler's context is %v, want the message's, %v", got, want)
			}
			if string(msg.Value) == "2" {
				return enough
			}
			dead = append(dead, string(msg.Value))
			return nil
		}))
	if !errors.Is(err, enough) {
		t.Errorf("Consume returned %v", err)
	}
	if got := strings.Join(dead, ""); got != "01" {
		t.Errorf("dead letters %s", got)
	}
	if got := committed(t, consumer, topic); got != 2 {
		t.Errorf("committed %v, want 2", got)
	}
}

func TestConsumePanicGoesOn(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	c.fill(topic, 2)
	consumer := c.member(topic, kafka.ConfigMap{"enable.auto.commit": false})
	func() {
		defer func() {
			if r := recover(); r != "ouch" {
				t.Errorf("recovered %v", r)
			}
		}()
		_ = consumer.Consume(context.Background(), func(_ context.Context, msg *kafka.Message) error {
			if string(msg.Value) == "1" {
				panic("ouch")
			}
			return nil
		}, tracing.WithCommitInterval(time.Hour))
	}()
	spans := c.ended("kafka.process")
	if got := attributeOf(spans[len(spans)-1], "error.type"); got != "panic" {
		t.Errorf("error.type %q", got)
	}
	if got := committed(t, consumer, topic); got != 1 {
		t.Errorf("committed %v, want 1", got)
	}
}
