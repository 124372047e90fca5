//go:build integration

package e2e

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
	"github.com/kafkatrace/tracing/test/kafkatest"
	"github.com/kafkatrace/tracing/test/otlpsink"
)

// assertStored fails the test unless the topic has the messages where the results say. It returns how many more it has.
func assertStored(t *testing.T, bootstrap, topic string, msgs []*kafka.Message, results []kafka.TopicPartition) int {
	t.Helper()
	type position struct {
		partition int32
		offset    kafka.Offset
	}
	stored := map[position]string{}
	for _, msg := range messagesOf(t, bootstrap, topic, "read_uncommitted") {
		stored[position{msg.TopicPartition.Partition, msg.TopicPartition.Offset}] = string(msg.Value)
	}
	if len(results) != len(msgs) {
		t.Errorf("%d results, want %d", len(results), len(msgs))
	}
	for i, tp := range results {
		if got := stored[position{tp.Partition, tp.Offset}]; tp.Error != nil || got != string(msgs[i].Value) {
			t.Errorf("the result of message %s is %v, where the topic has %q", msgs[i].Value, tp, got)
		}
		delete(stored, position{tp.Partition, tp.Offset})
	}
	return len(stored)
}

// Send returns where the topic has the message; SendBatch returns it for each of its messages, in their order.
func TestSendReturnsThePositions(t *testing.T) {
	t.Parallel()
	const messages, partitions = 1000, 3
	bootstrap := kafkatest.Shared(t)
	e := newTelemetry(t)
	p := e.producer(t, bootstrap, kafka.ConfigMap{
		"client.id":                    "sender",
		"queue.buffering.max.messages": 100,  // A full queue is waited out.
		"enable.idempotence":           true, // The order survives retries.
	})

	topic := kafkatest.NewTopic(t, bootstrap, partitions)
	msgs := spread(topic, messages, partitions)
	results, err := p.SendBatch(patient(t), msgs)
	if err != nil {
		t.Fatal(err)
	}
	if more := assertStored(t, bootstrap, topic, msgs, results); more != 0 {
		t.Errorf("%d messages more", more)
	}
	offsets := make([]kafka.Offset, partitions)
	for _, tp := range results { // Those of a partition keep their order.
		if tp.Offset != offsets[tp.Partition] {
			t.Fatalf("result %v, want offset %d", tp, offsets[tp.Partition])
		}
		offsets[tp.Partition]++
	}
	batch := e.spans("kafka.publish_batch")
	want := messagingAttributes(bootstrap, "sender", topic, "publish_batch", "send")
	want["messaging.batch.message_count"] = int64(messages)
	assertSpan(t, batch[0], wantSpan{name: "kafka.publish_batch", kind: trace.SpanKindInternal, attributes: want})
	if n := len(children(e.spans("kafka.publish"), batch[0])); n != messages {
		t.Errorf("the batch has %d children, want %d", n, messages)
	}

	topic = kafkatest.NewTopic(t, bootstrap, partitions)
	msgs, results = spread(topic, 10, partitions), nil
	for _, msg := range msgs {
		tp, err := p.Send(patient(t), msg)
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, tp)
	}
	if more := assertStored(t, bootstrap, topic, msgs, results); more != 0 {
		t.Errorf("%d messages more", more)
	}
}

// SendBatch waits for all messages at once: it takes about as long as one, not as all one after the other.
func TestSendBatchWaitsOnce(t *testing.T) {
	t.Parallel()
	const messages, linger = 500, 200 * time.Millisecond
	bootstrap := kafkatest.Shared(t)
	topic := kafkatest.NewTopic(t, bootstrap, 1)
	p := newTelemetry(t).producer(t, bootstrap, kafka.ConfigMap{"linger.ms": int(linger.Milliseconds())})
	began := time.Now()
	if _, err := p.Send(patient(t), message(topic, "one")); err != nil {
		t.Fatal(err)
	}
	one := time.Since(began)
	began = time.Now()
	if _, err := p.SendBatch(patient(t), spread(topic, messages, 1)); err != nil {
		t.Fatal(err)
	}
	all := time.Since(began)
	t.Logf("one message took %v, %d took %v", one, messages, all)
	if one < linger || all < linger || all > messages*linger/10 {
		t.Errorf("one message took %v, %d took %v", one, messages, all)
	}
}

// The broker crashes. Attempts to send time out until it is back; then each message is there.
func TestRetryOutlastsACrash(t *testing.T) {
	t.Parallel()
	const messages = 20
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cluster, err := kafkatest.Start(ctx, kafkatest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	}()
	topic := kafkatest.NewTopic(t, cluster.Bootstrap(), 1)
	e := newTelemetry(t)
	p := e.producer(t, cluster.Bootstrap(), kafka.ConfigMap{
		"client.id": "sender", "message.timeout.ms": 2000, "linger.ms": 0, "reconnect.backoff.ms": 50, "reconnect.backoff.max.ms": 200,
	})
	defer p.Close()
	msgs := []*kafka.Message{message(topic, "single")}
	for i := range messages {
		msgs = append(msgs, message(topic, fmt.Sprint("batch ", i)))
	}

	cluster.Broker(1).Kill()
	failed := make(chan struct{}) // Both sends have failed once.
	policy := func(failedOnce func()) tracing.SendOption {
		once := sync.OnceFunc(failedOnce)
		return tracing.WithRetry(tracing.RetryPolicy{
			Attempts: 1000, MaxDelay: 200 * time.Millisecond,
			Retriable: func(err error) bool {
				once()
				return tracing.IsRetriable(err)
			},
		})
	}
	var waiting sync.WaitGroup
	waiting.Add(2)
	go func() {
		waiting.Wait()
		close(failed)
	}()
	single := make(chan kafka.TopicPartition, 1)
	go func() {
		tp, err := p.Send(ctx, msgs[0], policy(waiting.Done))
		if err != nil {
			t.Error(err)
		}
		single <- tp
	}()
	batch := make(chan []kafka.TopicPartition, 1)
	go func() {
		tps, err := p.SendBatch(ctx, msgs[1:], policy(waiting.Done))
		if err != nil {
			t.Error(err)
		}
		batch <- tps
	}()
	<-failed
	if err := cluster.Broker(1).Start(ctx); err != nil {
		t.Fatal(err)
	}
	results := append([]kafka.TopicPartition{<-single}, <-batch...)
	more := assertStored(t, cluster.Bootstrap(), topic, msgs, results)
	timedOut := assertRetried(t, e, messages)
	t.Logf("%d attempts timed out, %d of them were written all the same", timedOut, more)
	if more > timedOut-len(msgs) { // Not the first attempts, since there was no broker.
		t.Errorf("%d messages more than were sent, %d attempts timed out", more, timedOut)
	}
}

// assertRetried compares the spans of a Send and a SendBatch whose first attempts timed out, and returns how many
// attempts did.
func assertRetried(t *testing.T, e *telemetry, messages int) (timedOut int) {
	t.Helper()
	attempts := func(parent []otlpsink.Span, succeeded int) {
		t.Helper()
		if len(parent) != 1 || parent[0].Status != codes.Unset || parent[0].Attributes["error.type"] != nil {
			t.Fatalf("spans %v, want one that succeeded", parent)
		}
		types := map[any]int{}
		published := children(e.spans("kafka.publish"), parent[0])
		for i := range published {
			types[published[i].Attributes["error.type"]]++
		}
		timedOut += types["_MSG_TIMED_OUT"]
		if types[nil] != succeeded || types["_MSG_TIMED_OUT"] < succeeded || len(types) != 2 {
			t.Errorf("%v has attempts by error.type %v, want %d that succeeded and some that timed out", parent[0], types, succeeded)
		}
	}
	attempts(e.spans("kafka.send"), 1)
	attempts(e.spans("kafka.publish_batch"), messages)
	return timedOut
}
