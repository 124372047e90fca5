//go:build integration

package dashboard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/kafkatrace/tracing"
	"github.com/kafkatrace/tracing/test/kafkatest"
)

// Every metric says what the application, the broker and the group's offsets say: messages sent and failed, received,
// processed, and the lag of each partition while it is not 0.
func TestMetricsAreTrue(t *testing.T) {
	t.Parallel()
	const partitions, refused, tooLarge = 3, 7, 2
	bootstrap := kafkatest.Shared(t)
	topic, small := kafkatest.NewTopic(t, bootstrap, partitions), newSmallTopic(t, bootstrap, "1000")
	group := topic
	m := newMeters(t)

	p, err := tracing.NewProducer(clientConfig(bootstrap, kafka.ConfigMap{
		"message.max.bytes": 100_000, "linger.ms": 5, "statistics.interval.ms": 50,
	}), tracing.WithoutTracing(), tracing.WithMeterProvider(m.provider), tracing.WithStatisticsMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	go func() {
		for range p.Events() { // Statistics.
		}
	}()
	var sent []*kafka.Message
	for i := range 300 { // Half of them to partition 2.
		sent = append(sent, newMessage(topic, int32(min(i%4, 2)), "x"))
	}
	for range refused { // By the broker.
		sent = append(sent, newMessage(small, 0, strings.Repeat("x", 10_000)))
	}
	for range tooLarge { // For the client, which does not send them.
		sent = append(sent, newMessage(topic, 0, strings.Repeat("x", 200_000)))
	}
	results, err := p.SendBatch(t.Context(), sent)
	if err == nil {
		t.Error("no message was refused")
	}
	reported := map[string]int64{}
	for i, tp := range results {
		if i < len(sent)-tooLarge {
			reported[errorType(tp.Error)]++
		} else if errorType(tp.Error) != "MESSAGE_TOO_LARGE" {
			t.Errorf("the client took a message that is too large: %v", tp.Error)
		}
	}
	b := newBroker(t, bootstrap, group, topic, partitions)
	ends, err := b.ends()
	if err != nil {
		t.Fatal(err)
	}
	if reported[""] != sum(ends) || reported["MESSAGE_TOO_LARGE"] != refused || len(reported) != 2 {
		t.Fatalf("reports %v, %d messages on the broker", reported, sum(ends))
	}
	m.assertCounts(t, "messaging.client.sent.messages", "publish", reported)
	m.assertCounts(t, "messaging.client.operation.duration", "publish",
		map[string]int64{"": reported[""], "MESSAGE_TOO_LARGE": refused + tooLarge})
	eventually(t, func(context.Context) error { // The statistics come when they come.
		return m.equal(t, "kafka.client.sent.messages", "", "", []int64{sum(ends) + refused})
	})

	received, processed, c := consumeSome(t, bootstrap, topic, group, sum(ends), m)
	m.assertCounts(t, "messaging.client.consumed.messages", "receive", map[string]int64{"": received})
	m.assertCounts(t, "messaging.client.operation.duration", "receive", map[string]int64{"": received})
	m.assertCounts(t, "messaging.process.duration", "process", processed)
	committed, err := b.committed()
	if err != nil {
		t.Fatal(err)
	}
	lag := make([]int64, partitions)
	for i := range lag {
		lag[i] = ends[i] - committed[i]
	}
	if slices.Contains(lag, 0) || slices.Contains(committed, 0) {
		t.Fatalf("ends %v, committed %v: this would not show a lag", ends, committed)
	}
	eventually(t, func(context.Context) error {
		if event := c.Poll(10); event != nil { // Statistics come with polls.
			if msg, ok := event.(*kafka.Message); ok {
				t.Fatalf("received more than the broker has: %v", msg)
			}
		}
		return errors.Join(
			m.equal(t, "kafka.client.consumer.lag", topic, group, lag),
			m.equal(t, "kafka.client.consumer.committed_offset", topic, group, committed),
			m.equal(t, "kafka.client.consumer.consumed_offset", topic, group, ends),
			m.equal(t, "kafka.client.consumer.high_watermark", topic, group, ends),
			m.equal(t, "kafka.client.received.messages", "", group, []int64{sum(ends)}),
			m.equal(t, "kafka.client.consumer.partitions", "", group, []int64{partitions}),
			m.equal(t, "kafka.client.queue.messages", "", group, []int64{0}),
		)
	})
	t.Logf("sent %v, refused before: %d, received %d, processed %v, ends %v, committed %v, lag %v",
		reported, tooLarge, received, processed, ends, committed, lag)
}

// consumeSome reads n messages, fails to process every tenth, and commits what it has when it has read a third.
func consumeSome(
	t *testing.T, bootstrap, topic, group string, n int64, m *meters,
) (received int64, processed map[string]int64, c *tracing.TracedConsumer) {
	t.Helper()
	c, err := tracing.NewConsumer(clientConfig(bootstrap, kafka.ConfigMap{
		"group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": false, "statistics.interval.ms": 50,
	}), tracing.WithoutTracing(), tracing.WithMeterProvider(m.provider), tracing.WithStatisticsMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.Subscribe(topic, nil); err != nil {
		t.Fatal(err)
	}
	processed, broken := map[string]int64{}, errors.New("broken")
	seen := map[int32]int{}
	for deadline := time.Now().Add(patience); received < n; {
		if time.Now().After(deadline) {
			t.Fatalf("received %d of %d messages", received, n)
		}
		msg, err := c.ReadMessage(100 * time.Millisecond)
		if err != nil {
			continue // A timeout.
		}
		received++
		err = c.Process(t.Context(), msg, func(context.Context) error {
			if received%10 == 0 {
				processed["*errors.errorString"]++
				return broken
			}
			processed[""]++
			return nil
		})
		if err != nil && !errors.Is(err, broken) {
			t.Fatal(err)
		}
		if seen[msg.TopicPartition.Partition]++; seen[msg.TopicPartition.Partition] == 20 {
			if _, err := c.CommitMessage(msg); err != nil {
				t.Fatal(err)
			}
		}
	}
	return received, processed, c
}

func newMessage(topic string, partition int32, value string) *kafka.Message {
	return &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: partition}, Value: []byte(value)}
}

// errorType is the error.type that the conventions ask for, of the errors of this test.
func errorType(err error) string {
	var kafkaError kafka.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &kafkaError) && kafkaError.Code() == kafka.ErrMsgSizeTooLarge:
		return "MESSAGE_TOO_LARGE"
	default:
		return err.Error()
	}
}

// meters is what one test measures.
type meters struct {
	reader   *sdkmetric.ManualReader
	provider *sdkmetric.MeterProvider
}

func newMeters(t *testing.T) *meters {
	t.Helper()
	m := &meters{reader: sdkmetric.NewManualReader()}
	m.provider = sdkmetric.NewMeterProvider(sdkmetric.WithReader(m.reader))
	t.Cleanup(func() { _ = m.provider.Shutdown(context.Background()) })
	return m
}

// assertCounts fails the test unless a metric has counted an operation so often, by error.type.
func (m *meters) assertCounts(t *testing.T, name, operation string, want map[string]int64) {
	t.Helper()
	got := map[string]int64{}
	m.each(t, name, func(attrs attribute.Set, n int64) {
		if text(attrs, "messaging.operation.name") == operation {
			got[text(attrs, "error.type")] += n
		}
	})
	if !maps.Equal(got, want) {
		t.Errorf("%s of %s is %v, want %v", name, operation, got, want)
	}
}

// equal says if a metric of a group has not one series for each partition of a topic, or one for no partition, with
// these values.
func (m *meters) equal(t *testing.T, name, topic, group string, want []int64) error {
	t.Helper()
	got := map[string]int64{}
	m.each(t, name, func(attrs attribute.Set, n int64) {
		if text(attrs, "messaging.destination.name") == topic && text(attrs, "messaging.consumer.group.name") == group {
			got[text(attrs, "messaging.destination.partition.id")] = n
		}
	})
	values := map[string]int64{}
	for i, n := range want {
		partition := ""
		if topic != "" {
			partition = strconv.Itoa(i)
		}
		values[partition] = n
	}
	if !maps.Equal(got, values) {
		return fmt.Errorf("%s is %v, want %v", name, got, values)
	}
	return nil
}

// each calls f for each series of a metric.
func (m *meters) each(t *testing.T, name string, f func(attribute.Set, int64)) {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := m.reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, metric := range scope.Metrics {
			if metric.Name != name {
				continue
			}
			switch data := metric.Data.(type) {
			case metricdata.Sum[int64]:
				for _, point := range data.DataPoints {
					f(point.Attributes, point.Value)
				}
			case metricdata.Gauge[int64]:
				for _, point := range data.DataPoints {
					f(point.Attributes, point.Value)
				}
			case metricdata.Histogram[float64]:
				for _, point := range data.DataPoints {
					f(point.Attributes, int64(point.Count))
				}
			}
		}
	}
}

func text(attrs attribute.Set, key attribute.Key) string {
	value, _ := attrs.Value(key)
	return value.AsString()
}
