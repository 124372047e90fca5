// Package telemetry has the providers that variants trace and measure with. No
// span is exported: what that costs is the same however a span was made.
package telemetry

import (
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing"
)

// Providers are what a variant traces and measures with; nil is none.
type Providers struct {
	Traces  trace.TracerProvider
	Metrics metric.MeterProvider
}

// Off has no providers: nothing is traced, measured or propagated.
func Off() Providers { return Providers{} }

// NotSampled makes spans that are not sampled.
func NotSampled() Providers { return sampling(sdktrace.NeverSample()) }

// OnePercent samples one trace of a hundred.
func OnePercent() Providers { return sampling(sdktrace.TraceIDRatioBased(0.01)) }

// Sampled samples every trace.
func Sampled() Providers { return sampling(sdktrace.AlwaysSample()) }

// SampledWithMetrics samples every trace and measures every operation.
func SampledWithMetrics() Providers {
	p := Sampled()
	p.Metrics = sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	return p
}

// Level is how much is traced and measured.
type Level struct {
	Name      string
	Providers func() Providers
}

// Levels are those at which the library is compared with the same by hand.
var Levels = []Level{
	{"not sampled", NotSampled},
	{"sampled", Sampled},
	{"sampled, with metrics", SampledWithMetrics},
}

// ByHand is the name of the variant that traces by hand.
func (l Level) ByHand() string { return "by hand, " + l.Name }

// Traced is the name of the variant that traces with the library.
func (l Level) Traced() string { return "traced, " + l.Name }

func sampling(s sdktrace.Sampler) Providers {
	return Providers{Traces: sdktrace.NewTracerProvider(sdktrace.WithSampler(s))}
}

// Options are the library's options for the providers.
func (p Providers) Options() []tracing.Option {
	if p.Traces == nil {
		return []tracing.Option{tracing.WithoutTracing(), tracing.WithoutMetrics(), tracing.WithoutPropagation()}
	}
	if p.Metrics == nil {
		return []tracing.Option{tracing.WithTracerProvider(p.Traces), tracing.WithoutMetrics()}
	}
	return []tracing.Option{tracing.WithTracerProvider(p.Traces), tracing.WithMeterProvider(p.Metrics)}
}
