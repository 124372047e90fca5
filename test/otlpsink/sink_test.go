package otlpsink_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"github.com/kafkatrace/tracing/test/otlpsink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var service = resource.NewSchemaless(attribute.String("service.name", "shop"), attribute.Int("pid", 7))

func TestSpansArriveWhole(t *testing.T) {
	t.Parallel()
	sink := start(t)
	exporter, err := otlptracegrpc.New(t.Context(), otlptracegrpc.WithEndpoint(sink.Endpoint()), otlptracegrpc.WithInsecure())
	if err != nil {
		t.Fatal(err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter), sdktrace.WithResource(service))
	defer shutdown(t, provider.Shutdown)
	tracer := provider.Tracer("scope")

	ctx, parent := tracer.Start(t.Context(), "publish", trace.WithSpanKind(trace.SpanKindProducer))
	parent.End()
	_, child := tracer.Start(ctx, "process", trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithLinks(trace.Link{SpanContext: parent.SpanContext(), Attributes: []attribute.KeyValue{attribute.Bool("first", true)}}),
		trace.WithAttributes(attribute.StringSlice("list", []string{"a", "b"}), attribute.Float64("float", 0.5)))
	child.AddEvent("tried", trace.WithAttributes(attribute.Int("attempt", 1)))
	child.SetStatus(codes.Error, "broken")
	child.End()

	wait, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	spans, err := sink.WaitForSpans(wait, func(spans []otlpsink.Span) bool { return len(spans) == 2 })
	if err != nil {
		t.Fatal(err)
	}

	root, got := spans[0], spans[1]
	if root.Name != "publish" || root.Kind != trace.SpanKindProducer || root.ParentID.IsValid() || root.Status != codes.Unset {
		t.Errorf("root span: %v", root)
	}
	if got.Start.IsZero() || got.End.Before(got.Start) {
		t.Errorf("times: %v to %v", got.Start, got.End)
	}
	want := otlpsink.Span{
		Service: "shop", Resource: map[string]any{"service.name": "shop", "pid": int64(7)}, Scope: "scope",
		Name: "process", Kind: trace.SpanKindConsumer,
		TraceID: parent.SpanContext().TraceID(), SpanID: child.SpanContext().SpanID(), ParentID: parent.SpanContext().SpanID(),
		Start: got.Start, End: got.End,
		Attributes: map[string]any{"list": []any{"a", "b"}, "float": 0.5},
		Events:     []otlpsink.Event{{Name: "tried", Time: got.Events[0].Time, Attributes: map[string]any{"attempt": int64(1)}}},
		Links: []otlpsink.Link{{
			TraceID: parent.SpanContext().TraceID(), SpanID: parent.SpanContext().SpanID(),
			Attributes: map[string]any{"first": true},
		}},
		Status: codes.Error, Message: "broken",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}

	if sink.Reset(); len(sink.Spans()) != 0 {
		t.Error("spans left after Reset")
	}
}

func TestMetricsArrive(t *testing.T) {
	t.Parallel()
	sink := start(t)
	exporter, err := otlpmetricgrpc.New(t.Context(), otlpmetricgrpc.WithEndpoint(sink.Endpoint()), otlpmetricgrpc.WithInsecure())
	if err != nil {
		t.Fatal(err)
	}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter)), sdkmetric.WithResource(service))
	counter, err := provider.Meter("scope").Int64Counter("sent")
	if err != nil {
		t.Fatal(err)
	}
	counter.Add(t.Context(), 3)
	shutdown(t, provider.Shutdown) // Exports.

	metrics, err := sink.WaitForMetrics(t.Context(), func(metrics []otlpsink.Metric) bool { return len(metrics) > 0 })
	if err != nil {
		t.Fatal(err)
	}
	got := metrics[0]
	if got.Service != "shop" || got.Scope != "scope" || got.GetName() != "sent" || got.GetSum().GetDataPoints()[0].GetAsInt() != 3 {
		t.Errorf("got %v", got)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	sink := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := sink.WaitForSpans(ctx, func([]otlpsink.Span) bool { return false })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want canceled", err)
	}
}

func start(t *testing.T) *otlpsink.Sink {
	t.Helper()
	sink, err := otlpsink.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sink.Close)
	return sink
}

func shutdown(t *testing.T, stop func(context.Context) error) {
	t.Helper()
	if err := stop(context.Background()); err != nil {
		t.Error(err)
	}
}
