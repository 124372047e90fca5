package tracing

import (
	"context"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"
)

// durationBoundaries are those of the messaging convention, in seconds.
var durationBoundaries = []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}

func newMeter(mp metric.MeterProvider) metric.Meter {
	return mp.Meter(ScopeName,
		metric.WithInstrumentationVersion(Version), metric.WithSchemaURL(semconv.SchemaURL))
}

// metrics are the instruments of the messaging convention.
type metrics struct {
	operation messagingconv.ClientOperationDuration
	process   messagingconv.ProcessDuration
	sent      messagingconv.ClientSentMessages
	consumed  messagingconv.ClientConsumedMessages
}

// newMetrics makes the instruments. A meter that refuses one has the error
// handled globally, as OpenTelemetry asks, and the instrument does nothing.
func newMetrics(meter metric.Meter) *metrics {
	var (
		m          metrics
		err        error
		boundaries = metric.WithExplicitBucketBoundaries(durationBoundaries...)
	)
	if m.operation, err = messagingconv.NewClientOperationDuration(meter, boundaries); err != nil {
		otel.Handle(err)
	}
	if m.process, err = messagingconv.NewProcessDuration(meter, boundaries); err != nil {
		otel.Handle(err)
	}
	if m.sent, err = messagingconv.NewClientSentMessages(meter); err != nil {
		otel.Handle(err)
	}
	if m.consumed, err = messagingconv.NewClientConsumedMessages(meter); err != nil {
		otel.Handle(err)
	}
	return &m
}

// now returns the time if anything is going to be measured, else the zero time.
func (m *metrics) now(ctx context.Context) time.Time {
	if m.operation.Enabled(ctx) || m.process.Enabled(ctx) || m.sent.Enabled(ctx) || m.consumed.Enabled(ctx) {
		return time.Now()
	}
	return time.Time{}
}

// recordOperation records how long a client operation took. ctx is that of its
// span, so that an exemplar leads to it.
func (m *metrics) recordOperation(ctx context.Context, s *series, start time.Time) {
	if m.operation.Enabled(ctx) {
		m.operation.Inst().Record(ctx, time.Since(start).Seconds(), s.operation...)
	}
}

func (m *metrics) recordProcess(ctx context.Context, s *series, start time.Time) {
	if m.process.Enabled(ctx) {
		m.process.Inst().Record(ctx, time.Since(start).Seconds(), s.process...)
	}
}

func (m *metrics) countConsumed(ctx context.Context, s *series) {
	if m.consumed.Enabled(ctx) {
		m.consumed.Inst().Add(ctx, 1, s.count...)
	}
}

// tally adds up what is to be counted, so that a burst of messages is one call of
// the counter: the SDK takes several hundred nanoseconds for each.
type tally struct {
	counter metric.Int64Counter
	ctx     context.Context // of the last one counted, for an exemplar
	series  *series         // series differ between instruments, too
	n       int64
}

// tallyLimit bounds by how much a counter may lag behind while messages keep
// coming.
const tallyLimit = 64

func (t *tally) add(ctx context.Context, counter metric.Int64Counter, s *series) {
	if t.series != s || t.n == tallyLimit {
		t.flush()
	}
	t.counter, t.ctx, t.series = counter, ctx, s
	t.n++
}

func (t *tally) flush() {
	if t.n > 0 && t.counter.Enabled(t.ctx) {
		t.counter.Add(t.ctx, t.n, t.series.count...)
	}
	*t = tally{}
}

// series are the ready attribute sets of one operation, destination and outcome.
// operation.duration alone has the operation's type among its attributes.
type series struct {
	operation []metric.RecordOption
	process   []metric.RecordOption
	count     []metric.AddOption
}

func newSeries(c *config, op Operation, d destination, errorType string) *series {
	attrs := c.addCommon(nil, op, d)
	if errorType != "" {
		attrs = append(attrs, semconv.ErrorTypeKey.String(errorType))
	}
	// NewSet sorts its argument in place.
	all := metric.WithAttributeSet(attribute.NewSet(attrs...))
	untyped, _ := attribute.NewSetWithFiltered(attrs, func(kv attribute.KeyValue) bool {
		return kv.Key != semconv.MessagingOperationTypeKey
	})
	without := metric.WithAttributeSet(untyped)
	return &series{
		operation: []metric.RecordOption{all},
		process:   []metric.RecordOption{without},
		count:     []metric.AddOption{without},
	}
}
