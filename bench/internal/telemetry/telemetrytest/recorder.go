// Package telemetrytest records the spans and metrics of a variant, so that those
// of two can be compared.
package telemetrytest

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/kafkatrace/tracing/bench/internal/measure"
	"github.com/kafkatrace/tracing/bench/internal/telemetry"
)

// Recorder keeps what is sampled and measured.
type Recorder struct {
	spans   *tracetest.SpanRecorder
	metrics *sdkmetric.ManualReader
}

// NewRecorder returns a Recorder that has nothing yet.
func NewRecorder() *Recorder {
	return &Recorder{spans: tracetest.NewSpanRecorder(), metrics: sdkmetric.NewManualReader()}
}

// Providers are those that it records from.
func (r *Recorder) Providers() telemetry.Providers {
	return telemetry.Providers{
		Traces:  sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r.spans)),
		Metrics: sdkmetric.NewMeterProvider(sdkmetric.WithReader(r.metrics)),
	}
}

// Run does the work of a workload's only variant once and describes what was
// recorded, apart from ids, times and the broker's port.
func (r *Recorder) Run(t *testing.T, w measure.Workload, messages int) []string {
	t.Helper()
	var broker string
	err := measure.WithBroker(func(b string) error {
		broker = b
		if _, err := w.Ready(broker, messages); err != nil {
			return err
		}
		_, err := w.Variants[0].Once(broker, messages)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(broker)
	if err != nil {
		t.Fatal(err)
	}
	lines := append(r.describeSpans(), r.describeMetrics(t)...)
	for i, line := range lines {
		lines[i] = strings.ReplaceAll(line, "server.port="+port, "server.port=PORT")
	}
	slices.Sort(lines)
	return lines
}

// Compare fails the test if what was recorded of a variant is not what was
// recorded of the library.
func Compare(t *testing.T, variant string, of, library []string) {
	t.Helper()
	for _, side := range []struct {
		name            string
		lines, missedIn []string
	}{{variant, of, library}, {"the library", library, of}} {
		var only []string
		for _, line := range side.lines {
			if _, ok := slices.BinarySearch(side.missedIn, line); !ok {
				only = append(only, line)
			}
		}
		if len(only) > 0 {
			t.Errorf("%d lines of %s only, such as\n%s", len(only), side.name, only[0])
		}
	}
	if len(of) != len(library) {
		t.Errorf("%d lines of %s, %d of the library", len(of), variant, len(library))
	}
}

func (r *Recorder) describeSpans() []string {
	names := map[trace.SpanID]string{}
	for _, s := range r.spans.Ended() {
		names[s.SpanContext().SpanID()] = s.Name()
	}
	lines := make([]string, 0, len(names))
	for _, s := range r.spans.Ended() {
		links := make([]string, len(s.Links()))
		for i, link := range s.Links() {
			links[i] = fmt.Sprintf(" link remote=%v %s", link.SpanContext.IsRemote(), describe(link.Attributes))
		}
		lines = append(lines, fmt.Sprintf("span %s %v, status %v, parent %q remote=%v %s%s", s.Name(), s.SpanKind(), s.Status(),
			names[s.Parent().SpanID()], s.Parent().IsRemote(), describe(s.Attributes()), strings.Join(links, "")))
	}
	return lines
}

func (r *Recorder) describeMetrics(t *testing.T) []string {
	t.Helper()
	var collected metricdata.ResourceMetrics
	if err := r.metrics.Collect(context.Background(), &collected); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					lines = append(lines, fmt.Sprintf("metric %s %s %v, %d values %s", m.Name, m.Unit, p.Bounds, p.Count, describe(p.Attributes.ToSlice())))
				}
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					lines = append(lines, fmt.Sprintf("metric %s %s, sum %d %s", m.Name, m.Unit, p.Value, describe(p.Attributes.ToSlice())))
				}
			}
		}
	}
	return lines
}

func describe(attrs []attribute.KeyValue) string {
	texts := make([]string, len(attrs))
	for i, kv := range attrs {
		texts[i] = fmt.Sprintf("%s=%v(%v)", kv.Key, kv.Value.AsInterface(), kv.Value.Type())
	}
	slices.Sort(texts)
	return strings.Join(texts, " ")
}
