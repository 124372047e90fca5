// Package tracetree collects finished spans in memory and prints each trace as
// a tree with a time bar, so that an example can show in a terminal what a
// tracing backend would show in a browser.
package tracetree

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

var _ sdktrace.SpanProcessor = (*Collector)(nil)

// Collector is a span processor that keeps finished spans. One collector may
// serve several tracer providers, and must if their spans are to meet in one
// trace. It is safe for concurrent use.
//
// It is a processor, not an exporter, because it has to see spans start: the
// first traces to start are the ones kept, and a root ends last.
type Collector struct {
	limit int

	mu    sync.Mutex
	kept  map[trace.TraceID]bool // every trace seen; true: its spans are kept
	spans []sdktrace.ReadOnlySpan
	stats map[statKey]*stat
	order []statKey
}

type statKey struct{ service, name string }

type stat struct {
	failed    int
	durations []time.Duration
}

// NewCollector returns a collector that keeps the spans of the first limit
// traces and only counts those of later ones, which bounds its memory in a long
// run. A limit of 0 keeps everything.
func NewCollector(limit int) *Collector {
	return &Collector{
		limit: limit,
		kept:  make(map[trace.TraceID]bool),
		stats: make(map[statKey]*stat),
	}
}

// OnStart notes the trace that s belongs to.
func (c *Collector) OnStart(_ context.Context, s sdktrace.ReadWriteSpan) {
	id := s.SpanContext().TraceID()
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, seen := c.kept[id]; !seen {
		c.kept[id] = c.limit <= 0 || len(c.kept) < c.limit
	}
	c.stat(s)
}

// stat returns the figures that s belongs to. The lock must be held.
func (c *Collector) stat(s sdktrace.ReadOnlySpan) *stat {
	key := statKey{service: serviceName(s), name: clean(s.Name())}
	st := c.stats[key]
	if st == nil {
		st = new(stat)
		c.stats[key] = st
		c.order = append(c.order, key)
	}
	return st
}

// OnEnd counts s, and keeps it if its trace is one of those to be kept.
func (c *Collector) OnEnd(s sdktrace.ReadOnlySpan) {
	c.mu.Lock()
	defer c.mu.Unlock()
	st := c.stat(s)
	st.durations = append(st.durations, duration(s))
	if s.Status().Code == codes.Error {
		st.failed++
	}
	if c.kept[s.SpanContext().TraceID()] {
		c.spans = append(c.spans, s)
	}
}

// Shutdown does nothing: what was collected stays readable.
func (*Collector) Shutdown(context.Context) error { return nil }

// ForceFlush does nothing: a span is collected before its End returns.
func (*Collector) ForceFlush(context.Context) error { return nil }

// Traces returns the traces that were kept, in the order in which they began.
func (c *Collector) Traces() []*Trace {
	c.mu.Lock()
	spans := slices.Clone(c.spans)
	c.mu.Unlock()
	return Build(spans)
}

// TraceCount returns the number of traces seen, kept or not.
func (c *Collector) TraceCount() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.kept)
}

// Stat sums up all the spans of one name in one service.
type Stat struct {
	Service, Name string
	Count, Failed int
	Median, Max   time.Duration
}

// Stats returns a row per service and span name, in the order in which each
// first started, kept traces and others alike.
func (c *Collector) Stats() []Stat {
	c.mu.Lock()
	defer c.mu.Unlock()
	rows := make([]Stat, 0, len(c.order))
	for _, key := range c.order {
		st := c.stats[key]
		if len(st.durations) == 0 {
			continue // none has ended, or not by the name it started with
		}
		slices.Sort(st.durations)
		rows = append(rows, Stat{
			Service: key.service,
			Name:    key.name,
			Count:   len(st.durations),
			Failed:  st.failed,
			Median:  st.durations[len(st.durations)/2],
			Max:     st.durations[len(st.durations)-1],
		})
	}
	return rows
}
