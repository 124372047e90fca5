package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
	"go.uber.org/goleak"

	"github.com/kafkatrace/tracing/examples/internal/otlptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The tree of each case as it is printed, without times and offsets, and
// without the service where it is that of the line above.
const (
	paid = `order-service|POST /orders
order-service|└ kafka.publish orders[]@
billing-service|  └ kafka.receive orders[]@ (billing)
billing-service|    └ kafka.process orders[]@ (billing)
billing-service|      └ charge card amount=`
	declined = `order-service|POST /orders
order-service|└ kafka.publish orders[]@
billing-service|  └ kafka.receive orders[]@ (billing)
billing-service|    └ kafka.process orders[]@ (billing)
|      │ ✗ card declined: it has expired [error.type card_declined]
billing-service|      └ charge card amount=
|          ✗ card declined: it has expired [error.type card_declined]`
	shipped = `order-service|POST /orders
order-service|└ kafka.publish orders[]@
billing-service|  └ kafka.receive orders[]@ (billing)
billing-service|    └ kafka.process orders[]@ (billing)
billing-service|      ├ charge card amount=
billing-service|      └ kafka.publish shipments[]@
shipping-service|        └ kafka.receive shipments[]@ (shipping)
shipping-service|          └ kafka.process shipments[]@ (shipping)
shipping-service|            └ print label`
)

var (
	header = regexp.MustCompile(`^trace ([0-9a-f]{32})  order (\d+): (.*\S) +[0-9.]+ (?:s|ms|µs)$`)
	digit  = regexp.MustCompile(`[0-9]+(?:\.[0-9]+)?`)
)

// tree is a trace as it was printed.
type tree struct{ id, order, outcome, shape string }

// parse finds the trees in what the program printed.
func parse(t *testing.T, output string) []tree {
	t.Helper()
	var trees []tree
	inTree := false
	for line := range strings.Lines(output) {
		line = strings.TrimSuffix(line, "\n")
		if m := header.FindStringSubmatch(line); m != nil {
			trees = append(trees, tree{id: m[1], order: m[2], outcome: m[3]})
			inTree = true
			continue
		}
		if line == "" {
			inTree = false
		}
		if !inTree {
			continue
		}
		last := &trees[len(trees)-1]
		service, text := strings.TrimSpace(line[:16]), strings.TrimPrefix(line[16:], "  ")
		text, _, _ = strings.Cut(text, "▕")
		if last.shape != "" {
			last.shape += "\n"
		}
		last.shape += service + "|" + strings.TrimRight(digit.ReplaceAllString(text, ""), " ")
	}
	return trees
}

func TestRun(t *testing.T) {
	t.Setenv("COLUMNS", "100")
	var out bytes.Buffer
	if err := run(t.Context(), nil, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	t.Logf("output:\n%s", &out)
	check(t, parse(t, out.String()), 3)
	for _, want := range []string{"3 orders in ", "3 traces, 19 spans, 2 of them failed", "Next: ", "go run ./examples/"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("nothing printed like %q", want)
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("colours in what is not a terminal")
	}
}

// check compares the first n trees with what has to become of n orders.
func check(t *testing.T, trees []tree, n int) {
	t.Helper()
	if len(trees) != n {
		t.Fatalf("%d trees, want one for each of %d orders", len(trees), n)
	}
	ids := make(map[string]bool)
	for i, got := range trees {
		ids[got.id] = true
		want := tree{id: got.id, order: strconv.Itoa(i + 1)}
		switch i % 3 {
		case 0:
			want.outcome, want.shape = "paid", paid
		case 1:
			want.outcome, want.shape = "card declined: it has expired", declined
		case 2:
			want.outcome, want.shape = "paid and shipped", shipped
		}
		if got != want {
			t.Errorf("tree %d is %q, %q:\n%s\nwant %q, %q:\n%s", i+1, got.order, got.outcome, got.shape, want.order, want.outcome, want.shape)
		}
	}
	if len(ids) != n {
		t.Errorf("%d traces, want one per order: %d", len(ids), n)
	}
}

// TestRunMany checks that a long run prints a few trees and sums up the rest,
// and that the same spans arrive by OTLP, all of them.
func TestRunMany(t *testing.T) {
	t.Setenv("COLUMNS", "100")
	backend := otlptest.NewServer(t)
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-messages", "60", "-otlp", backend.Addr}, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	t.Logf("output:\n%s", &out)
	check(t, parse(t, out.String()), showFirst)

	// 20 of each case: 5, 5 and 9 spans.
	const spans = 20 * (5 + 5 + 9)
	for _, want := range []string{
		"… and 57 traces more", "60 orders in ", fmt.Sprintf("60 traces, %d spans, 40 of them failed", spans),
		fmt.Sprintf("%d spans sent to %s", spans, backend.Addr),
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("nothing printed like %q", want)
		}
	}
	for _, want := range []string{
		`order-service +kafka\.publish +60 +0 `, `billing-service +kafka\.process +60 +20 `,
		`billing-service +kafka\.publish +20 +0 `, `shipping-service +kafka\.receive +20 +0 `,
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("no line of the summary is like %q", want)
		}
	}

	got := backend.Spans()
	services, traces, ids := make(map[string]int), make(map[string]bool), make(map[string]bool)
	for _, s := range got {
		services[s.Service]++
		traces[string(s.GetTraceId())] = true
		ids[string(s.GetSpanId())] = true
	}
	for _, s := range got {
		if parent := s.GetParentSpanId(); len(parent) > 0 && !ids[string(parent)] {
			t.Errorf("the parent of %s %s was not exported", s.Service, s.GetName())
		}
	}
	want := map[string]int{"order-service": 120, "billing-service": 200, "shipping-service": 60}
	if fmt.Sprint(services) != fmt.Sprint(want) || len(traces) != 60 || len(ids) != spans {
		t.Errorf("exported: spans %v in %d traces with %d IDs, want %v in 60 with %d", services, len(traces), len(ids), want, spans)
	}
}

// TestRunOnBroker runs against a broker outside of the program, on topics of the
// demo's own.
func TestRunOnBroker(t *testing.T) {
	t.Parallel()
	broker, err := kafka.NewMockCluster(1)
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	for _, topic := range []string{"demo-orders", "demo-shipments"} { // this broker lets nobody create them
		if err := broker.CreateTopic(topic, 2, 1); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-brokers", broker.BootstrapServers()}, &out); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for _, want := range []string{
		"on " + broker.BootstrapServers(), "order 3: paid and shipped", "3 traces, 19 spans, 2 of them failed",
		"kafka.publish demo-orders[", "(demo-billing)", "kafka.receive demo-shipments[", "(demo-shipping)",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("nothing printed like %q:\n%s", want, &out)
		}
	}
}

func TestRunFails(t *testing.T) {
	t.Parallel()
	closed := closedPort(t)
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"broker away", []string{"-brokers", closed}, "no Kafka broker answers at " + closed},
		{"backend away", []string{"-otlp", closed}, "no OTLP endpoint answers at " + closed},
		{"no orders", []string{"-messages", "0"}, "-messages must be at least 1"},
		{"not a flag", []string{"10"}, "no arguments but flags"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			began := time.Now()
			err := run(t.Context(), test.args, &out)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want one with %q", err, test.want)
			}
			if took := time.Since(began); took > 2*connectTimeout {
				t.Errorf("it took %v to say so", took)
			}
		})
	}
}

// TestInterrupt checks that a signal in the middle ends everything, in time, and
// that what has been traced by then is printed.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	result := make(chan error, 1)
	go func() {
		defer func() { _ = writer.Close() }()
		result <- run(ctx, []string{"-messages", "100000"}, writer)
	}()
	// The first sign of progress.
	var out bytes.Buffer
	buffer := make([]byte, 4096)
	for !strings.Contains(out.String(), " of 100000 orders\n") {
		n, err := reader.Read(buffer)
		out.Write(buffer[:n])
		if err != nil {
			t.Fatalf("%v after:\n%s\nresult: %v", err, &out, <-result)
		}
	}
	cancel()
	if _, err := out.ReadFrom(reader); err != nil {
		t.Fatal(err)
	}
	err = <-result
	if err == nil || !strings.Contains(err.Error(), "interrupted after ") {
		t.Errorf("error is %v, want one that says when it was interrupted", err)
	}
	if !strings.Contains(out.String(), "All of them:") {
		t.Errorf("no summary:\n%s", &out)
	}
}

// closedPort returns an address that nothing listens on.
func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}
