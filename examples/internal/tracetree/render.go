package tracetree

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Options say how to print traces.
type Options struct {
	// Width is the number of columns to fill; 0 means 100.
	Width int

	// Color adds ANSI colours, one per service, red for what failed. The
	// output says the same without them.
	Color bool

	// Title, if set, gives the words on a trace's first line.
	Title func(*Trace) string

	// Attributes are keys of span attributes to show behind a span's name.
	Attributes []attribute.Key
}

const (
	defaultWidth = 100
	minBar       = 10 // a shorter bar tells nothing
	minLabel     = 39 // if names had less, they get the bar's room too
	maxBar       = 60 // a longer one is far from its name
	maxService   = 20
	timeWidth    = 7 // "12.4 ms"
)

// Render prints traces one below the other, their columns aligned. Each trace
// has a line with its ID, title and duration, then one line per span: service,
// name with Kafka coordinates, when it ran within the trace, and for how long.
// What needs words (an error, a link, a missing parent) is on lines of its own
// below the span.
func Render(w io.Writer, traces []*Trace, opts Options) error {
	r := renderer{Options: opts, out: bufio.NewWriter(w)}
	if r.Width <= 0 {
		r.Width = defaultWidth
	}
	r.measure(traces)
	for i, t := range traces {
		if i > 0 {
			fmt.Fprintln(r.out)
		}
		r.trace(t)
	}
	return r.out.Flush()
}

type renderer struct {
	Options
	out *bufio.Writer

	service, label, bar int // widths of the columns; bar is 0 if there is no room
	palette             map[string]string
	labels              map[trace.SpanID]string // of every span, for links
}

// measure gives names the room that they need and the time bar the rest. If
// there is not enough for both, the bar shrinks first, then names are cut, and
// before they are cut beyond use the bar goes.
func (r *renderer) measure(traces []*Trace) {
	r.palette = make(map[string]string)
	r.labels = make(map[trace.SpanID]string)
	for _, t := range traces {
		for n := range t.All {
			service, label := serviceName(n.Span), r.describe(n.Span)
			r.labels[n.Span.SpanContext().SpanID()] = label
			if _, ok := r.palette[service]; !ok {
				r.palette[service] = serviceColors[len(r.palette)%len(serviceColors)]
			}
			r.service = max(r.service, min(width(service), maxService))
			r.label = max(r.label, n.indent()+width(label))
		}
	}
	rest := r.Width - r.service - timeWidth - 4                      // two columns between each
	if forBar := rest - 4; forBar-minBar >= min(r.label, minLabel) { // its frame and two columns more
		r.bar = min(max(forBar-r.label, minBar), maxBar)
		rest = forBar - r.bar
	}
	r.label = max(min(r.label, rest), minBar)
}

func (r *renderer) trace(t *Trace) {
	id := "trace " + t.ID.String()
	total := FormatDuration(t.End.Sub(t.Start))
	title := ""
	if r.Title != nil {
		title = clean(r.Title(t))
	}
	title = fit(title, r.lineWidth()-width(id)-width(total)-4)
	color := bold
	for n := range t.All {
		if failed(n.Span) {
			color = red
		}
	}
	fmt.Fprintf(r.out, "%s  %s  %s\n", r.paint(faint, id),
		r.paint(color, pad(title, r.lineWidth()-width(id)-width(total)-4)), r.paint(bold, total))
	for i, root := range t.Roots {
		r.node(t, root, "", i == len(t.Roots)-1)
	}
}

// lineWidth is the width of a span's line, which is less than Options.Width
// if the bar has reached its maximum.
func (r *renderer) lineWidth() int {
	n := r.service + 2 + r.label + 2 + timeWidth
	if r.bar > 0 {
		n += r.bar + 4
	}
	return n
}

// node prints a span and all below it. The prefix continues the branches of
// its ancestors.
func (r *renderer) node(t *Trace, n *Node, prefix string, last bool) {
	own, below := prefix, prefix
	if n.parent != nil {
		own += branch(last, "└ ", "├ ")
		below += branch(last, "  ", "│ ")
	}
	service := serviceName(n.Span)
	color, nameColor := r.palette[service], ""
	if failed(n.Span) {
		color, nameColor = red, red
	}
	label := fit(r.labels[n.Span.SpanContext().SpanID()], r.label-width(own))
	fmt.Fprintf(r.out, "%s  %s%s  ",
		r.paint(r.palette[service], pad(fit(service, maxService), r.service)),
		r.paint(faint, own), r.paint(nameColor, pad(label, r.label-width(own))))
	if r.bar > 0 {
		fmt.Fprint(r.out, r.paint(faint, "▕"),
			r.paint(color, bar(n.Span.StartTime().Sub(t.Start), duration(n.Span), t.End.Sub(t.Start), r.bar)),
			r.paint(faint, "▏"), "  ")
	}
	fmt.Fprintf(r.out, "%*s\n", timeWidth, FormatDuration(duration(n.Span)))

	notes := below + branch(len(n.Children) == 0, "  ", "│ ")
	r.notes(n, notes)
	for i, child := range n.Children {
		r.node(t, child, below, i == len(n.Children)-1)
	}
}

func branch(last bool, ifLast, otherwise string) string {
	if last {
		return ifLast
	}
	return otherwise
}

// notes prints what a line of columns has no room for.
func (r *renderer) notes(n *Node, prefix string) {
	note := func(color, mark, text string) {
		room := max(minBar, r.lineWidth()-r.service-2-width(prefix)-2)
		for _, line := range wrap(clean(text), room) {
			fmt.Fprintf(r.out, "%s  %s%s\n", strings.Repeat(" ", r.service),
				r.paint(faint, prefix), r.paint(color, mark+" "+line))
			mark = " "
		}
	}
	if failed(n.Span) {
		text := n.Span.Status().Description
		if text == "" {
			text = "failed"
		}
		if kind, ok := value(n.Span, semconv.ErrorTypeKey); ok {
			text += " [error.type " + kind.String() + "]"
		}
		note(red, "✗", text)
	}
	if n.Orphan {
		note(faint, "…", "its parent "+n.Span.Parent().SpanID().String()+" was not collected")
	}
	if n.Early > 0 {
		note(faint, "…", FormatDuration(n.Early)+" before its parent: clocks differ")
	}
	for _, link := range n.Span.Links() {
		to := link.SpanContext
		text := "linked to "
		if label, ok := r.labels[to.SpanID()]; ok {
			text += label + ", "
		}
		text += "span " + to.SpanID().String()
		if to.TraceID() != n.Span.SpanContext().TraceID() {
			text += " of trace " + to.TraceID().String()
		}
		note(faint, "↗", text)
	}
}

func (n *Node) indent() int {
	depth := 0
	for p := n.parent; p != nil; p = p.parent {
		depth++
	}
	return 2 * depth
}

// describe gives a span's name with where its message is, topic[partition]@offset,
// and on behalf of which consumer group.
func (r *renderer) describe(s sdktrace.ReadOnlySpan) string {
	var label strings.Builder
	label.WriteString(s.Name())
	// write appends to the label if the span has the attribute.
	write := func(key attribute.Key, before, after string) {
		if v, ok := value(s, key); ok {
			label.WriteString(before + v.String() + after)
		}
	}
	if topic, ok := value(s, semconv.MessagingDestinationNameKey); ok {
		// A name like "publish orders" has the topic already.
		if !strings.HasSuffix(s.Name(), " "+topic.String()) {
			label.WriteString(" " + topic.String())
		}
		write(semconv.MessagingDestinationPartitionIDKey, "[", "]")
		write(semconv.MessagingKafkaOffsetKey, "@", "")
	}
	write(semconv.MessagingBatchMessageCountKey, " ×", "")
	write(semconv.MessagingConsumerGroupNameKey, " (", ")")
	for _, key := range r.Attributes {
		write(key, " "+string(key)+"=", "")
	}
	return clean(label.String())
}

func value(s sdktrace.ReadOnlySpan, key attribute.Key) (attribute.Value, bool) {
	return find(s.Attributes(), key)
}

func find(attrs []attribute.KeyValue, key attribute.Key) (attribute.Value, bool) {
	for _, kv := range attrs {
		if kv.Key == key {
			return kv.Value, true
		}
	}
	return attribute.Value{}, false
}

func serviceName(s sdktrace.ReadOnlySpan) string {
	if name, ok := find(s.Resource().Attributes(), semconv.ServiceNameKey); ok {
		return clean(name.String())
	}
	return "-"
}

func failed(s sdktrace.ReadOnlySpan) bool { return s.Status().Code == codes.Error }

const (
	bold  = "1"
	faint = "2"
	red   = "31"
)

var serviceColors = []string{"36", "32", "35", "33", "34"}

func (r *renderer) paint(color, s string) string {
	if !r.Color || color == "" || strings.TrimSpace(s) == "" {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}
