package telemetry

import (
	"context"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.uber.org/goleak"

	"github.com/kafkatrace/tracing/examples/internal/otlptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestSetup checks what the environment decides. It cannot run in parallel: the
// environment and the global providers are shared.
func TestSetup(t *testing.T) {
	tests := []struct {
		name    string
		env     map[string]string
		service string
		sampled bool
		metered bool
	}{
		{"defaults", nil, "shop", true, true},
		{"service name", map[string]string{"OTEL_SERVICE_NAME": "mine"}, "mine", true, true},
		{"resource", map[string]string{"OTEL_RESOURCE_ATTRIBUTES": "service.name=mine"}, "mine", true, true},
		{"sampler", map[string]string{"OTEL_TRACES_SAMPLER": "always_off"}, "shop", false, true},
		{"ratio", map[string]string{"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}, "shop", false, true},
		{"no metrics", map[string]string{"OTEL_METRICS_EXPORTER": "none"}, "shop", true, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			backend := otlptest.NewServer(t)
			clearEnv(t)
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+backend.Addr)
			for name, value := range test.env {
				t.Setenv(name, value)
			}
			shutdown, err := Setup(t.Context(), "shop")
			if err != nil {
				t.Fatal(err)
			}
			ctx, span := otel.Tracer("test").Start(t.Context(), "GET /")
			carrier := propagation.MapCarrier{}
			otel.GetTextMapPropagator().Inject(ctx, carrier)
			if carrier["traceparent"] == "" {
				t.Error("the global propagator does not write traceparent")
			}
			span.End()
			counter, err := otel.Meter("test").Int64Counter("requests")
			if err != nil {
				t.Fatal(err)
			}
			counter.Add(ctx, 1)
			shutdown()

			var want []otlptest.Metric
			if test.metered {
				want = []otlptest.Metric{{Service: test.service, Name: "requests"}}
			}
			if got := backend.Metrics(); !slices.Equal(got, want) {
				t.Errorf("exported metrics: %v, want %v", got, want)
			}
			spans := backend.Spans()
			if !test.sampled {
				if len(spans) != 0 {
					t.Errorf("exported: %v, want nothing", spans)
				}
				return
			}
			if len(spans) != 1 || spans[0].GetName() != "GET /" || spans[0].Service != test.service {
				t.Errorf("exported: %v, want GET / of %s", spans, test.service)
			}
		})
	}
}

// TestUnreachable checks that a backend that is away holds nothing up for long.
func TestUnreachable(t *testing.T) {
	clearEnv(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+listener.Addr().String())
	// Shutdown leaves an export behind that goes on by itself: let none.
	t.Setenv("OTEL_BSP_EXPORT_TIMEOUT", "500")
	t.Setenv("OTEL_METRIC_EXPORT_TIMEOUT", "500")
	shutdown, err := Setup(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	_, span := otel.Tracer("test").Start(context.Background(), "GET /")
	span.End()
	began := time.Now()
	shutdown()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("shutdown took %v", took)
	}
}

func TestConfigured(t *testing.T) {
	clearEnv(t)
	if configured("TRACES") {
		t.Error("configured by nothing")
	}
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1000")
	if configured("TRACES") {
		t.Error("a timeout says nothing on where to connect")
	}
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://example.org")
	if !configured("TRACES") {
		t.Error("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT has no effect")
	}
	if configured("METRICS") {
		t.Error("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT is not for metrics")
	}
	t.Setenv("OTEL_EXPORTER_OTLP_INSECURE", "true")
	if !configured("METRICS") {
		t.Error("OTEL_EXPORTER_OTLP_INSECURE has no effect")
	}
}

// clearEnv takes away what the environment of the test itself may set.
func clearEnv(t *testing.T) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "") // restores it at the end
		}
	}
}
