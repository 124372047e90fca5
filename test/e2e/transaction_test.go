//go:build integration

package e2e

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
	"github.com/kafkatrace/tracing/test/kafkatest"
	"github.com/kafkatrace/tracing/test/otlpsink"
)

// eosConfig is what a consumer adds to take part in transactions.
func eosConfig(conf kafka.ConfigMap) kafka.ConfigMap {
	conf["isolation.level"] = "read_committed"
	conf["enable.auto.commit"] = false
	delete(conf, "auto.commit.interval.ms")
	return conf
}

// assertExactlyOnce fails the test unless output has, in transactions that were committed, the values 0 to n-1 once each.
// It returns those messages.
func assertExactlyOnce(t *testing.T, bootstrap, output string, n int) []*kafka.Message {
	t.Helper()
	msgs := messagesOf(t, bootstrap, output, "read_committed")
	times := map[string]int{}
	for _, msg := range msgs {
		times[string(msg.Value)]++
	}
	for i := range n {
		if got := times[strconv.Itoa(i)]; got != 1 {
			t.Errorf("message %d is there %d times", i, got)
		}
	}
	if len(msgs) != n {
		t.Errorf("%d messages, want %d", len(msgs), n)
	}
	t.Logf("%d messages, %d more were aborted", len(msgs), len(messagesOf(t, bootstrap, output, "read_uncommitted"))-len(msgs))
	return msgs
}

// Every message is one trace from input to output, also when a transaction is aborted and done again.
func TestTransactionsAreTracedFromInputToOutput(t *testing.T) {
	t.Parallel()
	const messages, partitions = 500, 3
	bootstrap := impatient.bootstrap(t)
	input, output := kafkatest.NewTopic(t, bootstrap, partitions), kafkatest.NewTopic(t, bootstrap, partitions)
	e := newTelemetry(t)
	source := e.producer(t, bootstrap, kafka.ConfigMap{"client.id": "source"})
	if _, err := source.SendBatch(patient(t), spread(input, messages, partitions)); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	aborted := false
	p := e.producer(t, bootstrap, kafka.ConfigMap{"client.id": "transformer", "transactional.id": output, "linger.ms": 5}, tracing.WithTransactionSpans())
	go drain(p.Events())
	x := &transformer{
		c: e.consumer(t, eosConfig(memberConfig(bootstrap, input, classic))), p: p, output: output,
		begin: func(*kafka.Message) {}, committing: func() {},
		abort: func(msgs []*kafka.Message) bool { // Once, in the middle.
			now := !aborted && slices.ContainsFunc(msgs, func(msg *kafka.Message) bool { return string(msg.Value) == "250" })
			aborted = aborted || now
			return now
		},
	}
	if err := x.c.Subscribe(input, nil); err != nil {
		t.Fatal(err)
	}
	commits := newCommitted(t, bootstrap, input, input)
	result := make(chan error, 1)
	go func() { result <- x.run(ctx) }()
	ends := commits.ends()
	eventually(t, "all input committed", func() bool { return slices.Equal(commits.offsets(), ends) })
	cancel()
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	_ = x.c.Close()
	p.Close()
	if !aborted {
		t.Error("no transaction was aborted")
	}

	spans := map[trace.SpanID]otlpsink.Span{}
	for _, span := range e.spans("") {
		spans[span.SpanID] = span
	}
	for _, msg := range assertExactlyOnce(t, bootstrap, output, messages) {
		id := contextOf(t, msg).SpanID()
		for _, want := range []struct{ name, topic string }{
			{"kafka.publish", output}, {"kafka.process", input}, {"kafka.receive", input}, {"kafka.publish", input}, {"kafka.publish_batch", input},
		} {
			span, ok := spans[id]
			if !ok || span.Name != want.name || span.Attributes["messaging.destination.name"] != want.topic || span.Status != codes.Unset {
				t.Fatalf("message %s: %v of %v, want %s of %s", msg.Value, span, span.Attributes, want.name, want.topic)
			}
			id = span.ParentID
		}
		if id.IsValid() {
			t.Fatalf("message %s: the publish span of its input has a parent", msg.Value)
		}
	}
	assertTransactionSpans(t, e, bootstrap)
}

// assertTransactionSpans compares the spans of a run with one transaction that was aborted.
func assertTransactionSpans(t *testing.T, e *telemetry, bootstrap string) {
	t.Helper()
	numbers := map[string]int{}
	for _, name := range []string{"init_transactions", "send_offsets", "commit_transaction", "abort_transaction"} {
		spans := e.spans("kafka." + name)
		numbers[name] = len(spans)
		want := messagingAttributes(bootstrap, "transformer", "", name, "settle")
		delete(want, "messaging.destination.name")
		if name != "send_offsets" {
			delete(want, "messaging.operation.type")
		}
		for i := range spans {
			assertSpan(t, spans[i], wantSpan{name: "kafka." + name, kind: trace.SpanKindClient, attributes: want})
		}
	}
	if numbers["init_transactions"] != 1 || numbers["abort_transaction"] != 1 ||
		numbers["commit_transaction"] < 500/10 || numbers["send_offsets"] != numbers["commit_transaction"]+1 {
		t.Errorf("transaction spans %v", numbers)
	}
}

// A process that transforms is killed in the middle of transactions, and its successor fences it.
func TestExactlyOnceThroughKills(t *testing.T) {
	t.Parallel()
	const messages, partitions, kills = 500, 3, 8
	bootstrap := impatient.bootstrap(t)
	input, output := kafkatest.NewTopic(t, bootstrap, partitions), kafkatest.NewTopic(t, bootstrap, partitions)
	produce(t, bootstrap, spread(input, messages, partitions)...)
	conf := workerConfig{
		Consumer: eosConfig(memberConfig(bootstrap, input, classic)),
		Producer: *clientConfig(bootstrap, kafka.ConfigMap{"transactional.id": output, "linger.ms": 5}),
		Input:    input, Output: output,
	}
	commits := newCommitted(t, bootstrap, input, input)
	ends := commits.ends()
	for kill := range kills {
		w := startWorker(t, "transform", conf)
		killTransformer(w, kill)
	}
	if slices.Equal(commits.offsets(), ends) {
		t.Error("the last kill was not in the middle: everything had been committed")
	}
	w := startWorker(t, "transform", conf)
	if err := w.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all input committed", func() bool { return slices.Equal(commits.offsets(), ends) })
	w.stop()
	assertExactlyOnce(t, bootstrap, output, messages)
}

// killTransformer kills a worker while it transforms as fast as it can, within a transaction, or right before a commit.
func killTransformer(w *program, kill int) {
	w.t.Helper()
	allow := func(n int) {
		if _, err := w.stdin.Write(make([]byte, n)); err != nil {
			w.t.Fatal(err)
		}
	}
	n := 3 + rand.IntN(50)
	switch kill % 3 {
	case 0:
		allow(2 * n)
		w.wait("messages transformed", func(lines []string) bool { return len(lines) > n })
	case 1:
		allow(n)
		w.wait("messages transformed", func(lines []string) bool { return len(lines) > n })
	case 2:
		for given := 0; ; given++ {
			lines := w.wait("messages transformed", func(lines []string) bool { return len(lines) > given })
			if given > 10 && strings.HasPrefix(lines[len(lines)-1], "committing") {
				break
			}
			allow(1)
		}
	}
	w.kill()
}
