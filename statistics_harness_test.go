package tracing_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/kafkatrace/tracing"
)

// point is one value of a kafka.client metric.
type point struct {
	value float64
	attrs attribute.Set
}

func (p point) attr(key string) string {
	v, _ := p.attrs.Value(attribute.Key(key))
	return v.String()
}

// clientMetrics collects the kafka.client metrics by name.
func (c *cluster) clientMetrics() map[string][]point {
	c.t.Helper()
	var rm metricdata.ResourceMetrics
	if err := c.mr.Collect(context.Background(), &rm); err != nil {
		c.t.Fatal(err)
	}
	points := map[string][]point{}
	for _, scope := range rm.ScopeMetrics {
		for _, m := range scope.Metrics {
			if !strings.HasPrefix(m.Name, "kafka.client.") {
				continue
			}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				if !data.IsMonotonic {
					c.t.Errorf("%s is not monotonic", m.Name)
				}
				add(points, m.Name, data.DataPoints)
			case metricdata.Gauge[int64]:
				add(points, m.Name, data.DataPoints)
			case metricdata.Gauge[float64]:
				if m.Unit != "s" {
					c.t.Errorf("%s has unit %s", m.Name, m.Unit)
				}
				add(points, m.Name, data.DataPoints)
			default:
				c.t.Errorf("%s is a %T", m.Name, m.Data)
			}
		}
	}
	return points
}

func add[N int64 | float64](points map[string][]point, name string, from []metricdata.DataPoint[N]) {
	for _, p := range from {
		points[name] = append(points[name], point{value: float64(p.Value), attrs: p.Attributes})
	}
}

// byPartition are the values of a metric by topic and partition.
func byPartition(points []point) map[string]float64 {
	values := map[string]float64{}
	for _, p := range points {
		values[p.attr("messaging.destination.name")+"["+p.attr("messaging.destination.partition.id")+"]"] = p.value
	}
	return values
}

// the returns the one value of a metric, -1 if there is not one.
func the(points []point) float64 {
	if len(points) != 1 {
		return -1
	}
	return points[0].value
}

// withStatistics takes them often enough to test.
func withStatistics() []tracing.Option {
	return []tracing.Option{tracing.WithStatisticsMetrics(), tracing.WithStatisticsInterval(20)}
}

// polled polls until a condition holds of the metrics. What else comes is lost.
func (c *cluster) polled(consumer tracing.Consumer, what string, condition func(map[string][]point) bool) {
	c.t.Helper()
	var last map[string][]point
	defer func() {
		if c.t.Failed() {
			for _, name := range slices.Sorted(maps.Keys(last)) {
				for _, p := range last[name] {
					c.t.Log(name, p.attrs.Encoded(attribute.DefaultEncoder()), p.value)
				}
			}
		}
	}()
	eventually(c.t, what, func() bool {
		consumer.Poll(5)
		last = c.clientMetrics()
		return condition(last)
	})
}

// eachReport produces n messages and waits for their reports.
func eachReport(t *testing.T, p *tracing.TracedProducer, topic, value string, n int) {
	t.Helper()
	reports := make(chan kafka.Event, n)
	for range n {
		produce(t, p, message(topic, value), reports)
	}
	for range n {
		if err := report(t, reports).TopicPartition.Error; err != nil {
			t.Fatal(err)
		}
	}
}
