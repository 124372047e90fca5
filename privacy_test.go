package tracing_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/kafkatrace/tracing"
)

// secret is in everything that the messages of these tests hold, and in what the
// configuration keeps to itself.
const secret = "hush"

func secretMessage(topic string) *kafka.Message {
	msg := message(topic, secret+"-value")
	msg.Key, msg.Opaque = []byte(secret+"-key"), secret+"-opaque"
	msg.Headers = []kafka.Header{
		header(secret+"-name", secret+"-header"), header("id", secret+"-id"), header("conversation", secret+"-conversation"),
		header("baggage", "user="+secret),
	}
	return msg
}

// exported is everything that exporters get to see of spans and metrics, as text.
func (c *cluster) exported() (spans, metrics string) {
	c.t.Helper()
	text, err := json.Marshal(tracetest.SpanStubsFromReadOnlySpans(c.spans.Ended()))
	if err != nil {
		c.t.Fatal(err)
	}
	var rm metricdata.ResourceMetrics
	if err := c.mr.Collect(context.Background(), &rm); err != nil {
		c.t.Fatal(err)
	}
	points, err := json.Marshal(rm)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(text), string(points)
}

func assertNoSecret(t *testing.T, what, text string) {
	t.Helper()
	if i := strings.Index(text, secret); i >= 0 {
		t.Errorf("%s: ...%s...", what, text[max(0, i-300):min(len(text), i+100)])
	}
}

// With the privacy options nothing of what a message holds, and at no time anything of
// the credentials, is in a span or a metric, whatever becomes of the message.
func TestOptionsPrivacy(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.handleSecretMessages(tracing.WithoutMessageKey(), tracing.WithLegacyAttributes(), tracing.WithPartitionOnMetrics(),
		tracing.WithStatisticsMetrics(), tracing.WithStatisticsInterval(50))
	spans, metrics := c.exported()
	assertNoSecret(t, "a span", spans)
	assertNoSecret(t, "a metric", metrics)
	for _, op := range []tracing.Operation{
		tracing.OperationPublish, tracing.OperationPublishBatch, tracing.OperationSend, tracing.OperationReceive,
		tracing.OperationProcess, tracing.OperationCommit, tracing.OperationInitTransactions, tracing.OperationSendOffsets,
		tracing.OperationCommitTransaction, tracing.OperationAbortTransaction,
	} {
		if len(c.ended("kafka."+string(op))) == 0 {
			t.Errorf("no %s span", op)
		}
	}
	for _, errorType := range []string{"_INVALID_ARG", "_PURGE_QUEUE", "panic", "*errors.errorString"} {
		if !strings.Contains(spans, `"`+errorType+`"`) {
			t.Errorf("no span with error.type %s", errorType)
		}
	}
	for _, name := range []string{
		"messaging.client.operation.duration", "messaging.client.sent.messages", "messaging.client.consumed.messages", "messaging.process.duration",
		"kafka.client.sent.messages", // of librdkafka's statistics
	} {
		if !strings.Contains(metrics, `"`+name+`"`) {
			t.Errorf("no %s", name)
		}
	}
}

// Without them the test would see: the key by default, and the rest if asked for.
func TestOptionsAgainstPrivacy(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.handleSecretMessages(tracing.WithMessageBody(100), tracing.WithCapturedHeaders(secret+"-name"),
		tracing.WithMessageIDHeader("id"), tracing.WithConversationIDHeader("conversation"))
	spans, metrics := c.exported()
	for _, part := range []string{"-key", "-value", "-name", "-header", "-id", "-conversation"} {
		if !strings.Contains(spans, secret+part) {
			t.Errorf("%s is in no span", secret+part)
		}
	}
	assertNoSecret(t, "a metric", metrics)
}

// handleSecretMessages does to them all that makes a span: each way to send, receive and
// handle them, with every outcome.
func (c *cluster) handleSecretMessages(opts ...tracing.Option) {
	c.t.Helper()
	t := c.t
	ctx, cancel := context.WithTimeout(withBaggage(t, context.Background(), "user="+secret), patience)
	defer cancel()
	step := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	credentials := kafka.ConfigMap{"sasl.username": secret + "-user", "sasl.password": secret + "-password"}
	opts = append(opts, tracing.WithCommitSpans(), tracing.WithTransactionSpans())
	topic := c.topic(1)

	p := c.producer(credentials, opts...)
	send(ctx, t, p, secretMessage(topic))
	p.ProduceChannel() <- secretMessage(topic)
	nextReport(t, p.Events())
	_, err := p.Send(ctx, secretMessage(topic), tracing.WithRetry(tracing.RetryPolicy{}))
	step("send", err)
	refused := secretMessage("")
	_, err = p.SendBatch(ctx, []*kafka.Message{secretMessage(topic), secretMessage(topic), refused})
	if codeOf(err) != kafka.ErrInvalidArg {
		t.Fatalf("a batch with a message without a topic: %v", err)
	}

	purged := c.producer(kafka.ConfigMap{"linger.ms": 60_000}, opts...)
	reports := make(chan kafka.Event, 1)
	produce(t, purged, secretMessage(topic), reports)
	step("purge", purged.Purge(kafka.PurgeQueue))
	report(t, reports)

	consumer := c.consumer(topic, credentials, append(opts, tracing.WithProcessSpanUntilNextPoll())...)
	handled := read(t, consumer)
	step("process", consumer.Process(ctx, handled, func(context.Context) error { return nil }))
	declined := errors.New("declined")
	if err := consumer.Process(ctx, handled, func(context.Context) error { return declined }); err != declined {
		t.Fatal(err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = consumer.Process(ctx, handled, func(context.Context) error { panic("boom") })
	}()
	_, err = consumer.CommitMessage(handled)
	step("commit", err)
	batch, err := consumer.ReadBatch(ctx, 4, time.Hour)
	step("read a batch", err)
	if err := consumer.ProcessBatch(ctx, batch, func(context.Context) error { return declined }); err != declined {
		t.Fatal(err)
	}

	metadata, err := consumer.GetConsumerGroupMetadata()
	step("metadata", err)
	tx := c.producer(kafka.ConfigMap{"transactional.id": "till-1"}, opts...)
	step("init", tx.InitTransactions(ctx))
	step("begin", tx.BeginTransaction())
	_, err = tx.Send(ctx, handled)
	step("send", err)
	step("offsets", tx.SendOffsetsToTransaction(ctx, []kafka.TopicPartition{handled.TopicPartition}, metadata))
	step("commit", tx.CommitTransaction(ctx))
	step("begin", tx.BeginTransaction())
	produce(t, tx, secretMessage(topic), nil)
	step("abort", tx.AbortTransaction(ctx))
	nextReport(t, tx.Events())

	loop := c.consumer(topic, kafka.ConfigMap{"enable.auto.offset.store": false, "client.id": "till"}, opts...)
	err = loop.Consume(ctx, func(context.Context, *kafka.Message) error { return declined },
		tracing.WithErrorHandler(func(_ context.Context, msg *kafka.Message, err error) error {
			if msg.TopicPartition.Offset == 0 {
				return nil
			}
			return err
		}), tracing.WithCommitInterval(0))
	if !errors.Is(err, declined) {
		t.Fatal(err)
	}
	step("close", consumer.Close()) // which ends the last process span
}
