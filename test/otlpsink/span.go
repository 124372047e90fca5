package otlpsink

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// A Span is a received span, in the types of OpenTelemetry's API.
type Span struct {
	Service    string         // The resource's service.name.
	Resource   map[string]any // All attributes of the resource.
	Scope      string         // The name of the instrumentation scope.
	Name       string
	Kind       trace.SpanKind
	TraceID    trace.TraceID
	SpanID     trace.SpanID
	ParentID   trace.SpanID // Zero in a root span.
	TraceState string
	Start, End time.Time
	Attributes map[string]any // Values are string, bool, int64, float64, []byte, []any or map[string]any.
	Events     []Event
	Links      []Link
	Status     codes.Code
	Message    string // The status's description.
}

// An Event is a point in time within a span.
type Event struct {
	Name       string
	Time       time.Time
	Attributes map[string]any
}

// A Link is a span's reference to another.
type Link struct {
	TraceID    trace.TraceID
	SpanID     trace.SpanID
	Attributes map[string]any
}

// String returns the span in one line, for the messages of failed tests.
func (s Span) String() string {
	return fmt.Sprintf("{%s %q %v trace=%v span=%v parent=%v links=%d status=%v}",
		s.Service, s.Name, s.Kind, s.TraceID, s.SpanID, s.ParentID, len(s.Links), s.Status)
}

type traceService struct {
	collectortrace.UnimplementedTraceServiceServer
	sink *Sink
}

func (t traceService) Export(
	_ context.Context, req *collectortrace.ExportTraceServiceRequest,
) (*collectortrace.ExportTraceServiceResponse, error) {
	var spans []Span
	for _, rs := range req.GetResourceSpans() {
		resource := attributes(rs.GetResource().GetAttributes())
		for _, ss := range rs.GetScopeSpans() {
			for _, span := range ss.GetSpans() {
				spans = append(spans, newSpan(resource, ss.GetScope().GetName(), span))
			}
		}
	}
	t.sink.add(spans, nil)
	return &collectortrace.ExportTraceServiceResponse{}, nil
}

func newSpan(resource map[string]any, scope string, from *tracepb.Span) Span {
	span := Span{
		Service:    serviceName(resource),
		Resource:   resource,
		Scope:      scope,
		Name:       from.GetName(),
		Kind:       trace.SpanKind(from.GetKind()), // The numbers are the same.
		TraceID:    id[trace.TraceID](from.GetTraceId()),
		SpanID:     id[trace.SpanID](from.GetSpanId()),
		ParentID:   id[trace.SpanID](from.GetParentSpanId()),
		TraceState: from.GetTraceState(),
		Start:      nanos(from.GetStartTimeUnixNano()),
		End:        nanos(from.GetEndTimeUnixNano()),
		Attributes: attributes(from.GetAttributes()),
		Message:    from.GetStatus().GetMessage(),
	}
	switch from.GetStatus().GetCode() { // The numbers are not the same.
	case tracepb.Status_STATUS_CODE_OK:
		span.Status = codes.Ok
	case tracepb.Status_STATUS_CODE_ERROR:
		span.Status = codes.Error
	case tracepb.Status_STATUS_CODE_UNSET:
		span.Status = codes.Unset
	}
	for _, event := range from.GetEvents() {
		span.Events = append(span.Events, Event{
			Name: event.GetName(), Time: nanos(event.GetTimeUnixNano()), Attributes: attributes(event.GetAttributes()),
		})
	}
	for _, link := range from.GetLinks() {
		span.Links = append(span.Links, Link{
			TraceID:    id[trace.TraceID](link.GetTraceId()),
			SpanID:     id[trace.SpanID](link.GetSpanId()),
			Attributes: attributes(link.GetAttributes()),
		})
	}
	return span
}
