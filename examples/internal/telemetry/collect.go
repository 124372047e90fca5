package telemetry

import (
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/kafkatrace/tracing/examples/internal/tracetree"
)

// Collect is Setup for an example that prints its own traces: it sets a global
// tracer provider whose spans stay in memory.
func Collect(service string) *tracetree.Collector {
	collector := tracetree.NewCollector(0)
	otel.SetTracerProvider(sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.AlwaysSample()),
		sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName(service))),
		sdktrace.WithSpanProcessor(collector)))
	return collector
}
