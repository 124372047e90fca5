// Package otlptest is an OTLP/gRPC endpoint for tests.
package otlptest

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"

	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
)

// Span is a span as it was received.
type Span struct {
	*tracepb.Span
	Service string
}

// Metric says that a service exported a metric.
type Metric struct{ Service, Name string }

// Server keeps the spans that are sent to it, and which metrics.
type Server struct {
	collector.UnimplementedTraceServiceServer

	// Addr is the host:port that the server listens on.
	Addr string

	mu      sync.Mutex
	spans   []Span
	metrics []Metric
}

// NewServer starts a server that ends with the test.
func NewServer(tb testing.TB) *Server {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{Addr: listener.Addr().String()}
	server := grpc.NewServer()
	collector.RegisterTraceServiceServer(server, s)
	collectormetrics.RegisterMetricsServiceServer(server, metrics{server: s})
	served := make(chan error)
	go func() { served <- server.Serve(listener) }()
	tb.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			tb.Error(err)
		}
	})
	return s
}

// Export takes spans from an exporter.
func (s *Server) Export(_ context.Context, request *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range request.GetResourceSpans() {
		service := serviceName(resource.GetResource())
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				s.spans = append(s.spans, Span{Span: span, Service: service})
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// Spans returns the spans received so far.
func (s *Server) Spans() []Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.spans)
}

// metrics is the server's other service.
type metrics struct {
	collectormetrics.UnimplementedMetricsServiceServer
	server *Server
}

// Export takes metrics from an exporter.
func (m metrics) Export(_ context.Context, request *collectormetrics.ExportMetricsServiceRequest) (*collectormetrics.ExportMetricsServiceResponse, error) {
	m.server.mu.Lock()
	defer m.server.mu.Unlock()
	for _, resource := range request.GetResourceMetrics() {
		service := serviceName(resource.GetResource())
		for _, scope := range resource.GetScopeMetrics() {
			for _, metric := range scope.GetMetrics() {
				m.server.metrics = append(m.server.metrics, Metric{Service: service, Name: metric.GetName()})
			}
		}
	}
	return &collectormetrics.ExportMetricsServiceResponse{}, nil
}

// Metrics returns the metrics received so far, once for each export.
func (s *Server) Metrics() []Metric {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.metrics)
}

func serviceName(resource *resourcepb.Resource) string {
	for _, kv := range resource.GetAttributes() {
		if kv.GetKey() == "service.name" {
			return kv.GetValue().GetStringValue()
		}
	}
	return ""
}
