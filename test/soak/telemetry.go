package soak

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

// telemetry is what an application sets up, with exporters that count and discard.
type telemetry struct {
	spans    *spanCounter
	exported *spanExporter
	totals   *metricExporter
	tp       *sdktrace.TracerProvider
	mp       *sdkmetric.MeterProvider
}

func newTelemetry(sampling float64) *telemetry {
	t := &telemetry{spans: &spanCounter{}, exported: &spanExporter{}, totals: &metricExporter{}}
	t.tp = sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(sampling))),
		sdktrace.WithSpanProcessor(t.spans),
		sdktrace.WithBatcher(t.exported, sdktrace.WithBlocking()),
	)
	t.mp = sdkmetric.NewMeterProvider(sdkmetric.WithReader(
		sdkmetric.NewPeriodicReader(t.totals, sdkmetric.WithInterval(5*time.Second)),
	))
	return t
}

func (t *telemetry) options() []tracing.Option {
	return []tracing.Option{tracing.WithTracerProvider(t.tp), tracing.WithMeterProvider(t.mp)}
}

// shutdown exports what is left.
func (t *telemetry) shutdown(ctx context.Context) error {
	return errors.Join(t.tp.Shutdown(ctx), t.mp.Shutdown(ctx))
}

// spanCounter is a span processor that counts the spans of producers and of consumers.
type spanCounter struct {
	publishStarted, publishEnded, receiveStarted, receiveEnded atomic.Int64
}

func (c *spanCounter) OnStart(_ context.Context, s sdktrace.ReadWriteSpan) {
	count(s.SpanKind(), &c.publishStarted, &c.receiveStarted)
}

func (c *spanCounter) OnEnd(s sdktrace.ReadOnlySpan) {
	count(s.SpanKind(), &c.publishEnded, &c.receiveEnded)
}

func (c *spanCounter) Shutdown(context.Context) error   { return nil }
func (c *spanCounter) ForceFlush(context.Context) error { return nil }

func count(kind trace.SpanKind, publish, receive *atomic.Int64) {
	if kind == trace.SpanKindProducer {
		publish.Add(1)
	} else {
		receive.Add(1)
	}
}

// spanExporter counts spans and discards them.
type spanExporter struct{ spans atomic.Int64 }

func (e *spanExporter) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	e.spans.Add(int64(len(spans)))
	return nil
}

func (e *spanExporter) Shutdown(context.Context) error { return nil }

// metricExporter keeps the last totals of the messages sent and consumed.
type metricExporter struct{ sent, consumed atomic.Int64 }

func (*metricExporter) Temporality(sdkmetric.InstrumentKind) metricdata.Temporality {
	return metricdata.CumulativeTemporality
}

func (*metricExporter) Aggregation(kind sdkmetric.InstrumentKind) sdkmetric.Aggregation {
	return sdkmetric.DefaultAggregationSelector(kind)
}

func (e *metricExporter) Export(_ context.Context, resource *metricdata.ResourceMetrics) error {
	for _, scope := range resource.ScopeMetrics {
		for _, metric := range scope.Metrics {
			switch metric.Name {
			case "messaging.client.sent.messages":
				e.sent.Store(total(metric))
			case "messaging.client.consumed.messages":
				e.consumed.Store(total(metric))
			}
		}
	}
	return nil
}

// total adds up a counter over all its attributes.
func total(metric metricdata.Metrics) (n int64) {
	if sum, ok := metric.Data.(metricdata.Sum[int64]); ok {
		for _, point := range sum.DataPoints {
			n += point.Value
		}
	}
	return n
}

func (*metricExporter) ForceFlush(context.Context) error { return nil }
func (*metricExporter) Shutdown(context.Context) error   { return nil }
