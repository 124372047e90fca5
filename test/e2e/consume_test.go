//go:build integration

package e2e

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
	"github.com/kafkatrace/tracing/test/kafkatest"
)

// patientConfig is the configuration of a member of a group for the shared broker.
func patientConfig(bootstrap, group string) kafka.ConfigMap {
	return *clientConfig(bootstrap, kafka.ConfigMap{
		"group.id": group, "client.id": "consumer", "auto.offset.reset": "earliest", "enable.auto.offset.store": false, "fetch.wait.max.ms": 50,
	})
}

// A topic that is created while Consume waits for it is consumed.
func TestConsumeFindsATopicCreatedLater(t *testing.T) {
	t.Parallel()
	bootstrap := kafkatest.Shared(t)
	topic := kafkatest.NewTopic(t, bootstrap, 1) + "-later"
	conf := patientConfig(bootstrap, topic)
	conf["topic.metadata.refresh.interval.ms"] = 500
	c := newTelemetry(t).consumer(t, conf)
	if err := c.Subscribe(topic, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(patient(t))
	defer cancel()
	unknown, found := make(chan struct{}), make(chan string, 1)
	go func() {
		// The client says so, and goes on.
		<-unknown
		if err := kafkatest.CreateTopics(ctx, bootstrap, 1, 0, topic); err != nil {
			t.Error(err)
			cancel()
			return
		}
		produce(t, bootstrap, message(topic, "here at last"))
	}()
	said := false
	err := c.Consume(ctx, func(_ context.Context, msg *kafka.Message) error {
		found <- string(msg.Value)
		cancel()
		return nil
	}, tracing.WithEventHandler(func(_ context.Context, event kafka.Event) {
		if e, ok := event.(kafka.Error); ok && e.Code() == kafka.ErrUnknownTopicOrPart && !said {
			said = true
			close(unknown)
		}
	}))
	if err != nil || len(found) != 1 {
		t.Errorf("Consume ended with %v, %d messages", err, len(found))
	}
}

// At the end of ctx Consume and ConsumeBatch stop soon, and what was handled is committed, by the loop or by Close.
func TestConsumeStopsSoon(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		batchSize int
		opts      []tracing.ConsumeOption
	}{
		{name: "Consume"},
		{name: "ConsumeBatch", batchSize: 7},
		{name: "Consume, WithCommitInterval", opts: []tracing.ConsumeOption{tracing.WithCommitInterval(time.Hour)}},
		{name: "ConsumeBatch, WithCommitInterval", batchSize: 7, opts: []tracing.ConsumeOption{tracing.WithCommitInterval(time.Hour)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			const messages, partitions, last = 1000, 3, 333
			bootstrap := kafkatest.Shared(t)
			topic := kafkatest.NewTopic(t, bootstrap, partitions)
			produce(t, bootstrap, spread(topic, messages, partitions)...)
			conf := patientConfig(bootstrap, topic)
			conf["enable.auto.commit"] = test.opts == nil
			e := newTelemetry(t)
			c := e.consumer(t, conf, tracing.WithCommitSpans())
			if err := c.Subscribe(topic, nil); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(patient(t))
			defer cancel()
			var stopped time.Time
			handled, commits := newLedger(partitions), newCommitted(t, bootstrap, topic, topic)
			err := consumeEither(ctx, c, test.batchSize, func(_ context.Context, msg *kafka.Message) error {
				handled.note(msg.TopicPartition.Partition, int64(msg.TopicPartition.Offset))
				if n, _ := handled.count(); n == last {
					stopped = time.Now()
					cancel()
				}
				return nil
			}, test.opts...)
			took := time.Since(stopped)
			n, _ := handled.count()
			if err != nil || n < last || n >= last+max(1, test.batchSize) || took > 2*time.Second {
				t.Errorf("ended with %v after %v and %d messages, want those of the batch that ctx ended in", err, took, n)
			}
			if test.opts != nil {
				assertCommitted(t, handled, commits)
				if spans := e.spans("kafka.commit"); len(spans) != 1 || spans[0].Status != codes.Unset {
					t.Errorf("commit spans %v, want one", spans)
				}
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			assertCommitted(t, handled, commits)
		})
	}
}

// assertCommitted fails the test unless what is committed is what has been handled.
func assertCommitted(t *testing.T, handled *ledger, commits *committed) {
	t.Helper()
	if got, want := commits.offsets(), handled.prefixes(); !slices.Equal(got, want) {
		t.Errorf("the group has committed %v, but has handled %v", got, want)
	}
}

// consumeEither is Consume, or ConsumeBatch with a handler of single messages.
func consumeEither(ctx context.Context, c *tracing.TracedConsumer, batchSize int, handle tracing.Handler, opts ...tracing.ConsumeOption) error {
	if batchSize == 0 {
		return c.Consume(ctx, handle, opts...)
	}
	return c.ConsumeBatch(ctx, batchSize, 20*time.Millisecond, func(ctx context.Context, msgs []*kafka.Message) error {
		for _, msg := range msgs {
			if err := handle(ctx, msg); err != nil {
				return err
			}
		}
		return nil
	}, opts...)
}

// A message that cannot be handled goes to a dead-letter topic, in the trace that it came with, and the loop goes on.
func TestDeadLettersContinueTheTrace(t *testing.T) {
	t.Parallel()
	const messages = 30
	bootstrap := kafkatest.Shared(t)
	topic, dead := kafkatest.NewTopic(t, bootstrap, 1), kafkatest.NewTopic(t, bootstrap, 1)
	e := newTelemetry(t)
	p := e.producer(t, bootstrap, kafka.ConfigMap{"client.id": "producer"})
	ctx, cancel := context.WithCancel(patient(t))
	defer cancel()
	if _, err := p.SendBatch(ctx, spread(topic, messages, 1)); err != nil {
		t.Fatal(err)
	}
	c := e.consumer(t, patientConfig(bootstrap, topic))
	if err := c.Subscribe(topic, nil); err != nil {
		t.Fatal(err)
	}
	errBroken := errors.New("broken")
	n := 0
	err := c.Consume(ctx, func(context.Context, *kafka.Message) error {
		n++
		if n == messages {
			cancel()
		}
		if n%3 == 0 {
			return errBroken
		}
		return nil
	}, tracing.WithErrorHandler(func(ctx context.Context, msg *kafka.Message, err error) error {
		letter := *msg
		letter.TopicPartition = kafka.TopicPartition{Topic: &dead, Partition: kafka.PartitionAny}
		letter.Headers = append(slices.Clone(msg.Headers), kafka.Header{Key: "reason", Value: []byte(err.Error())})
		_, err = p.Send(context.WithoutCancel(ctx), &letter)
		return err
	}))
	if err != nil || n != messages {
		t.Fatalf("Consume ended with %v after %d messages", err, n)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if got := newCommitted(t, bootstrap, topic, topic).offsets()[0]; got != messages {
		t.Errorf("offset %d is committed, want %d", got, messages)
	}

	letters := messagesOf(t, bootstrap, dead, "read_committed")
	if len(letters) != messages/3 {
		t.Fatalf("%d dead letters, want %d", len(letters), messages/3)
	}
	received := map[trace.SpanID]trace.TraceID{}
	for _, span := range e.spans("kafka.receive") {
		received[span.SpanID] = span.TraceID
	}
	ids := map[trace.SpanID]bool{}
	for _, letter := range letters {
		ids[contextOf(t, letter).SpanID()] = true
		if !slices.Equal(header(letter, "reason"), []string{"broken"}) {
			t.Errorf("headers %v", letter.Headers)
		}
	}
	for _, span := range e.spans("kafka.publish") {
		if ids[span.SpanID] && (span.Attributes["messaging.destination.name"] != dead || received[span.ParentID] != span.TraceID) {
			t.Errorf("%v is no child of a receive span", span)
		}
		delete(ids, span.SpanID)
	}
	failed := 0
	for _, span := range e.spans("kafka.process") {
		if span.Status == codes.Error && span.Message == "broken" && span.Attributes["error.type"] == "*errors.errorString" {
			failed++
		}
	}
	if len(ids) != 0 || failed != len(letters) {
		t.Errorf("%d of %d dead letters without a publish span, %d process spans failed", len(ids), len(letters), failed)
	}
}
