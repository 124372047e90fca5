//go:build integration

package e2e

import (
	"context"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/kafkatrace/tracing"
	"github.com/kafkatrace/tracing/test/otlpsink"
)

// telemetry is what one test emits in this process.
type telemetry struct {
	recorder *tracetest.SpanRecorder
	tp       *sdktrace.TracerProvider
	reader   *sdkmetric.ManualReader
	mp       *sdkmetric.MeterProvider
}

// newTelemetry makes a recorder. At the end of the test every span that was started must have ended.
func newTelemetry(t *testing.T) *telemetry {
	t.Helper()
	e := &telemetry{recorder: tracetest.NewSpanRecorder(), reader: sdkmetric.NewManualReader()}
	e.tp = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(e.recorder))
	e.mp = sdkmetric.NewMeterProvider(sdkmetric.WithReader(e.reader))
	t.Cleanup(func() {
		if started, ended := len(e.recorder.Started()), len(e.recorder.Ended()); started != ended {
			t.Errorf("%d spans started, %d ended", started, ended)
		}
		_ = e.tp.Shutdown(context.Background())
		_ = e.mp.Shutdown(context.Background())
	})
	return e
}

// options are the providers of the test, and opts.
func (e *telemetry) options(opts ...tracing.Option) []tracing.Option {
	return append(opts, tracing.WithTracerProvider(e.tp), tracing.WithMeterProvider(e.mp))
}

// spans returns the spans that have ended, as the wire would have them.
func (e *telemetry) spans(name string) []otlpsink.Span {
	var spans []otlpsink.Span
	for _, from := range e.recorder.Ended() {
		if name != "" && from.Name() != name {
			continue
		}
		span := otlpsink.Span{
			Scope: from.InstrumentationScope().Name, Name: from.Name(), Kind: from.SpanKind(),
			TraceID: from.SpanContext().TraceID(), SpanID: from.SpanContext().SpanID(), ParentID: from.Parent().SpanID(),
			Start: from.StartTime(), End: from.EndTime(),
			Attributes: attributes{}, Status: from.Status().Code, Message: from.Status().Description,
		}
		for _, kv := range from.Attributes() {
			span.Attributes[string(kv.Key)] = kv.Value.AsInterface()
		}
		for _, link := range from.Links() {
			span.Links = append(span.Links, otlpsink.Link{TraceID: link.SpanContext.TraceID(), SpanID: link.SpanContext.SpanID()})
		}
		spans = append(spans, span)
	}
	return spans
}

// producer makes a traced producer, closed at the end of the test.
func (e *telemetry) producer(t *testing.T, bootstrap string, kv kafka.ConfigMap, opts ...tracing.Option) *tracing.TracedProducer {
	t.Helper()
	p, err := tracing.NewProducer(clientConfig(bootstrap, kv), e.options(opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// consumer makes a traced consumer, closed at the end of the test.
func (e *telemetry) consumer(t *testing.T, conf kafka.ConfigMap, opts ...tracing.Option) *tracing.TracedConsumer {
	t.Helper()
	c, err := tracing.NewConsumer(&conf, e.options(opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}
