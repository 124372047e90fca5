// Package telemetry sets OpenTelemetry up for an example, as a service of yours
// would do it once in its main function.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// Setup sets the global tracer provider and propagator, which is where the
// tracing package looks unless told otherwise. Spans leave in batches by
// OTLP/gRPC, to localhost:4317 without TLS if nothing else is configured.
//
// The standard variables are honoured: OTEL_EXPORTER_OTLP_*, OTEL_TRACES_SAMPLER,
// OTEL_BSP_*, OTEL_RESOURCE_ATTRIBUTES, and OTEL_SERVICE_NAME before the service
// name given. With OTEL_METRICS_EXPORTER=otlp metrics take the same way; by
// default they stay here, as not every tracing backend accepts them.
//
// The function returned sends what is still in memory, for which it takes five
// seconds at most. Defer it first, so that it runs last: spans that end after it
// are lost.
func Setup(ctx context.Context, service string) (shutdown func(), err error) {
	// An unreachable backend must not stop the service, nor go unnoticed.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		slog.Warn("telemetry", "error", err)
	}))
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(
		propagation.TraceContext{}, propagation.Baggage{}))

	res, err := resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithAttributes(semconv.ServiceName(service)),
		resource.WithFromEnv()) // after the default name: the later one wins
	if err != nil {
		return nil, fmt.Errorf("telemetry resource: %w", err)
	}

	var traceOptions []otlptracegrpc.Option
	var metricOptions []otlpmetricgrpc.Option
	if !configured("ENDPOINT", "INSECURE", "CERTIFICATE") {
		traceOptions = append(traceOptions, otlptracegrpc.WithInsecure())
		metricOptions = append(metricOptions, otlpmetricgrpc.WithInsecure())
	}
	exporter, err := otlptracegrpc.New(ctx, traceOptions...) // connects later, in the background
	if err != nil {
		return nil, fmt.Errorf("trace exporter: %w", err)
	}
	tracers := sdktrace.NewTracerProvider(sdktrace.WithResource(res), sdktrace.WithBatcher(exporter))
	otel.SetTracerProvider(tracers)
	if os.Getenv("OTEL_METRICS_EXPORTER") != "otlp" {
		return func() { finish(tracers.Shutdown) }, nil
	}

	metricExporter, err := otlpmetricgrpc.New(ctx, metricOptions...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("metric exporter: %w", err), tracers.Shutdown(ctx))
	}
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithResource(res),
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metricExporter)))
	otel.SetMeterProvider(meters)
	return func() { finish(tracers.Shutdown, meters.Shutdown) }, nil
}

// finish has a context of its own, because the program's is over by then.
func finish(shutdowns ...func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for _, shutdown := range shutdowns {
		if err := shutdown(ctx); err != nil {
			slog.Warn("telemetry may be lost", "error", err)
		}
	}
}

// configured reports whether the environment says where, or how securely, to
// connect. Then its word is final, and what it leaves open is the exporter's
// default: TLS.
func configured(names ...string) bool {
	for _, name := range names {
		for _, signal := range []string{"", "TRACES_", "METRICS_"} {
			if os.Getenv("OTEL_EXPORTER_OTLP_"+signal+name) != "" {
				return true
			}
		}
	}
	return false
}
