package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

func TestSendReturnsWhereTheMessageIs(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(nil)
	ctx, request := c.tp.Tracer("app").Start(context.Background(), "request")
	for i := range 3 {
		tp, err := p.Send(ctx, message(topic, "x"))
		if err != nil {
			t.Fatal(err)
		}
		if tp.Partition != 0 || tp.Offset != kafka.Offset(i) || *tp.Topic != topic {
			t.Errorf("message %d is at %v", i, tp)
		}
	}
	request.End()
	for _, s := range c.ended("kafka.publish") {
		if s.Parent().SpanID() != request.SpanContext().SpanID() {
			t.Errorf("publish is a child of %v", s.Parent().SpanID())
		}
	}
	if n := p.Flush(int(patience.Milliseconds())); n != 0 {
		t.Errorf("%d outstanding after every Send has returned", n)
	}
}

// The report that comes after ctx's end still ends the publish span, and nobody
// counts it twice.
func TestSendEndsWithItsContext(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(nil)
	if err := c.mock.SetBrokerDown(-1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	sent := make(chan error, 1)
	go func() {
		tp, err := p.Send(ctx, message(topic, "x"))
		if tp.Error == nil || tp.Offset >= 0 {
			t.Errorf("an undelivered message is at %v", tp)
		}
		sent <- err
	}()
	eventually(t, "the message is under way", func() bool { return len(c.spans.Started()) == 1 && p.Len() > 0 })
	cancel()
	if err := receiveEvent(t, sent); !errors.Is(err, context.Canceled) {
		t.Fatalf("Send returned %v", err)
	}
	if spans := c.ended("kafka.publish"); len(spans) != 0 {
		t.Fatal("the publish span ended before its report")
	}
	if err := c.mock.SetBrokerUp(-1); err != nil {
		t.Fatal(err)
	}
	// Not Flush: the broker's fall is an event in Events(), which nobody reads here.
	eventually(t, "the report has come in", func() bool { return len(c.ended("kafka.publish")) == 1 })
	if s := c.only("kafka.publish"); s.Status().Code != codes.Unset {
		t.Errorf("status %v", s.Status())
	}
}

func TestSendWaitsOutAFullQueue(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(kafka.ConfigMap{"queue.buffering.max.messages": 1})
	if err := c.mock.SetBrokerDown(-1); err != nil {
		t.Fatal(err)
	}
	const messages = 5
	sent := make(chan error, messages)
	for range messages {
		go func() {
			_, err := p.Send(context.Background(), message(topic, "x"))
			sent <- err
		}()
	}
	eventually(t, "all five wait", func() bool { return len(c.spans.Started()) == messages })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := p.Send(ctx, message(topic, "x")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Send into a full queue returned %v", err)
	}
	if err := c.mock.SetBrokerUp(-1); err != nil {
		t.Fatal(err)
	}
	for range messages {
		if err := receiveEvent(t, sent); err != nil {
			t.Error(err)
		}
	}
}

func TestSendAfterAndDuringClose(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(nil)
	if err := c.mock.SetBrokerDown(-1); err != nil {
		t.Fatal(err)
	}
	sent := make(chan error, 1)
	go func() {
		_, err := p.Send(context.Background(), message(topic, "x"))
		sent <- err
	}()
	eventually(t, "the message is under way", func() bool { return len(c.spans.Started()) == 1 && p.Len() > 0 })
	p.Close()
	// Either the client had the message, or Send was kept out.
	if err := receiveEvent(t, sent); codeOf(err) != kafka.ErrDestroy && codeOf(err) != kafka.ErrState {
		t.Errorf("Send during Close returned %v", err)
	}
	if _, err := p.Send(context.Background(), message(topic, "x")); codeOf(err) != kafka.ErrState {
		t.Errorf("Send after Close returned %v", err)
	}
	if _, err := p.Send(context.Background(), nil); codeOf(err) != kafka.ErrState {
		t.Errorf("Send of nil after Close returned %v", err)
	}
}

// codeOf returns the code of a Kafka error.
func codeOf(err error) kafka.ErrorCode {
	var e kafka.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return kafka.ErrNoError
}

func TestSendOfNothing(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	p := c.producer(nil)
	if _, err := p.Send(context.Background(), nil); codeOf(err) != kafka.ErrInvalidArg {
		t.Errorf("Send of nil returned %v", err)
	}
	if _, err := p.Send(context.Background(), &kafka.Message{}, tracing.WithRetry(tracing.RetryPolicy{})); codeOf(err) != kafka.ErrInvalidArg {
		t.Errorf("Send without a topic returned %v", err)
	}
	results, err := p.SendBatch(context.Background(), nil)
	if results != nil || err != nil {
		t.Errorf("an empty batch returned %v, %v", results, err)
	}
}

// A batch takes about as long as its slowest message, not as their sum.
func TestSendBatchIsPipelined(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(4)
	p := c.producer(nil)
	const roundTrip, messages = 50 * time.Millisecond, 200
	if err := c.mock.SetRoundtripDuration(-1, roundTrip); err != nil {
		t.Fatal(err)
	}
	msgs := make([]*kafka.Message, messages)
	for i := range msgs {
		msgs[i] = message(topic, fmt.Sprint(i))
		msgs[i].TopicPartition.Partition = int32(i % 4)
		msgs[i].Opaque = "the application's"
	}
	start := time.Now()
	results, err := p.SendBatch(context.Background(), msgs)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took > messages*roundTrip/4 {
		t.Errorf("a batch of %d took %v", messages, took)
	}
	next := map[int32]kafka.Offset{}
	for i, tp := range results {
		if tp.Partition != int32(i%4) || tp.Offset != next[tp.Partition] {
			t.Errorf("message %d is at %v, want offset %d", i, tp, next[tp.Partition])
		}
		next[tp.Partition]++
		if msgs[i].Opaque != "the application's" {
			t.Errorf("message %d was written to", i)
		}
	}
	batch := c.only("kafka.publish_batch")
	assertSpan(t, batch, wantSpan{
		name: "kafka.publish_batch", kind: trace.SpanKindInternal,
		attributes: append(c.serverAttributes(),
			attribute.String("messaging.system", "kafka"),
			attribute.String("messaging.operation.name", "publish_batch"),
			attribute.String("messaging.operation.type", "send"),
			attribute.String("messaging.destination.name", topic),
			attribute.String("messaging.client.id", p.String()),
			attribute.Int("messaging.batch.message_count", messages),
		),
	})
	publishes := c.ended("kafka.publish")
	if len(publishes) != messages {
		t.Fatalf("%d publish spans", len(publishes))
	}
	for _, s := range publishes {
		if s.Parent().SpanID() != batch.SpanContext().SpanID() {
			t.Fatalf("publish is a child of %v", s.Parent().SpanID())
		}
	}
}

func TestSendBatchReportsEachMessage(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(kafka.ConfigMap{"message.max.bytes": 1000})
	tooLarge := message(topic, string(make([]byte, 2000)))
	results, err := p.SendBatch(context.Background(), []*kafka.Message{
		message(topic, "a"), tooLarge, nil, message(topic, "b"), {},
	})
	wantCodes := []kafka.ErrorCode{kafka.ErrNoError, kafka.ErrMsgSizeTooLarge, kafka.ErrInvalidArg, kafka.ErrNoError, kafka.ErrInvalidArg}
	for i, want := range wantCodes {
		if got := codeOf(results[i].Error); got != want {
			t.Errorf("message %d: %v, want code %v", i, results[i].Error, want)
		}
		if i%3 == 0 && results[i].Offset != kafka.Offset(i/3) {
			t.Errorf("message %d is at %v", i, results[i])
		}
		if results[i].Error != nil && !errors.Is(err, results[i].Error) {
			t.Errorf("%v is not in the joined error", results[i].Error)
		}
	}
	batch := c.only("kafka.publish_batch")
	if got := attributeOf(batch, "error.type"); got != "_OTHER" {
		t.Errorf("error.type of failures that differ: %q", got)
	}
}

func TestSendBatchErrorTypeOfFailuresThatAgree(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(kafka.ConfigMap{"message.max.bytes": 1000})
	large := message(topic, string(make([]byte, 2000)))
	if _, err := p.SendBatch(context.Background(), []*kafka.Message{large, message(topic, "a"), large}); err == nil {
		t.Fatal("no error")
	}
	batch := c.only("kafka.publish_batch")
	if got := attributeOf(batch, "error.type"); got != "MESSAGE_TOO_LARGE" {
		t.Errorf("error.type %q", got)
	}
	if batch.Status().Code != codes.Error {
		t.Errorf("status %v", batch.Status())
	}
}

func TestSendBatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.topic(1)
	p := c.producer(kafka.ConfigMap{"queue.buffering.max.messages": 2})
	if err := c.mock.SetBrokerDown(-1); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	msgs := []*kafka.Message{message(topic, "a"), message(topic, "b"), message(topic, "c"), message(topic, "d")}
	results, err := p.SendBatch(ctx, msgs)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("SendBatch returned %v", err)
	}
	for i, tp := range results {
		if !errors.Is(tp.Error, context.DeadlineExceeded) {
			t.Errorf("message %d: %v", i, tp.Error)
		}
	}
}
