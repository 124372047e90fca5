package byhand

import (
	"context"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// metrics are the instruments, with the attributes that they record with.
type metrics struct {
	operation, process metric.Float64Histogram
	sent, consumed     metric.Int64Counter

	published, received, processed []metric.RecordOption
	countSent, countConsumed       []metric.AddOption
}

func newMetrics(mp metric.MeterProvider, conf kafka.ConfigMap) *metrics {
	if mp == nil {
		return nil
	}
	meter := mp.Meter("by hand")
	boundaries := metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
	var m metrics
	m.operation, _ = meter.Float64Histogram("messaging.client.operation.duration", metric.WithUnit("s"), boundaries)
	m.process, _ = meter.Float64Histogram("messaging.process.duration", metric.WithUnit("s"), boundaries)
	m.sent, _ = meter.Int64Counter("messaging.client.sent.messages", metric.WithUnit("{message}"))
	m.consumed, _ = meter.Int64Counter("messaging.client.consumed.messages", metric.WithUnit("{message}"))

	set := func(op, opType string) metric.MeasurementOption {
		return metric.WithAttributeSet(attribute.NewSet(common(conf, op, opType)...))
	}
	m.published = []metric.RecordOption{set("publish", "send")}
	m.countSent = []metric.AddOption{set("publish", "")}
	m.received = []metric.RecordOption{set("receive", "receive")}
	m.countConsumed = []metric.AddOption{set("receive", "")}
	m.processed = []metric.RecordOption{set("process", "")}
	return &m
}

// now returns the time if it is needed.
func (m *metrics) now() time.Time {
	if m == nil {
		return time.Time{}
	}
	return time.Now()
}

func (m *metrics) recordPublish(ctx context.Context, start time.Time) {
	if m != nil {
		m.operation.Record(ctx, time.Since(start).Seconds(), m.published...)
		m.sent.Add(ctx, 1, m.countSent...)
	}
}

func (m *metrics) recordReceive(ctx context.Context, start time.Time, messages int) {
	if m != nil {
		m.operation.Record(ctx, time.Since(start).Seconds(), m.received...)
		m.consumed.Add(ctx, int64(messages), m.countConsumed...)
	}
}

func (m *metrics) recordProcess(ctx context.Context, start time.Time) {
	if m != nil {
		m.process.Record(ctx, time.Since(start).Seconds(), m.processed...)
	}
}
