//go:build integration

package collectortest_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/goleak"

	"github.com/kafkatrace/tracing/test/collectortest"
	"github.com/kafkatrace/tracing/test/internal/cache"
	"github.com/kafkatrace/tracing/test/otlpsink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestShippedConfigIsValid(t *testing.T) {
	t.Parallel()
	root, err := cache.Root()
	if err != nil {
		t.Fatal(err)
	}
	shipped := filepath.Join(root, collectortest.ShippedConfig)
	if err := collectortest.Validate(t.Context(), shipped); err != nil {
		t.Error(err)
	}

	// The check itself finds mistakes.
	text, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(t.TempDir(), "broken.yaml")
	if err := os.WriteFile(broken, []byte(strings.Replace(string(text), "limit_mib:", "limit_mbi:", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := collectortest.Validate(t.Context(), broken); err == nil || !strings.Contains(err.Error(), "limit_mbi") {
		t.Errorf("a misspelt key was not named: %v", err)
	}
}

func TestSpanReachesJaeger(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // The collector may have to be built.
	defer cancel()
	sink, collector := start(ctx, t)

	exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpoint(collector.GRPC()), otlptracegrpc.WithInsecure())
	if err != nil {
		t.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "smoke"))))
	_, span := provider.Tracer("test").Start(ctx, "hello")
	span.End()
	if err := provider.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}

	spans, err := sink.WaitForSpans(ctx, func(spans []otlpsink.Span) bool { return len(spans) > 0 })
	if err != nil {
		t.Fatal(err)
	}
	if got := spans[0]; got.Service != "smoke" || got.Name != "hello" || got.TraceID != span.SpanContext().TraceID() {
		t.Errorf("got %v", got)
	}
}

func TestMetricsPassThroughHTTP(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	sink, collector := start(ctx, t, "yaml:service::pipelines::metrics::exporters: [debug, otlp_grpc/jaeger]")

	exporter, err := otlpmetrichttp.New(ctx, otlpmetrichttp.WithEndpoint(collector.HTTP()), otlpmetrichttp.WithInsecure())
	if err != nil {
		t.Fatal(err)
	}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)))
	counter, err := provider.Meter("test").Int64Counter("smoke.count")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(ctx, 1)
	if err := provider.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}

	metrics, err := sink.WaitForMetrics(ctx, func(metrics []otlpsink.Metric) bool { return len(metrics) > 0 })
	if err != nil {
		t.Fatal(err)
	}
	if got := metrics[0].GetName(); got != "smoke.count" {
		t.Errorf("got metric %s", got)
	}
	if log, err := collector.Log(); err != nil || !strings.Contains(log, "smoke.count") {
		t.Errorf("the debug exporter wrote nothing of the metric (%v):\n%s", err, log)
	}
}

func start(ctx context.Context, t *testing.T, overrides ...string) (*otlpsink.Sink, *collectortest.Collector) {
	t.Helper()
	sink, err := otlpsink.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.Close)
	collector, err := collectortest.Start(ctx, collectortest.Config{Jaeger: sink.Endpoint(), Overrides: overrides})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := collector.Close(); err != nil {
			t.Error(err)
		}
	})
	return sink, collector
}
