//go:build integration

package faults

import (
	"errors"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/codes"

	"github.com/kafkatrace/tracing"
)

// A transaction takes longer than transaction.timeout.ms, and the broker aborts it.
func TestTransactionExpires(t *testing.T) {
	t.Parallel()
	cluster := shared.get(t)
	const timeout = 8000 // Within which a message is delivered however busy the machine is.
	var apps applications
	for _, c := range []*client{rawClient(), tracedClient(t, tracing.WithTransactionSpans())} {
		apps = append(apps, setup{
			cluster: cluster, topic: kafka.TopicSpecification{NumPartitions: 1}, sendOnly: true,
			producer: kafka.ConfigMap{
				"transactional.id": t.Name() + c.name, "transaction.timeout.ms": timeout, "message.timeout.ms": timeout,
			},
		}.startWith(t, c))
	}
	for _, a := range apps {
		if err := errors.Join(a.sender.p.InitTransactions(patient(t)), a.sender.p.BeginTransaction()); err != nil {
			t.Fatal(err)
		}
	}
	apps.sendUpTo(10)
	apps.eventually(t, "the transaction has expired", func(a *application) bool {
		return lastStable(t, cluster.Bootstrap(), a.sender.topic) > 10
	})
	apps.sendUpTo(20)
	var ended []expiry
	for _, a := range apps {
		e := expiry{commit: outcomeOf(a.sender.p.CommitTransaction(patient(t))), fatal: outcomeOf(a.sender.p.GetFatalError())}
		a.sender.sendUpTo(30)
		e.abort = outcomeOf(a.sender.p.AbortTransaction(patient(t)))
		ended = append(ended, e)
		if records := stored(t, cluster.Bootstrap(), a.sender.topic, 1, "read_committed"); len(records) != 0 {
			t.Errorf("%s: %d messages of a transaction that was aborted", a.client.name, len(records))
		}
	}
	fenced := outcome{name: "_FENCED", fatal: true}
	if want := (expiry{commit: fenced, fatal: fenced, abort: fenced}); ended[0] != ended[1] || ended[0] != want {
		t.Errorf("without tracing %+v, with it %+v, want %+v", ended[0], ended[1], want)
	}
	apps.finish(t, "transaction expired", "", "INVALID_PRODUCER_EPOCH", refused+"_FATAL")
	for _, operation := range []string{"kafka.commit_transaction", "kafka.abort_transaction"} {
		spans := apps[1].client.spans(operation)
		if len(spans) != 1 || spans[0].status.Code != codes.Error || spans[0].attributes["error.type"] != "_FENCED" {
			t.Errorf("%s: %+v, want one that failed with _FENCED", operation, spans)
		}
	}
}

// expiry is what a producer's calls return once its transaction has expired.
type expiry struct{ commit, fatal, abort outcome }

// outcome is what an application sees of an error.
type outcome struct {
	name                    string
	fatal, retriable, abort bool
}

func outcomeOf(err error) outcome {
	var e kafka.Error
	_ = errors.As(err, &e) // Otherwise its name tells.
	return outcome{name: name(err), fatal: e.IsFatal(), retriable: e.IsRetriable(), abort: e.TxnRequiresAbort()}
}
