package otlpsink

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"

	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // The collector compresses.
)

// A Sink keeps what it receives. It is safe for concurrent use.
type Sink struct {
	endpoint string
	server   *grpc.Server
	served   chan struct{}

	mu      sync.Mutex
	spans   []Span
	metrics []Metric
	changed chan struct{} // Closed, and replaced, when something arrives.
}

// Start starts a sink on a free loopback port. The caller must Close it.
func Start() (*Sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Sink{
		endpoint: listener.Addr().String(),
		server:   grpc.NewServer(),
		served:   make(chan struct{}),
		changed:  make(chan struct{}),
	}
	collectortrace.RegisterTraceServiceServer(s.server, traceService{sink: s})
	collectormetrics.RegisterMetricsServiceServer(s.server, metricsService{sink: s})
	go func() {
		defer close(s.served)
		_ = s.server.Serve(listener) // Ends with Close; clients see any other end as refused connections.
	}()
	return s, nil
}

// Endpoint returns the sink's address, host:port, without TLS.
func (s *Sink) Endpoint() string { return s.endpoint }

// Close stops the sink. What it has received can still be read.
func (s *Sink) Close() {
	s.server.Stop()
	<-s.served
}

// Spans returns the spans received so far, in the order of arrival.
func (s *Sink) Spans() []Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.spans)
}

// Metrics returns the metrics received so far, one entry per metric and export, in the order of arrival.
func (s *Sink) Metrics() []Metric {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.metrics)
}

// Reset forgets what was received.
func (s *Sink) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spans, s.metrics = nil, nil
}

// WaitForSpans returns the spans received so far once enough says that they satisfy the test. When ctx ends first it
// returns them with an error that lists them.
func (s *Sink) WaitForSpans(ctx context.Context, enough func([]Span) bool) ([]Span, error) {
	return wait(ctx, s, func() []Span { return s.spans }, enough)
}

// WaitForMetrics is WaitForSpans for metrics.
func (s *Sink) WaitForMetrics(ctx context.Context, enough func([]Metric) bool) ([]Metric, error) {
	return wait(ctx, s, func() []Metric { return s.metrics }, enough)
}

func wait[T any](ctx context.Context, s *Sink, read func() []T, enough func([]T) bool) ([]T, error) {
	for {
		s.mu.Lock()
		got, changed := slices.Clone(read()), s.changed
		s.mu.Unlock()
		if enough(got) {
			return got, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return got, fmt.Errorf("otlpsink: %w; received %d: %v", ctx.Err(), len(got), got)
		}
	}
}

// add stores what an export brought and wakes those who wait.
func (s *Sink) add(spans []Span, metrics []Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spans = append(s.spans, spans...)
	s.metrics = append(s.metrics, metrics...)
	close(s.changed)
	s.changed = make(chan struct{})
}
