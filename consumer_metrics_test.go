package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/kafkatrace/tracing"
)

// collected is what the meter has of a metric.
func (c *cluster) collected(name string) (m metricdata.Metrics, ok bool) {
	c.t.Helper()
	var all metricdata.ResourceMetrics
	if err := c.mr.Collect(context.Background(), &all); err != nil {
		c.t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name == name {
				if scope.Scope.Name != tracing.ScopeName || scope.Scope.Version != tracing.Version || scope.Scope.SchemaURL == "" {
					c.t.Errorf("scope %+v", scope.Scope)
				}
				return m, true
			}
		}
	}
	return metricdata.Metrics{}, false
}

// series is one series of a metric, count the number of its measurements or their
// sum.
type series struct {
	attributes attribute.Set
	count      uint64
	exemplars  [][]byte // trace ids, then span ids
}

func (c *cluster) series(name string) []series {
	c.t.Helper()
	m, _ := c.collected(name)
	var all []series
	switch data := m.Data.(type) {
	case metricdata.Histogram[float64]:
		for _, p := range data.DataPoints {
			s := series{attributes: p.Attributes, count: p.Count}
			for _, e := range p.Exemplars {
				s.exemplars = append(s.exemplars, append(slices.Clone(e.TraceID), e.SpanID...))
			}
			all = append(all, s)
		}
	case metricdata.Sum[int64]:
		for _, p := range data.DataPoints {
			s := series{attributes: p.Attributes, count: uint64(p.Value)}
			for _, e := range p.Exemplars {
				s.exemplars = append(s.exemplars, append(slices.Clone(e.TraceID), e.SpanID...))
			}
			all = append(all, s)
		}
	}
	return all
}

// measured is how often a metric was measured with (at least) these attributes.
func (c *cluster) measured(name string, with ...attribute.KeyValue) (n uint64) {
	c.t.Helper()
	for _, s := range c.series(name) {
		if !slices.ContainsFunc(with, func(kv attribute.KeyValue) bool {
			v, ok := s.attributes.Value(kv.Key)
			return !ok || v != kv.Value
		}) {
			n += s.count
		}
	}
	return n
}

// assertSeries checks that a metric has the one series, with these attributes.
func (c *cluster) assertSeries(name string, count uint64, want ...attribute.KeyValue) {
	c.t.Helper()
	all := c.series(name)
	set := attribute.NewSet(want...)
	if len(all) != 1 || all[0].count != count || !all[0].attributes.Equals(&set) {
		for _, s := range all {
			c.t.Logf("got %d × %s", s.count, s.attributes.Encoded(attribute.DefaultEncoder()))
		}
		c.t.Errorf("%s: want %d × %s", name, count, set.Encoded(attribute.DefaultEncoder()))
	}
}

func TestConsumerMetrics(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	topic := c.fillTopic("a", "b", "c")
	consumer := c.consumer(topic, nil, tracing.WithAttributes(attribute.String("mine", "not on metrics")))
	for range 3 {
		msg := read(t, consumer)
		for range 2 { // handled twice, consumed once
			if err := consumer.Process(context.Background(), msg, func(context.Context) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
	}
	common := func(op string, more ...attribute.KeyValue) []attribute.KeyValue {
		return append(append(c.serverAttributes(),
			attribute.String("messaging.system", "kafka"),
			attribute.String("messaging.operation.name", op),
			attribute.String("messaging.destination.name", topic),
			attribute.String("messaging.consumer.group.name", "billing")), more...)
	}
	c.assertSeries("messaging.client.consumed.messages", 3, common("receive")...)
	c.assertSeries("messaging.client.operation.duration", 3, common("receive", attribute.String("messaging.operation.type", "receive"))...)
	c.assertSeries("messaging.process.duration", 6, common("process")...)
	if _, ok := c.collected("messaging.client.sent.messages"); ok {
		t.Error("a consumer has sent messages")
	}
}

func TestConsumerMetricsInstruments(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	consumer, msg := c.receive(headed())
	_ = consumer.Process(context.Background(), msg, func(context.Context) error { return nil })
	bounds := []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
	for name, unit := range map[string]string{
		"messaging.client.operation.duration": "s",
		"messaging.process.duration":          "s",
		"messaging.client.consumed.messages":  "{message}",
	} {
		m, ok := c.collected(name)
		if !ok || m.Unit != unit || m.Description == "" {
			t.Errorf("%s: there %v, unit %q, description %q", name, ok, m.Unit, m.Description)
		}
		switch data := m.Data.(type) {
		case metricdata.Histogram[float64]:
			if p := data.DataPoints[0]; !slices.Equal(p.Bounds, bounds) || p.Sum < 0 || p.Sum > patience.Seconds() {
				t.Errorf("%s: bounds %v, sum %v", name, p.Bounds, p.Sum)
			}
		case metricdata.Sum[int64]:
			if !data.IsMonotonic {
				t.Errorf("%s can fall", name)
			}
		default:
			t.Errorf("%s is a %T", name, data)
		}
	}
}

func TestConsumerMetricsOfErrors(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	msg := headed()
	msg.TopicPartition.Error = kafka.NewError(kafka.ErrTopicAuthorizationFailed, "no", false)
	consumer, _ := c.receive(msg)
	_ = consumer.Process(context.Background(), headed(), func(context.Context) error { return errors.New("x") })
	refused := attribute.String("error.type", "TOPIC_AUTHORIZATION_FAILED")
	for name, want := range map[string]attribute.KeyValue{
		"messaging.client.operation.duration": refused,
		"messaging.client.consumed.messages":  refused,
		"messaging.process.duration":          attribute.String("error.type", "*errors.errorString"),
	} {
		if got := c.measured(name, want); got != 1 {
			t.Errorf("%s: %d with %v", name, got, want.Value.String())
		}
	}
}

// The duration of receive has all of the wait for the message, however it is asked
// for.
func TestConsumerMetricsDurationHasTheWait(t *testing.T) {
	t.Parallel()
	for name, receive := range map[string]func(context.Context, *tracing.TracedConsumer) error{
		"Poll": func(_ context.Context, consumer *tracing.TracedConsumer) error {
			if event, ok := consumer.Poll(int(patience.Milliseconds())).(*kafka.Message); !ok {
				return fmt.Errorf("polled %v", event)
			}
			return nil
		},
		"ReadBatch": func(ctx context.Context, consumer *tracing.TracedConsumer) error {
			_, err := consumer.ReadBatch(ctx, 1, 0)
			return err
		},
		"Consume": func(ctx context.Context, consumer *tracing.TracedConsumer) error {
			ctx, stop := context.WithCancel(ctx)
			return consumer.Consume(ctx, func(context.Context, *kafka.Message) error {
				stop()
				return nil
			})
		},
		"ConsumeBatch": func(ctx context.Context, consumer *tracing.TracedConsumer) error {
			ctx, stop := context.WithCancel(ctx)
			return consumer.ConsumeBatch(ctx, 1, 0, func(context.Context, []*kafka.Message) error {
				stop()
				return nil
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			topic := c.topic(1)
			consumer := c.consumer(topic, kafka.ConfigMap{"enable.auto.offset.store": false})
			began, received := make(chan time.Time, 1), make(chan error, 1)
			go func() {
				began <- time.Now()
				received <- receive(t.Context(), consumer)
			}()
			start := <-began
			// An idle poll of the same client marks the time: it is what passes meanwhile.
			if event := c.rawConsumer(topic, nil).Poll(300); event != nil {
				t.Fatal(event)
			}
			waited := time.Since(start)
			c.produceRaw(message(topic, "late"))
			if err := <-received; err != nil {
				t.Fatal(err)
			}
			took := time.Since(start)
			m, _ := c.collected("messaging.client.operation.duration")
			durations, _ := m.Data.(metricdata.Histogram[float64])
			if len(durations.DataPoints) != 1 {
				t.Fatalf("durations %+v", m.Data)
			}
			// The call began a little after start.
			if sum := durations.DataPoints[0].Sum; sum < waited.Seconds()/2 || sum > took.Seconds() {
				t.Errorf("measured %v s of a wait of %v in a call of %v", sum, waited, took)
			}
		})
	}
}

func TestConsumerMetricsPartition(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	consumer, msg := c.receive(headed(), tracing.WithPartitionOnMetrics())
	_ = consumer.Process(context.Background(), msg, func(context.Context) error { return nil })
	for _, name := range []string{"messaging.client.operation.duration", "messaging.client.consumed.messages", "messaging.process.duration"} {
		if got := c.measured(name, attribute.String("messaging.destination.partition.id", "0")); got != 1 {
			t.Errorf("%s: %d with the partition", name, got)
		}
	}
}

// An exemplar leads to the span that was measured.
func TestConsumerMetricsExemplars(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	consumer, msg := c.receive(headed(traceparent(spanContext(1))))
	_ = consumer.Process(context.Background(), msg, func(context.Context) error { return nil })
	for name, span := range map[string]string{
		"messaging.client.operation.duration": "kafka.receive",
		"messaging.client.consumed.messages":  "kafka.receive",
		"messaging.process.duration":          "kafka.process",
	} {
		sc := c.only(span).SpanContext()
		tid, sid := sc.TraceID(), sc.SpanID()
		want := slices.Concat(tid[:], sid[:])
		if got := c.series(name)[0].exemplars; len(got) != 1 || !slices.Equal(got[0], want) {
			t.Errorf("%s: exemplars %x, want %x", name, got, want)
		}
	}
}

func TestConsumerMetricsNone(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]tracing.Option{
		"filtered": tracing.WithFilter(func(*kafka.Message) bool { return false }),
		"off":      tracing.WithoutMetrics(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			consumer, msg := c.receive(headed(), opt)
			_ = consumer.Process(context.Background(), msg, func(context.Context) error { return nil })
			for _, name := range []string{"messaging.client.operation.duration", "messaging.client.consumed.messages", "messaging.process.duration"} {
				if _, ok := c.collected(name); ok {
					t.Errorf("%s is there", name)
				}
			}
		})
	}
}
