package tracing_test

import (
	"context"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

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
	if err := consumer.Close(); err != nil {
		t.Error(err)
	}
	if _, err := consumer.CommitMessage(nil); codeOf(err) != kafka.ErrState {
		t.Errorf("a commit of no message by a closed consumer returned %v", err)
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
	p.Close()
	if err := p.SendOffsetsToTransaction(ctx, offsets, nil); codeOf(err) != kafka.ErrState {
		t.Errorf("offsets without metadata of a closed producer: %v", err)
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
