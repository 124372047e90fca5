// Quickstart sends a few orders through three services and two Kafka topics,
// then prints the trace of each order as a tree: what happened where, when and
// for how long. It needs no broker and no backend:
//
//	go run ./examples/quickstart
//
// See -help for running it against yours.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"golang.org/x/sync/errgroup"

	"github.com/kafkatrace/tracing/examples/internal/tracetree"
)

const (
	// Up to showAll orders, every trace is printed, else the first showFirst:
	// one of each case.
	showAll   = 6
	showFirst = 3

	readyTimeout = 30 * time.Second // for a broker to give the consumers their partitions
	stallTimeout = 20 * time.Second // without any order getting on
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) (err error) {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	messages := flags.Int("messages", 3, "how many orders to send: one is paid, one declined, one paid and shipped, and so on")
	brokers := flags.String("brokers", "", "`host:port` of a Kafka broker, instead of the one embedded here")
	otlp := flags.String("otlp", "", "`host:port` of an OTLP/gRPC endpoint (without TLS) to send the same spans to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *messages < 1 || flags.NArg() > 0 {
		return errors.New("-messages must be at least 1, and there are no arguments but flags: see -help")
	}

	at, err := connect(ctx, *brokers)
	if err != nil {
		return err
	}
	defer at.close()
	fmt.Fprintf(stdout, "%s through three services and two topics, on %s\n\n", count(*messages, "order"), at.description)

	limit := 0
	if *messages > showAll {
		limit = showFirst
	}
	collector := tracetree.NewCollector(limit)
	telemetry, err := newTelemetry(ctx, collector, *otlp)
	if err != nil {
		return err
	}
	orders := newOrders(*messages)
	began := time.Now()
	err = process(ctx, at, telemetry, orders, stdout)
	took := time.Since(began)

	// What has been seen is worth printing even if something went wrong.
	sent, exportErr := telemetry.shutdown()
	if err := errors.Join(err, report(stdout, collector, orders, took)); err != nil {
		return errors.Join(err, exportErr)
	}
	if exportErr != nil {
		return fmt.Errorf("sending spans to %s: %w", *otlp, exportErr)
	}
	hint(stdout, *brokers, *otlp, sent)
	return nil
}

// process runs the services until every order has come to its end. When it
// returns, all clients are closed, so all spans have ended.
func process(ctx context.Context, at *cluster, telemetry *telemetry, orders *orderBook, stdout io.Writer) error {
	group, ctx := errgroup.WithContext(ctx)
	ctx, stop := context.WithCancel(ctx)
	defer stop()

	shop, err := newOrderService(at, telemetry)
	if err != nil {
		return err
	}
	defer shop.close()
	billing, err := newBillingService(at, telemetry, orders)
	if err != nil {
		return err
	}
	defer billing.close()
	shipping, err := newShippingService(at, telemetry, orders)
	if err != nil {
		return err
	}
	defer shipping.close()

	group.Go(func() error { return billing.run(ctx) })
	group.Go(func() error { return shipping.run(ctx) })
	group.Go(func() error {
		defer stop()
		// Consumers first: the traces are to show messages on their way, not
		// waiting for a consumer group to form.
		if err := ready(ctx, billing.worker, shipping.worker); err != nil {
			return err
		}
		group.Go(func() error {
			for _, o := range orders.all {
				if ctx.Err() != nil {
					break
				}
				if err := shop.place(context.WithoutCancel(ctx), o); err != nil {
					return fmt.Errorf("placing order %d: %w", o.Number, err)
				}
			}
			return nil
		})
		return orders.wait(ctx, stdout)
	})
	return group.Wait()
}

// report prints the traces, or the first of them and a summary of all.
func report(w io.Writer, collector *tracetree.Collector, orders *orderBook, took time.Duration) error {
	opts := tracetree.TerminalOptions(w)
	opts.Title = title
	opts.Attributes = []attribute.Key{amountKey}
	traces := collector.Traces()
	err := tracetree.Render(w, traces, opts)
	if len(traces) > 0 {
		fmt.Fprintln(w)
	}
	if all := collector.TraceCount(); all > len(traces) {
		fmt.Fprintf(w, "… and %s more. All of them:\n\n", count(all-len(traces), "trace"))
		err = errors.Join(err, tracetree.RenderStats(w, collector.Stats(), opts))
		fmt.Fprintln(w)
	}
	spans, failed := 0, 0
	for _, s := range collector.Stats() {
		spans, failed = spans+s.Count, failed+s.Failed
	}
	fmt.Fprintf(w, "%s in %s: %s, %s, %d of them failed.\n", count(orders.settledCount(), "order"),
		tracetree.FormatDuration(took), count(collector.TraceCount(), "trace"), count(spans, "span"), failed)
	return err
}

// title says what became of the order that a trace is about, judging by the
// spans alone.
func title(t *tracetree.Trace) string {
	number, outcome := "", "paid"
	for n := range t.All {
		for _, kv := range n.Span.Attributes() {
			if kv.Key == numberKey {
				number = "order " + kv.Value.String() + ": "
			}
		}
		if status := n.Span.Status(); status.Code == codes.Error {
			return number + status.Description
		}
		if n.Span.Name() == printLabelSpan {
			outcome = "paid and shipped"
		}
	}
	return number + outcome
}

// hint says where to go from here.
func hint(w io.Writer, brokers, otlp string, sent int) {
	if otlp == "" {
		fmt.Fprintln(w, "\nNext: docker compose up -d --wait, then the same in Jaeger (http://localhost:16686):")
		fmt.Fprintf(w, "      go run ./examples/quickstart -brokers %s -otlp localhost:4317\n", cmp.Or(brokers, "localhost:9092"))
		return
	}
	fmt.Fprintf(w, "%s sent to %s.\n", count(sent, "span"), otlp)
	fmt.Fprintln(w, "\nNext: two processes as you would write them, examples/producer and examples/consumer:")
	fmt.Fprintln(w, "      go run ./examples/consumer & go run ./examples/producer -messages 10")
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}
