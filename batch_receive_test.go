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

func TestProcessSpanUntilNextPoll(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	c.fill(topic, 3)
	consumer := c.consumer(topic, nil, tracing.WithProcessSpanUntilNextPoll())
	first := read(t, consumer)
	if n := len(c.ended("kafka.process")); n != 0 {
		t.Fatalf("%d process spans ended before the next poll", n)
	}
	open := trace.SpanContextFromContext(tracing.ContextFromMessage(context.Background(), first))
	var second kafka.Event
	for second == nil {
		second = consumer.Poll(100)
	}
	if got := c.only("kafka.process").SpanContext().SpanID(); got != open.SpanID() {
		t.Errorf("the span that ended is %v, not that of the first message, %v", got, open.SpanID())
	}
	receives := c.ended("kafka.receive")
	if parent := c.only("kafka.process").Parent().SpanID(); parent != receives[0].SpanContext().SpanID() {
		t.Errorf("parent %v", parent)
	}
	read(t, consumer)
	if err := consumer.Close(); err != nil {
		t.Fatal(err)
	}
	if n := len(c.ended("kafka.process")); n != 3 {
		t.Errorf("%d process spans after Close, not 3", n)
	}
}

// Several pollers end each span exactly once; the harness compares the spans
// started with those ended.
func TestProcessSpanUntilNextPollFromSeveralGoroutines(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	const messages, pollers = 200, 4
	c.fill(topic, messages)
	consumer := c.consumer(topic, nil, tracing.WithProcessSpanUntilNextPoll())
	got := make(chan struct{}, messages)
	done := make(chan struct{}, pollers)
	for range pollers {
		go func() {
			for {
				if _, err := consumer.ReadMessage(-1); err != nil {
					done <- struct{}{}
					return
				}
				got <- struct{}{}
			}
		}()
	}
	for range messages {
		receiveEvent(t, got)
	}
	if err := consumer.Close(); err != nil {
		t.Fatal(err)
	}
	for range pollers {
		receiveEvent(t, done)
	}
	if n := len(c.ended("kafka.process")); n != messages {
		t.Errorf("%d process spans", n)
	}
}

func TestCommitSpans(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	c.fill(topic, 2)
	consumer := c.member(topic, kafka.ConfigMap{"enable.auto.commit": false}, tracing.WithCommitSpans())
	msg := read(t, consumer)
	if _, err := consumer.CommitMessage(msg); err != nil {
		t.Fatal(err)
	}
	s := c.only("kafka.commit")
	if s.SpanKind() != trace.SpanKindClient || s.Parent().SpanID() != c.only("kafka.receive").SpanContext().SpanID() {
		t.Errorf("kind %v, parent %v", s.SpanKind(), s.Parent().SpanID())
	}
	for key, want := range map[string]string{
		"messaging.operation.name":           "commit",
		"messaging.operation.type":           "settle",
		"messaging.destination.name":         topic,
		"messaging.destination.partition.id": "0",
		"messaging.consumer.group.name":      "billing",
	} {
		if got := attributeOf(s, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if _, err := consumer.Commit(); codeOf(err) != kafka.ErrNoOffset {
		t.Errorf("a commit of nothing returned %v", err)
	}
	if s := c.ended("kafka.commit")[1]; attributeOf(s, "error.type") != "_NO_OFFSET" || s.Parent().IsValid() {
		t.Errorf("a commit of nothing: %v", s.Attributes())
	}
	tp := msg.TopicPartition
	tp.Offset++
	if _, err := consumer.CommitOffsets([]kafka.TopicPartition{tp}); err != nil {
		t.Error(err)
	}
	if _, err := consumer.CommitMessage(nil); codeOf(err) != kafka.ErrInvalidArg {
		t.Errorf("a commit of no message returned %v", err)
	}
	if got := committed(t, consumer, topic); got != 1 {
		t.Errorf("committed %v", got)
	}
}

func TestTransactionSpans(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(kafka.ConfigMap{"transactional.id": "tx"}, tracing.WithTransactionSpans())
	ctx, request := c.tp.Tracer("app").Start(context.Background(), "request")
	defer request.End()
	step := func(name string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	consumer := c.consumer(topic, nil)
	metadata, err := consumer.GetConsumerGroupMetadata()
	step("metadata", err)
	step("init", p.InitTransactions(ctx))
	step("begin", p.BeginTransaction())
	if _, err := p.Send(ctx, message(topic, "x")); err != nil {
		t.Fatal(err)
	}
	offsets := []kafka.TopicPartition{{Topic: &topic, Partition: 0, Offset: 1}}
	step("offsets", p.SendOffsetsToTransaction(ctx, offsets, metadata))
	step("commit", p.CommitTransaction(ctx))
	step("begin", p.BeginTransaction())
	step("abort", p.AbortTransaction(ctx))
	if err := p.AbortTransaction(ctx); err == nil {
		t.Error("an abort without a transaction succeeded")
	}
	if err := p.SendOffsetsToTransaction(ctx, offsets, nil); codeOf(err) != kafka.ErrInvalidArg {
		t.Errorf("offsets without metadata: %v", err)
	}
	for name, opType := range map[string]string{
		"init_transactions": "", "send_offsets": "settle", "commit_transaction": "", "abort_transaction": "",
	} {
		s := c.ended("kafka." + name)[0]
		if s.SpanKind() != trace.SpanKindClient || s.Parent().SpanID() != request.SpanContext().SpanID() {
			t.Errorf("%s: kind %v, parent %v", name, s.SpanKind(), s.Parent().SpanID())
		}
		if got := attributeOf(s, "messaging.operation.type"); got != opType {
			t.Errorf("%s: operation type %q", name, got)
		}
		if got := attributeOf(s, "messaging.operation.name"); got != name {
			t.Errorf("%s: operation name %q", name, got)
		}
	}
	if s := c.ended("kafka.abort_transaction")[1]; attributeOf(s, "error.type") != "_STATE" {
		t.Errorf("the failed abort: %v", s.Attributes())
	}
}
