//go:build integration

package e2e

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/kafkatrace/tracing"
	"github.com/kafkatrace/tracing/test/kafkatest"
)

// The metrics count what the reports, the broker and the handler say.
func TestMetricsCountWhatHappened(t *testing.T) {
	t.Parallel()
	const messages, refused = 300, 7
	bootstrap := kafkatest.Shared(t)
	topic := newSmallTopic(t, bootstrap, kafkatest.NewTopic(t, bootstrap, 1)+"-small")
	e := newTelemetry(t)
	p := e.producer(t, bootstrap, kafka.ConfigMap{"batch.num.messages": 1}) // The broker refuses batches, not messages.
	msgs := spread(topic, messages, 1)
	for range refused {
		msgs = append(msgs, message(topic, strings.Repeat("x", 10_000)))
	}
	results, err := p.SendBatch(patient(t), msgs)
	if err == nil {
		t.Error("no message was refused")
	}
	sent := map[string]int{}
	for _, tp := range results {
		sent[code(tp.Error)]++
	}
	stored := len(messagesOf(t, bootstrap, topic, "read_committed"))
	if sent[""] != stored || sent["MESSAGE_TOO_LARGE"] != refused {
		t.Errorf("reports %v, %d messages stored", sent, stored)
	}

	c := e.consumer(t, patientConfig(bootstrap, topic))
	if err := c.Subscribe(topic, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(patient(t))
	defer cancel()
	handled := map[string]int{}
	n := 0
	err = c.Consume(ctx, func(context.Context, *kafka.Message) error {
		if n++; n == messages {
			cancel()
		}
		if n%10 == 0 {
			handled["*errors.errorString"]++
			return errors.New("broken")
		}
		handled[""]++
		return nil
	}, tracing.WithErrorHandler(func(context.Context, *kafka.Message, error) error { return nil }))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		metric, operation string
		counts            map[string]int
	}{
		{"messaging.client.sent.messages", "publish", sent},
		{"messaging.client.operation.duration", "publish", sent},
		{"messaging.client.consumed.messages", "receive", map[string]int{"": n}},
		{"messaging.client.operation.duration", "receive", map[string]int{"": n}},
		{"messaging.process.duration", "process", handled},
	} {
		if got := e.counts(t, want.metric, want.operation, topic); !maps.Equal(got, want.counts) {
			t.Errorf("%s of %s is %v, want %v", want.metric, want.operation, got, want.counts)
		}
	}
}

// code is the error.type of an error that SendBatch reports.
func code(err error) string {
	switch outcomeOf(err).code {
	case kafka.ErrNoError:
		return ""
	case kafka.ErrMsgSizeTooLarge:
		return "MESSAGE_TOO_LARGE"
	default:
		return err.Error()
	}
}

// counts returns how often a metric has counted an operation on a topic, by error.type.
func (e *telemetry) counts(t *testing.T, name, operation, topic string) map[string]int {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := e.reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, scope := range all.ScopeMetrics {
		for _, metric := range scope.Metrics {
			if metric.Name != name {
				continue
			}
			add := func(attrs attribute.Set, n int) {
				text := func(key attribute.Key) string {
					value, _ := attrs.Value(key)
					return value.AsString()
				}
				if text("messaging.operation.name") == operation && text("messaging.destination.name") == topic {
					counts[text("error.type")] += n
				}
			}
			switch data := metric.Data.(type) {
			case metricdata.Sum[int64]:
				for _, point := range data.DataPoints {
					add(point.Attributes, int(point.Value))
				}
			case metricdata.Histogram[float64]:
				for _, point := range data.DataPoints {
					add(point.Attributes, int(point.Count))
				}
			}
		}
	}
	return counts
}
