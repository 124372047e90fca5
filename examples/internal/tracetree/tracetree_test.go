package tracetree

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// span is the short form of a span: times in microseconds since epoch.
type span struct {
	trace, id, parent int
	service, name     string
	from, to          int
	attrs             []attribute.KeyValue
	err               string
	links             []int // spans of the same trace; negative: of another
}

func traceID(n int) (id trace.TraceID) {
	binary.BigEndian.PutUint64(id[:], 0x4bf92f3577b34da6)
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

func spanContext(t, n int) trace.SpanContext {
	var id trace.SpanID
	binary.BigEndian.PutUint64(id[:], uint64(n))
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID(t), SpanID: id, TraceFlags: trace.FlagsSampled})
}

func build(spans ...span) []sdktrace.ReadOnlySpan {
	var stubs tracetest.SpanStubs
	for i := range spans {
		s := &spans[i]
		traceNumber := max(1, s.trace)
		stub := tracetest.SpanStub{
			Name:        s.name,
			SpanContext: spanContext(traceNumber, s.id),
			StartTime:   epoch.Add(time.Duration(s.from) * time.Microsecond),
			EndTime:     epoch.Add(time.Duration(s.to) * time.Microsecond),
			Attributes:  s.attrs,
		}
		if s.service != "" {
			stub.Resource = resource.NewSchemaless(semconv.ServiceName(s.service))
		}
		if s.parent != 0 {
			stub.Parent = spanContext(traceNumber, s.parent)
		}
		if s.err != "" {
			stub.Status = sdktrace.Status{Code: codes.Error, Description: strings.TrimPrefix(s.err, "-")}
		}
		for _, l := range s.links {
			to := spanContext(traceNumber, l)
			if l < 0 {
				to = spanContext(99, -l)
			}
			stub.Links = append(stub.Links, sdktrace.Link{SpanContext: to})
		}
		stubs = append(stubs, stub)
	}
	return stubs.Snapshots()
}

func at(topic, partition string, offset int, more ...attribute.KeyValue) []attribute.KeyValue {
	return append([]attribute.KeyValue{
		semconv.MessagingSystemKafka,
		semconv.MessagingDestinationName(topic),
		semconv.MessagingDestinationPartitionID(partition),
		semconv.MessagingKafkaOffset(offset),
	}, more...)
}

var group = semconv.MessagingConsumerGroupName

// order is a trace as the quick start makes them: through two topics, with a
// failure on the way.
var order = []span{
	{id: 1, service: "order-service", name: "POST /orders", from: 0, to: 5200},
	{id: 2, parent: 1, service: "order-service", name: "kafka.publish", from: 100, to: 5100, attrs: at("orders", "0", 41)},
	{id: 3, parent: 2, service: "billing-service", name: "kafka.receive", from: 6200, to: 6215, attrs: at("orders", "0", 41, group("billing"))},
	{id: 4, parent: 3, service: "billing-service", name: "kafka.process", from: 6300, to: 18800, attrs: at("orders", "0", 41, group("billing"))},
	{id: 5, parent: 4, service: "billing-service", name: "charge card", from: 6350, to: 13000},
	{id: 6, parent: 4, service: "billing-service", name: "kafka.publish", from: 13100, to: 18700, attrs: at("shipments", "2", 7)},
	{id: 7, parent: 6, service: "shipping-service", name: "kafka.receive", from: 19700, to: 19712, attrs: at("shipments", "2", 7, group("shipping"))},
	{
		id: 8, parent: 7, service: "shipping-service", name: "kafka.process", from: 19800, to: 23000,
		attrs: at("shipments", "2", 7, group("shipping"), semconv.ErrorTypeKey.String("address_unknown")),
		err:   "no such street:\nneither in this town nor in the next one, which we tried as well, nor anywhere",
	},
	{id: 9, parent: 8, service: "shipping-service", name: "print label", from: 19810, to: 22990, err: "-"},
}

func TestRender(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		spans []span
		opts  Options
	}{
		{name: "order", spans: order, opts: Options{Title: func(*Trace) string { return "order 41: not shipped" }}},
		{name: "order_wide", spans: order, opts: Options{Width: 160}},
		{name: "order_80", spans: order, opts: Options{Width: 80}},
		{name: "order_narrow", spans: order, opts: Options{Width: 72, Title: func(*Trace) string { return "order 41: a title that is cut" }}},
		{name: "order_no_bar", spans: order, opts: Options{Width: 40}},
		{name: "order_color", spans: order, opts: Options{Color: true}},
		{name: "siblings", spans: []span{
			// In no order at all, and the second child has children of its own.
			{id: 6, parent: 3, service: "a", name: "grandchild", from: 40, to: 50},
			{id: 4, parent: 1, service: "a", name: "third", from: 60, to: 90},
			{id: 2, parent: 1, service: "a", name: "first", from: 10, to: 20, err: "broken"},
			{id: 1, service: "a", name: "root", from: 0, to: 100},
			{id: 3, parent: 1, service: "a", name: "second", from: 30, to: 55, err: "broken"},
			{id: 5, parent: 3, service: "a", name: "grandchild", from: 35, to: 38},
		}},
		{name: "orphan", spans: []span{
			{id: 3, parent: 2, service: "b", name: "kafka.receive", from: 0, to: 10, attrs: at("orders", "0", 1)},
			{id: 4, parent: 3, service: "b", name: "kafka.process", from: 10, to: 100},
		}},
		{name: "two_roots", spans: []span{
			{id: 1, service: "a", name: "first", from: 0, to: 50},
			{id: 2, service: "b", name: "second", from: 50, to: 100},
			{id: 3, parent: 2, service: "b", name: "child", from: 60, to: 90},
		}},
		{name: "zero_duration", spans: []span{
			{id: 1, service: "a", name: "root", from: 7, to: 7},
			{id: 2, parent: 1, service: "a", name: "child", from: 7, to: 7},
		}},
		{name: "clock_skew", spans: []span{
			{id: 1, service: "a", name: "publish", from: 2000, to: 4000},
			{id: 2, parent: 1, service: "b", name: "receive", from: 0, to: 500},
			{id: 3, parent: 2, service: "b", name: "ends before it starts", from: 400, to: 300},
		}},
		{name: "long_names", spans: []span{
			{id: 1, service: "the-service-with-a-very-long-name", name: strings.Repeat("long ", 40), from: 0, to: 100},
			{
				id: 2, parent: 1, service: "s", name: "n", from: 0, to: 100,
				err: "longer than a line: " + strings.Repeat("x", 200) + " and more",
			},
		}},
		{name: "wide_runes", spans: []span{
			{id: 1, service: "注文サービス", name: "注文を受け付ける", from: 0, to: 100},
			{id: 2, parent: 1, service: "facturación", name: "e\u0301crire 👩‍👩‍👧 ✅", from: 50, to: 100, err: "カードが拒否されました"},
			{id: 3, parent: 1, service: "注文サービス", name: strings.Repeat("長い", 30), from: 60, to: 100},
		}},
		{name: "links", spans: []span{
			{id: 1, service: "a", name: "publish_batch", from: 0, to: 100, attrs: []attribute.KeyValue{semconv.MessagingBatchMessageCount(2)}},
			{id: 2, parent: 1, service: "a", name: "publish orders", from: 0, to: 100, attrs: at("orders", "1", 5)},
			{trace: 2, id: 3, service: "b", name: "kafka.process", from: 100, to: 150, links: []int{2, -77}, attrs: []attribute.KeyValue{
				semconv.MessagingDestinationName("orders"), semconv.MessagingBatchMessageCount(2), group("billing"),
			}},
		}},
		{name: "hostile", spans: []span{
			{id: 1, service: "a\x1b[31m", name: "clear\x1b[2J screen \u202e\xff", from: 0, to: 100, err: "rings \a bell\r\nand more"},
			{id: 2, parent: 3, name: "chases its own tail", from: 0, to: 50},
			{id: 3, parent: 2, name: "likewise", from: 10, to: 50},
			{id: 4, parent: 4, name: "its own parent", from: 20, to: 50},
			{id: 1, service: "again", name: "the same span twice", from: 0, to: 100},
		}},
		{name: "attributes", spans: []span{
			{id: 1, service: "a", name: "charge card", from: 0, to: 100, attrs: []attribute.KeyValue{attribute.Int("amount", 42), attribute.Bool("x", true)}},
		}, opts: Options{Attributes: []attribute.Key{"amount", "absent"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if err := Render(&out, Build(build(test.spans...)), test.opts); err != nil {
				t.Fatal(err)
			}
			golden(t, test.name, out.Bytes())

			limit := test.opts.Width
			if limit == 0 {
				limit = defaultWidth
			}
			if limit < 50 || test.opts.Color {
				return
			}
			for line := range strings.Lines(out.String()) {
				if w := width(strings.TrimRight(line, "\n")); w > limit {
					t.Errorf("line of %d columns, want at most %d: %s", w, limit, line)
				}
			}
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test -update rewrites it)\ngot:\n%s\nwant:\n%s", file, got, want)
	}
}

// TestColorsAddNothing checks that a reader without colours misses nothing.
func TestColorsAddNothing(t *testing.T) {
	t.Parallel()
	var plain, colored bytes.Buffer
	traces := Build(build(order...))
	if err := errors.Join(Render(&plain, traces, Options{}), Render(&colored, traces, Options{Color: true})); err != nil {
		t.Fatal(err)
	}
	text := colored.String()
	for _, code := range []string{"0", bold, faint, red, "36", "32", "35"} {
		text = strings.ReplaceAll(text, "\x1b["+code+"m", "")
	}
	if text != plain.String() {
		t.Errorf("without its colours:\n%s\nplain:\n%s", text, &plain)
	}
}

// TestAnyWidth checks that there is no terminal too narrow, and that from 60
// columns on every line fits.
func TestAnyWidth(t *testing.T) {
	t.Parallel()
	traces := Build(build(order...))
	for columns := 1; columns < 200; columns++ {
		var out bytes.Buffer
		if err := Render(&out, traces, Options{Width: columns}); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if w := width(strings.TrimSuffix(line, "\n")); w > max(columns, 60) {
				t.Fatalf("line of %d columns, want at most %d: %s", w, columns, line)
			}
		}
	}
}

func TestBar(t *testing.T) {
	t.Parallel()
	tests := []struct {
		start, length, total time.Duration
		want                 string
	}{
		{0, 100, 100, "██████████"},
		{0, 50, 100, "█████     "},
		{50, 50, 100, "     █████"},
		{25, 50, 100, "  ▐████▌  "},
		{0, 0, 100, "▎         "},
		{100, 0, 100, "         ▎"},
		{50, 0, 100, "     ▎    "},
		{0, 5, 100, "▌         "},
		{0, 0, 0, "▎         "},
		{99, 1, 100, "         ▎"},
		{5, 10, 100, "▐▌        "},
	}
	for _, test := range tests {
		if got := bar(test.start, test.length, test.total, 10); got != test.want {
			t.Errorf("bar(%d, %d, %d) = %q, want %q", test.start, test.length, test.total, got, test.want)
		}
	}
	for start := range time.Duration(200) {
		for length := range 200 - start {
			if got := bar(start, length, 199, 7); width(got) != 7 {
				t.Fatalf("bar(%d, %d) = %q of %d columns", start, length, got, width(got))
			}
		}
	}
}

func TestFormatDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0:                        "0 ns",
		999:                      "999 ns",
		1000:                     "1.00 µs",
		20 * time.Microsecond:    "20.0 µs",
		999499:                   "999 µs",
		999500:                   "1.00 ms",
		4100 * time.Microsecond:  "4.10 ms",
		9996 * time.Microsecond:  "10.0 ms",
		99960 * time.Microsecond: "100 ms",
		12345 * time.Microsecond: "12.3 ms",
		1240 * time.Millisecond:  "1.24 s",
		59 * time.Second:         "59.0 s",
		125 * time.Second:        "2m5s",
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("FormatDuration(%d) = %q, want %q", d, got, want)
		}
	}
}

func TestCollector(t *testing.T) {
	t.Parallel()
	collector := NewCollector(2)
	// Two services, one collector, as in the quick start.
	var tracers []trace.Tracer
	for _, service := range []string{"a", "b"} {
		provider := sdktrace.NewTracerProvider(
			sdktrace.WithSampler(sdktrace.AlwaysSample()),
			sdktrace.WithSpanProcessor(collector),
			sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName(service))))
		t.Cleanup(func() {
			if err := provider.Shutdown(context.Background()); err != nil {
				t.Error(err)
			}
		})
		tracers = append(tracers, provider.Tracer("test"))
	}
	var roots []trace.TraceID
	var wait sync.WaitGroup
	for i := range 5 {
		ctx, root := tracers[0].Start(context.Background(), "root")
		roots = append(roots, root.SpanContext().TraceID())
		wait.Go(func() {
			_, child := tracers[1].Start(ctx, "child")
			if i == 4 {
				child.SetStatus(codes.Error, "no")
			}
			child.End()
			root.End()
		})
	}
	wait.Wait()

	traces := collector.Traces()
	if len(traces) != 2 || collector.TraceCount() != 5 {
		t.Fatalf("%d traces kept of %d, want 2 of 5", len(traces), collector.TraceCount())
	}
	for i, tr := range traces {
		if tr.ID != roots[i] || len(tr.Roots) != 1 || len(tr.Roots[0].Children) != 1 {
			t.Errorf("trace %d is %+v, want the root and child that started as number %[1]d", i, tr)
		}
	}
	var got []string
	for _, s := range collector.Stats() {
		got = append(got, fmt.Sprint(s.Service, " ", s.Name, " ", s.Count, " ", s.Failed))
		if s.Median > s.Max {
			t.Errorf("median %v is above the maximum %v", s.Median, s.Max)
		}
	}
	if want := "a root 5 0,b child 5 1"; strings.Join(got, ",") != want {
		t.Errorf("stats are %q, want %q", got, want)
	}
}

func TestRenderStats(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := RenderStats(&out, []Stat{
		{Service: "order-service", Name: "kafka.publish", Count: 1000, Median: 4 * time.Millisecond, Max: time.Second},
		{Service: "注文", Name: "charge card", Count: 9, Failed: 3, Median: 1, Max: time.Minute},
	}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "stats", out.Bytes())
}
