package tracetree

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Trace is a trace as a forest: usually a single tree, but a trace whose root
// was lost, or was never sampled, has several.
type Trace struct {
	ID         trace.TraceID
	Roots      []*Node // in order of their start
	Start, End time.Time
}

// Node is a span and the spans that it caused.
type Node struct {
	Span     sdktrace.ReadOnlySpan
	Children []*Node // in order of their start

	// Orphan is set if the span has a parent that is not among the collected.
	Orphan bool

	// Early is by how much the span starts before its parent does: the clocks
	// of two hosts disagree, as no effect precedes its cause.
	Early time.Duration

	parent *Node
}

// All calls yield for each node of the trace, parents before their children,
// until it returns false.
func (t *Trace) All(yield func(*Node) bool) { walk(t.Roots, yield) }

func walk(nodes []*Node, yield func(*Node) bool) bool {
	for _, n := range nodes {
		if !yield(n) || !walk(n.Children, yield) {
			return false
		}
	}
	return true
}

// Build arranges spans in traces, the earliest first. It accepts whatever a
// buggy or partial source may hold: a span that occurs twice is taken once,
// and one that is its own ancestor becomes a root.
func Build(spans []sdktrace.ReadOnlySpan) []*Trace {
	type key struct {
		trace.TraceID
		trace.SpanID
	}
	nodes := make(map[key]*Node, len(spans))
	ordered := make([]*Node, 0, len(spans))
	for _, s := range spans {
		k := key{s.SpanContext().TraceID(), s.SpanContext().SpanID()}
		if nodes[k] == nil {
			nodes[k] = &Node{Span: s}
			ordered = append(ordered, nodes[k])
		}
	}
	slices.SortStableFunc(ordered, func(a, b *Node) int {
		x, y := a.Span.SpanContext().SpanID(), b.Span.SpanContext().SpanID()
		return cmp.Or(a.Span.StartTime().Compare(b.Span.StartTime()), bytes.Compare(x[:], y[:]))
	})

	var traces []*Trace
	byID := make(map[trace.TraceID]*Trace)
	for _, n := range ordered {
		id := n.Span.SpanContext().TraceID()
		t := byID[id]
		if t == nil {
			t = &Trace{ID: id, Start: n.Span.StartTime()}
			byID[id] = t
			traces = append(traces, t)
		}
		if end := n.Span.StartTime().Add(duration(n.Span)); end.After(t.End) {
			t.End = end
		}

		parent := nodes[key{id, n.Span.Parent().SpanID()}]
		n.Orphan = parent == nil && n.Span.Parent().SpanID().IsValid()
		if parent == nil || parent.descendsFrom(n) {
			t.Roots = append(t.Roots, n)
			continue
		}
		n.parent = parent
		n.Early = max(0, parent.Span.StartTime().Sub(n.Span.StartTime()))
		parent.Children = append(parent.Children, n)
	}
	return traces
}

// descendsFrom reports whether a is n or an ancestor of it.
func (n *Node) descendsFrom(a *Node) bool {
	for ; n != nil; n = n.parent {
		if n == a {
			return true
		}
	}
	return false
}

// duration is never negative, whatever the clock did meanwhile.
func duration(s sdktrace.ReadOnlySpan) time.Duration {
	return max(0, s.EndTime().Sub(s.StartTime()))
}
