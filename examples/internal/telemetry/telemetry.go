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

// exportInterval is shorter than the SDK's minute: whoever tries an example looks
// at the dashboard at once.
const exportInterval = 10 * time.Second

// Setup sets the global providers and the propagator, which is where the tracing
// package looks unless told otherwise. Spans and metrics leave in batches by
// OTLP/gRPC, to localhost:4317 without TLS if nothing else is configured.
//
// The standard variables are honoured: OTEL_EXPORTER_OTLP_*, OTEL_TRACES_SAMPLER,
// OTEL_BSP_*, OTEL_METRIC_EXPORT_*, OTEL_RESOURCE_ATTRIBUTES, and OTEL_SERVICE_NAME
// before the service name given. OTEL_METRICS_EXPORTER=none keeps the metrics here,
// for a backend that takes traces alone.
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
		resource.WithService(), // service.instance.id: the series of two instances must not be one
		resource.WithAttributes(semconv.ServiceName(service)),
		resource.WithFromEnv()) // after the default name: the later one wins
	if err != nil {
		return nil, fmt.Errorf("telemetry resource: %w", err)
	}

	traceExporter, err := newTraceExporter(ctx)
	if err != nil {
		return nil, fmt.Errorf("trace exporter: %w", err)
	}
	tracers := sdktrace.NewTracerProvider(sdktrace.WithResource(res), sdktrace.WithBatcher(traceExporter))
	otel.SetTracerProvider(tracers)
	if os.Getenv("OTEL_METRICS_EXPORTER") == "none" {
		return func() { finish(tracers.Shutdown) }, nil
	}

	metricExporter, err := newMetricExporter(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("metric exporter: %w", err), tracers.Shutdown(ctx))
	}
	var readerOptions []sdkmetric.PeriodicReaderOption
	if os.Getenv("OTEL_METRIC_EXPORT_INTERVAL") == "" {
		readerOptions = append(readerOptions, sdkmetric.WithInterval(exportInterval))
	}
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithResource(res),
		sdkmetric.WithReader(sdkmetric.NewPeriodicReader(metricExporter, readerOptions...)))
	otel.SetMeterProvider(meters)
	return func() { finish(tracers.Shutdown, meters.Shutdown) }, nil
}

// newTraceExporter returns an exporter that connects later, in the background.
func newTraceExporter(ctx context.Context) (sdktrace.SpanExporter, error) {
	var options []otlptracegrpc.Option
	if !configured("TRACES") {
		options = append(options, otlptracegrpc.WithInsecure())
	}
	return otlptracegrpc.New(ctx, options...)
}

func newMetricExporter(ctx context.Context) (sdkmetric.Exporter, error) {
	var options []otlpmetricgrpc.Option
	if !configured("METRICS") {
		options = append(options, otlpmetricgrpc.WithInsecure())
	}
	return otlpmetricgrpc.New(ctx, options...)
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

// configured reports whether the environment says where, or how securely, a signal
// connects. Then its word is final, and what it leaves open is the exporter's
// default: TLS.
func configured(signal string) bool {
	for _, name := range []string{"ENDPOINT", "INSECURE", "CERTIFICATE"} {
		if os.Getenv("OTEL_EXPORTER_OTLP_"+name) != "" || os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_"+name) != "" {
			return true
		}
	}
	return false
}
