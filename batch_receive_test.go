package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

func TestReadBatchWaitsForTheFirstThenForTheRest(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	consumer := c.consumer(topic, nil)

	ctx, cancel := context.WithTimeout(context.Background(), 150*time.Millisecond)
	defer cancel()
	if msgs, err := consumer.ReadBatch(ctx, 10, time.Hour); len(msgs) != 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an idle topic gave %v, %v", msgs, err)
	}
	if n := len(c.ended("kafka.receive")); n != 0 {
		t.Errorf("%d receive spans for no message", n)
	}

	c.fill(topic, 3)
	start := time.Now()
	const wait = 200 * time.Millisecond
	msgs, err := consumer.ReadBatch(context.Background(), 10, wait)
	if len(msgs) != 3 || err != nil {
		t.Fatalf("got %d messages, %v", len(msgs), err)
	}
	if took := time.Since(start); took < wait {
		t.Errorf("a half-full batch closed after %v, not %v", took, wait)
	}

	c.fill(topic, 2)
	ctx, cancel = context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	if msgs, err := consumer.ReadBatch(ctx, 10, time.Hour); len(msgs) != 2 || err != nil {
		t.Errorf("at ctx's end %d messages, %v", len(msgs), err)
	}
	if err := consumer.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := consumer.ReadBatch(context.Background(), 10, time.Hour); codeOf(err) != kafka.ErrState {
		t.Errorf("after Close: %v", err)
	}
	if _, err := consumer.ReadBatch(context.Background(), 0, 0); codeOf(err) != kafka.ErrInvalidArg {
		t.Errorf("size 0: %v", err)
	}
}

func TestReadBatchEndsAtARebalance(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	c.fill(topic, 1)
	consumer := c.member(topic, nil)
	batches := make(chan []*kafka.Message, 1)
	go func() {
		msgs, err := consumer.ReadBatch(context.Background(), 10, time.Hour)
		if err != nil {
			t.Error(err)
		}
		batches <- msgs
	}()
	eventually(t, "the batch has begun", func() bool {
		at, err := consumer.Position([]kafka.TopicPartition{{Topic: &topic, Partition: 0}})
		return err == nil && at[0].Offset == 1
	})
	if err := consumer.Unsubscribe(); err != nil {
		t.Fatal(err)
	}
	if msgs := receiveEvent(t, batches); len(msgs) != 1 {
		t.Errorf("%d messages", len(msgs))
	}
}

// A message of a batch that is forwarded, or processed by itself, continues its
// own trace, with the propagator of the consumer.
func TestMessagesOfABatchContinueTheirOwnTraces(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	in, out := c.topic(1), c.topic(1)
	c.fill(in, 2)
	consumer := c.consumer(in, nil, tracing.WithLinkedTraces())
	msgs, err := consumer.ReadBatch(context.Background(), 2, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	publishes := c.ended("kafka.publish")
	p := c.producer(nil)
	for i, msg := range msgs {
		ctx := tracing.ContextFromMessage(context.Background(), msg)
		if got := trace.SpanContextFromContext(ctx).SpanID(); got != publishes[i].SpanContext().SpanID() {
			t.Errorf("message %d continues %v", i, got)
		}
		msg.TopicPartition = kafka.TopicPartition{Topic: &out, Partition: 0}
		if _, err := p.Send(context.Background(), msg); err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range c.ended("kafka.publish")[2:] {
		if s.Parent().SpanID() != publishes[i].SpanContext().SpanID() {
			t.Errorf("forward %d is a child of %v", i, s.Parent().SpanID())
		}
	}
}

// Messages of two topics and partitions, two of them with the same context: one
// link for each context, with what differs.
func TestProcessBatchLinksEachContextOnce(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	consumer := c.consumer("", nil)
	tracer := c.tp.Tracer("app")
	consumed := func(topic string, partition int32, offset kafka.Offset, sc trace.SpanContext) *kafka.Message {
		msg := message(topic, "x")
		msg.TopicPartition.Partition, msg.TopicPartition.Offset = partition, offset
		w3c.Inject(trace.ContextWithSpanContext(context.Background(), sc), tracing.NewMessageCarrier(msg))
		return msg
	}
	_, one := tracer.Start(context.Background(), "one")
	one.End()
	_, two := tracer.Start(context.Background(), "two")
	two.End()
	batch := []*kafka.Message{
		consumed("a", 0, 1, one.SpanContext()),
		consumed("b", 1, 2, two.SpanContext()),
		consumed("b", 1, 3, two.SpanContext()),
		message("b", "without a context"),
	}
	ctx, ambient := tracer.Start(context.Background(), "ambient")
	failure := errors.New("broken")
	if err := consumer.ProcessBatch(ctx, batch, func(context.Context) error { return failure }); !errors.Is(err, failure) {
		t.Errorf("ProcessBatch returned %v", err)
	}
	ambient.End()
	s := c.only("kafka.process")
	if s.Parent().SpanID() != ambient.SpanContext().SpanID() {
		t.Errorf("parent %v, want the ambient span", s.Parent().SpanID())
	}
	if got := attributeOf(s, "messaging.batch.message_count"); got != "4" {
		t.Errorf("message_count %s", got)
	}
	if got := attributeOf(s, "messaging.destination.name"); got != "" {
		t.Errorf("destination of two topics: %s", got)
	}
	links := s.Links()
	if len(links) != 2 {
		t.Fatalf("%d links", len(links))
	}
	for i, want := range []string{
		"[{messaging.destination.name a} {messaging.destination.partition.id 0} {messaging.kafka.offset 1}]",
		"[{messaging.destination.name b} {messaging.destination.partition.id 1} {messaging.kafka.offset 2}]",
	} {
		var got []string
		for _, kv := range links[i].Attributes {
			got = append(got, fmt.Sprintf("{%s %s}", kv.Key, kv.Value.String()))
		}
		if fmt.Sprint(got) != want {
			t.Errorf("link %d: %v, want %s", i, got, want)
		}
	}
	if err := consumer.ProcessBatch(ctx, nil, func(context.Context) error { t.Error("called"); return nil }); err != nil {
		t.Errorf("no messages: %v", err)
	}
	if err := consumer.ProcessBatch(ctx, batch, nil); codeOf(err) != kafka.ErrInvalidArg {
		t.Errorf("no handler: %v", err)
	}
}
