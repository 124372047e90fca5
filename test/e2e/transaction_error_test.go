//go:build integration

package e2e

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/codes"

	"github.com/kafkatrace/tracing"
	"github.com/kafkatrace/tracing/test/kafkatest"
)

// A second producer with the same transactional.id fences the first, which learns of it as it does without tracing.
func TestFencedProducer(t *testing.T) {
	t.Parallel()
	bootstrap := kafkatest.Shared(t)
	topic := kafkatest.NewTopic(t, bootstrap, 1)
	conf := func(id string) kafka.ConfigMap {
		return kafka.ConfigMap{"transactional.id": topic + id, "client.id": "fenced", "linger.ms": 0}
	}
	raw := fence(t, topic, rawProducer(t, bootstrap, conf("raw")), rawProducer(t, bootstrap, conf("raw")))
	e, other := newTelemetry(t), newTelemetry(t)
	traced := fence(t, topic,
		e.producer(t, bootstrap, conf("traced"), tracing.WithTransactionSpans()), other.producer(t, bootstrap, conf("traced")))
	if raw != traced {
		t.Errorf("without tracing %+v, with it %+v", raw, traced)
	}
	if raw.commit.code != kafka.ErrFenced || !raw.commit.fatal {
		t.Errorf("the commit of a fenced producer: %+v, want _FENCED, fatal", raw.commit)
	}

	commit := e.spans("kafka.commit_transaction")
	if len(commit) != 1 || commit[0].Status != codes.Error || commit[0].Attributes["error.type"] != "_FENCED" {
		t.Errorf("commit spans %v: %v", commit, commit[0].Attributes)
	}
	published := e.spans("kafka.publish")
	if len(published) != 3 || published[0].Status != codes.Unset {
		t.Fatalf("publish spans %v, want one that succeeded and two that failed", published)
	}
	for i, want := range []outcome{traced.produce, traced.after} {
		span := published[1+i]
		if span.Status != codes.Error || span.Attributes["error.type"] != want.errorType(t) {
			t.Errorf("publish span %v: %v, want error.type %s", span, span.Attributes, want.errorType(t))
		}
	}
}

// outcome is what an application sees of an error.
type outcome struct {
	code             kafka.ErrorCode
	fatal, retriable bool
	abort            bool
}

func outcomeOf(err error) outcome {
	var e kafka.Error
	if !errors.As(err, &e) {
		return outcome{}
	}
	return outcome{code: e.Code(), fatal: e.IsFatal(), retriable: e.IsRetriable(), abort: e.TxnRequiresAbort()}
}

// errorType returns the name of the outcome's code.
func (o outcome) errorType(t *testing.T) string {
	t.Helper()
	name, ok := map[kafka.ErrorCode]string{
		kafka.ErrFenced: "_FENCED", kafka.ErrFatal: "_FATAL", kafka.ErrState: "_STATE", kafka.ErrPurgeQueue: "_PURGE_QUEUE",
		kafka.ErrPurgeInflight: "_PURGE_INFLIGHT", kafka.ErrInvalidProducerEpoch: "INVALID_PRODUCER_EPOCH", kafka.ErrProducerFenced: "PRODUCER_FENCED",
	}[o.code]
	if !ok {
		t.Fatalf("unexpected outcome %+v (%v)", o, o.code)
	}
	return name
}

// fencing is what became of a producer's calls once another has its transactional.id.
type fencing struct {
	produce outcome // the report of a message
	commit  outcome
	after   outcome // a message after that: its report, or the call's error
	fatal   outcome
}

func fence(t *testing.T, topic string, first, second tracing.Producer) fencing {
	t.Helper()
	reports := make(chan kafka.Event, 10)
	send := func(p tracing.Producer) error {
		if err := p.Produce(message(topic, "fenced"), reports); err != nil {
			return err
		}
		select {
		case report := <-reports:
			return report.(*kafka.Message).TopicPartition.Error
		case <-time.After(patience):
			t.Fatal("no delivery report")
			return nil
		}
	}
	ctx := patient(t)
	for _, err := range []error{first.InitTransactions(ctx), first.BeginTransaction(), send(first), second.InitTransactions(ctx)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return fencing{
		produce: outcomeOf(send(first)),
		commit:  outcomeOf(first.CommitTransaction(ctx)),
		after:   outcomeOf(send(first)),
		fatal:   outcomeOf(first.GetFatalError()),
	}
}

// The spans of messages in a transaction that is aborted end with what the client reports.
func TestAbortedMessagesEndAsReported(t *testing.T) {
	t.Parallel()
	ctx := patient(t)
	bootstrap := kafkatest.Shared(t)
	topic := kafkatest.NewTopic(t, bootstrap, 1)
	e := newTelemetry(t)
	p := e.producer(t, bootstrap, kafka.ConfigMap{"transactional.id": topic, "linger.ms": 30_000})
	if err := errors.Join(p.InitTransactions(ctx), p.BeginTransaction()); err != nil {
		t.Fatal(err)
	}
	const acknowledged, queued = 3, 5
	reports := make(chan kafka.Event, acknowledged+queued)
	enqueue := func(ctx context.Context, n int) {
		for range n {
			if err := p.ProduceContext(ctx, message(topic, "aborted"), reports); err != nil {
				t.Fatal(err)
			}
		}
	}
	enqueue(ctx, acknowledged)
	if n := p.Flush(int(patience.Milliseconds())); n != 0 { // It does not linger.
		t.Fatalf("%d messages not delivered", n)
	}
	enqueue(ctx, queued)
	if err := p.AbortTransaction(ctx); err != nil {
		t.Fatal(err)
	}
	want := map[kafka.ErrorCode]int{kafka.ErrNoError: acknowledged, kafka.ErrPurgeQueue: queued}
	got := map[kafka.ErrorCode]int{}
	for range acknowledged + queued {
		select {
		case report := <-reports:
			got[outcomeOf(report.(*kafka.Message).TopicPartition.Error).code]++
		case <-time.After(patience):
			t.Fatalf("reports %v, want %v", got, want)
		}
	}
	types := map[any]int{}
	for _, span := range e.spans("kafka.publish") {
		types[span.Attributes["error.type"]]++
	}
	if got[kafka.ErrNoError] != acknowledged || got[kafka.ErrPurgeQueue] != queued ||
		types[nil] != acknowledged || types["_PURGE_QUEUE"] != queued || len(types) != 2 {
		t.Errorf("reports %v, error types %v, want %v", got, types, want)
	}
	if msgs := messagesOf(t, bootstrap, topic, "read_committed"); len(msgs) != 0 {
		t.Errorf("%d messages of an aborted transaction", len(msgs))
	}
}
