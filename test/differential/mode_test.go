package differential

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.opentelemetry.io/otel/propagation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"pgregory.net/rapid"

	"github.com/kafkatrace/tracing"
)

// mode is a way to make a client.
type mode string

const (
	raw            mode = "raw"
	sampled        mode = "sampled"
	mixed          mode = "mixed sampling"
	filtered       mode = "filtered"
	withoutTracing mode = "without tracing"
	everythingOff  mode = "everything off"
	wrapped        mode = "wrapped"
)

// modes are those that are compared with the raw client.
var modes = []mode{sampled, mixed, filtered, withoutTracing, everythingOff, wrapped}

// drawModes draws those with which a script is played: the raw client and some of the others. More different scripts
// find more than more modes of each.
func drawModes(t *rapid.T, except []mode) []mode {
	others := slices.DeleteFunc(slices.Clone(modes), func(m mode) bool { return slices.Contains(except, m) })
	return append([]mode{raw}, rapid.SliceOfNDistinct(rapid.SampledFrom(others), 3, 3, rapid.ID[mode]).Draw(t, "modes")...)
}

// leftOut tells whether the mode's filter keeps the n-th message out.
func (m mode) leftOut(n int) bool { return m == filtered && n%2 == 1 }

// traces tells whether the n-th message has a span, sampled or not.
func (m mode) traces(n int) bool {
	switch m {
	case raw, withoutTracing, everythingOff:
		return false
	default:
		return !m.leftOut(n)
	}
}

// propagates tells whether the n-th message gets propagation headers, or keeps those it has.
func (m mode) propagates(n int) bool {
	return m != raw && m != everythingOff && !m.leftOut(n)
}

// telemetry is what a traced client reports to.
type telemetry struct {
	spans   *tracetest.SpanRecorder
	sampler *alternating
	tp      *sdktrace.TracerProvider
	mp      *sdkmetric.MeterProvider
}

func newTelemetry(m mode) *telemetry {
	tel := &telemetry{spans: tracetest.NewSpanRecorder(), sampler: &alternating{all: m != mixed}}
	tel.tp = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(tel.spans), sdktrace.WithSampler(tel.sampler))
	tel.mp = sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))
	return tel
}

func (tel *telemetry) shutDown() {
	_ = tel.tp.Shutdown(context.Background())
	_ = tel.mp.Shutdown(context.Background())
}

// options are those of a mode; numberOf tells the number of a message in the script.
func (tel *telemetry) options(m mode, numberOf func(*kafka.Message) int) []tracing.Option {
	opts := []tracing.Option{
		tracing.WithTracerProvider(tel.tp),
		tracing.WithMeterProvider(tel.mp),
		tracing.WithPropagators(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})),
	}
	switch m {
	case filtered:
		opts = append(opts, tracing.WithFilter(func(msg *kafka.Message) bool { return !m.leftOut(numberOf(msg)) }))
	case withoutTracing:
		opts = append(opts, tracing.WithoutTracing())
	case everythingOff:
		opts = []tracing.Option{tracing.WithoutTracing(), tracing.WithoutMetrics(), tracing.WithoutPropagation()}
	default:
	}
	return opts
}

// alternating is a sampler that takes every second span, or all.
type alternating struct {
	all          bool
	asked, taken atomic.Int64
}

func (a *alternating) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	result := sdktrace.SamplingResult{
		Decision:   sdktrace.Drop,
		Tracestate: trace.SpanContextFromContext(p.ParentContext).TraceState(),
	}
	if n := a.asked.Add(1); a.all || n%2 == 0 {
		a.taken.Add(1)
		result.Decision = sdktrace.RecordAndSample
	}
	return result
}

func (*alternating) Description() string { return "alternating" }
