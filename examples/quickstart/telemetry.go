package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/kafkatrace/tracing/examples/internal/tracetree"
)

// telemetry gives each service a tracer provider of its own, as if it ran in a
// process of its own. All spans meet in one collector, and are also exported if
// there is where to.
type telemetry struct {
	collector *tracetree.Collector
	otlp      string
	providers []*sdktrace.TracerProvider
	exporters []*countingExporter
}

func newTelemetry(ctx context.Context, collector *tracetree.Collector, otlp string) (*telemetry, error) {
	if otlp != "" {
		// An exporter connects when it has something to send: find out now.
		dialer := net.Dialer{Timeout: 3 * time.Second}
		conn, err := dialer.DialContext(ctx, "tcp", otlp)
		if err != nil {
			return nil, fmt.Errorf("no OTLP endpoint answers at %s: %w", otlp, err)
		}
		_ = conn.Close()
	}
	return &telemetry{collector: collector, otlp: otlp}, nil
}

// provider returns the tracer provider of a service.
func (t *telemetry) provider(service string) (*sdktrace.TracerProvider, error) {
	options := []sdktrace.TracerProviderOption{
		sdktrace.WithSampler(sdktrace.AlwaysSample()),
		sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName(service))),
		sdktrace.WithSpanProcessor(t.collector),
	}
	if t.otlp != "" {
		exporter, err := otlptracegrpc.New(context.Background(),
			otlptracegrpc.WithEndpoint(t.otlp), otlptracegrpc.WithInsecure())
		if err != nil {
			return nil, err
		}
		counting := &countingExporter{SpanExporter: exporter}
		t.exporters = append(t.exporters, counting)
		// Blocking: every span printed is also to be sent.
		options = append(options, sdktrace.WithBatcher(counting, sdktrace.WithBlocking()))
	}
	provider := sdktrace.NewTracerProvider(options...)
	t.providers = append(t.providers, provider)
	return provider, nil
}

// shutdown sends what is still in memory, and returns how many spans were
// exported altogether, and what kept others from it.
func (t *telemetry) shutdown() (sent int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, p := range t.providers {
		err = errors.Join(err, p.Shutdown(ctx))
	}
	for _, e := range t.exporters {
		sent += int(e.sent.Load())
		if failure := e.failure.Load(); failure != nil {
			err = errors.Join(err, *failure)
		}
	}
	return sent, err
}

// countingExporter counts the spans that it exports and keeps its first error,
// which the batch processor would only log.
type countingExporter struct {
	sdktrace.SpanExporter
	sent    atomic.Int64
	failure atomic.Pointer[error]
}

func (e *countingExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := e.SpanExporter.ExportSpans(ctx, spans); err != nil {
		e.failure.CompareAndSwap(nil, &err)
		return nil
	}
	e.sent.Add(int64(len(spans)))
	return nil
}
