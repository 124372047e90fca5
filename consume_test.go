package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
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

// The end of ctx and Close, before a message, between and within handlers.
func TestConsumeCleanExits(t *testing.T) {
	c := newCluster(t)
	topic := c.topic(1)

	t.Run("ctx ends while nothing arrives", func(t *testing.T) {
		consumer := c.member(topic, nil)
		ctx, stop := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer stop()
		if err := consumer.Consume(ctx, func(context.Context, *kafka.Message) error { return nil }); err != nil {
			t.Error(err)
		}
	})
	t.Run("Close", func(t *testing.T) {
		c.fill(topic, 1)
		consumer := c.member(topic, kafka.ConfigMap{"group.id": "closing"})
		done, handled := make(chan error, 1), make(chan struct{}, 1)
		go func() {
			done <- consumer.Consume(context.Background(), func(context.Context, *kafka.Message) error {
				handled <- struct{}{}
				return nil
			})
		}()
		receiveEvent(t, handled)
		second := consumer.Consume(context.Background(), func(context.Context, *kafka.Message) error { return nil })
		if codeOf(second) != kafka.ErrConflict {
			t.Errorf("a second loop returned %v", second)
		}
		if err := consumer.Close(); err != nil {
			t.Error(err)
		}
		if err := receiveEvent(t, done); err != nil {
			t.Error(err)
		}
	})
	t.Run("ctx ends within a handler", func(t *testing.T) {
		c.fill(topic, 1)
		consumer := c.member(topic, kafka.ConfigMap{"enable.auto.commit": false, "group.id": "within"})
		ctx, stop := context.WithCancel(context.Background())
		err := consumer.Consume(ctx, func(ctx context.Context, _ *kafka.Message) error {
			stop()
			return fmt.Errorf("query: %w", ctx.Err())
		}, tracing.WithCommitInterval(0), tracing.WithErrorHandler(func(context.Context, *kafka.Message, error) error {
			t.Error("the error handler was called")
			return nil
		}))
		if err != nil {
			t.Error(err)
		}
		if got := committed(t, consumer, topic); got >= 0 {
			t.Errorf("committed %v", got)
		}
	})
}

func TestConsumeRefusesToLoseMessages(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	handle := func(context.Context, *kafka.Message) error { return nil }
	for name, kv := range map[string]kafka.ConfigMap{
		"offsets stored before handling": {},
		"events channel":                 {"enable.auto.offset.store": "false", "go.events.channel.enable": true},
	} {
		consumer := c.consumer("", kv)
		if err := consumer.Consume(context.Background(), handle); codeOf(err) != kafka.ErrInvalidArg {
			t.Errorf("%s: %v", name, err)
		}
	}
	consumer := c.consumer("", kafka.ConfigMap{"enable.auto.offset.store": false})
	if err := consumer.Consume(context.Background(), nil); codeOf(err) != kafka.ErrInvalidArg {
		t.Errorf("no handler: %v", err)
	}
	if err := consumer.ConsumeBatch(context.Background(), 0, 0, func(context.Context, []*kafka.Message) error { return nil }); codeOf(err) != kafka.ErrInvalidArg {
		t.Errorf("no size: %v", err)
	}
}

// Broker errors, and a topic that comes into being later, do not end the loop.
func TestConsumeSurvivesBrokerErrors(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := fmt.Sprintf("later-%d", topics.Add(1))
	consumer := c.member(topic, kafka.ConfigMap{"topic.metadata.refresh.interval.ms": 50, "reconnect.backoff.max.ms": 100})
	var events atomic.Int64
	ctx, stop := context.WithCancel(context.Background())
	var handled sync.WaitGroup
	handled.Add(1)
	done := make(chan error, 1)
	go func() {
		done <- consumer.Consume(ctx, func(context.Context, *kafka.Message) error {
			handled.Done()
			return nil
		}, tracing.WithEventHandler(func(context.Context, kafka.Event) { events.Add(1) }))
	}()
	if err := c.mock.SetBrokerDown(-1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the client reports that the broker is down", func() bool { return events.Load() > 0 })
	if err := c.mock.SetBrokerUp(-1); err != nil {
		t.Fatal(err)
	}
	if err := c.mock.CreateTopic(topic, 1, 1); err != nil {
		t.Fatal(err)
	}
	c.fill(topic, 1)
	handled.Wait()
	stop()
	if err := receiveEvent(t, done); err != nil {
		t.Error(err)
	}
}

func TestConsumeBatchClosesOnSizeAndTime(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	c.fill(topic, 25)
	consumer := c.member(topic, kafka.ConfigMap{"enable.auto.commit": false})
	ctx, stop := context.WithCancel(context.Background())
	var sizes []int
	err := consumer.ConsumeBatch(ctx, 10, 300*time.Millisecond, func(_ context.Context, msgs []*kafka.Message) error {
		sizes = append(sizes, len(msgs))
		if len(sizes) == 3 {
			stop()
		}
		return nil
	}, tracing.WithCommitInterval(0))
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(sizes) != "[10 10 5]" {
		t.Errorf("batches of %v", sizes)
	}
	if got := committed(t, consumer, topic); got != 25 {
		t.Errorf("committed %v", got)
	}
	receives, processes := c.ended("kafka.receive"), c.ended("kafka.process")
	if len(receives) != 3 || len(processes) != 3 {
		t.Fatalf("%d receive and %d process spans", len(receives), len(processes))
	}
	first := receives[0]
	assertBatch(t, c, first, trace.SpanKindClient, "receive", trace.SpanContext{}, topic, consumer.String())
	assertBatch(t, c, processes[0], trace.SpanKindConsumer, "process", first.SpanContext(), topic, consumer.String())
}

// assertBatch asserts a span over the first ten messages.
func assertBatch(t *testing.T, c *cluster, got sdktrace.ReadOnlySpan, kind trace.SpanKind, op string, parent trace.SpanContext, topic, client string) {
	t.Helper()
	var links []trace.SpanContext
	for _, s := range c.ended("kafka.publish") {
		for i := range 10 {
			if attributeOf(s, "messaging.kafka.offset") == fmt.Sprint(i) {
				links = append(links, s.SpanContext())
			}
		}
	}
	assertSpan(t, got, wantSpan{
		name: "kafka." + op, kind: kind, parent: parent, links: links,
		attributes: append(c.serverAttributes(),
			attribute.String("messaging.system", "kafka"),
			attribute.String("messaging.operation.name", op),
			attribute.String("messaging.operation.type", op),
			attribute.String("messaging.destination.name", topic),
			attribute.String("messaging.destination.partition.id", "0"),
			attribute.String("messaging.consumer.group.name", "billing"),
			attribute.String("messaging.client.id", client),
			attribute.Int("messaging.batch.message_count", 10),
		),
	})
	for i, l := range got.Links() {
		want := attribute.NewSet(attribute.Int("messaging.kafka.offset", i))
		if set := attribute.NewSet(l.Attributes...); !set.Equals(&want) {
			t.Errorf("link %d has %v", i, l.Attributes)
		}
	}
}
