// Command soak sends millions of messages through a traced producer and a traced consumer, against a real Kafka, and
// fails if a message, a span or a goroutine is left over or the memory grows; see package soak for what it checks.
//
//	go run ./test/cmd/soak            # 10 million messages with every one sampled, and again with 1 %
//	go run ./test/cmd/soak -short     # 100,000
//
// The broker is the one that KAFKA_BOOTSTRAP_SERVERS names, or else a native one, for which it needs Java 17 and, the
// first time, Maven.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/kafkatrace/tracing/test/soak"
)

func main() {
	messages := flag.Int("messages", 10_000_000, "how many messages to send")
	short := flag.Bool("short", false, "send 100,000")
	sampling := flag.String("sampling", "1,0.01", "the `parts` of the traces to sample, a run for each, separated by commas")
	inFlight := flag.Int("in-flight", 5000, "how many messages the producer may be ahead of the consumer")
	plot := flag.String("plot", "", "the `file` to draw the memory to, as an SVG")
	flag.Parse()
	if *short {
		*messages = 100_000
	}
	if err := run(*messages, *inFlight, *sampling, *plot); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// run keeps the results and the plot only if all went well.
func run(messages, inFlight int, sampling, plot string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	b, err := openBroker(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()

	var reports []*soak.Report
	for part := range strings.SplitSeq(sampling, ",") {
		config := soak.Config{Bootstrap: b.bootstrap, Partitions: 4, Messages: messages, InFlight: inFlight, Progress: progress(messages)}
		if config.Sampling, err = strconv.ParseFloat(part, 64); err != nil {
			return err
		}
		report, err := soakOnce(ctx, b, config)
		if err != nil {
			return fmt.Errorf("sampling %s: %w", part, err)
		}
		reports = append(reports, report)
		debug.FreeOSMemory() // So that the next run begins as the first did.
	}
	for _, report := range reports {
		if err := report.Result().Write(); err != nil {
			return err
		}
	}
	if plot == "" {
		return nil
	}
	return os.WriteFile(plot, soak.Plot(reports...), 0o644)
}

func soakOnce(ctx context.Context, b *broker, config soak.Config) (_ *soak.Report, err error) {
	if config.Topic, err = b.createTopic(ctx, config.Partitions); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.deleteTopic(context.WithoutCancel(ctx), config.Topic)) }()
	report, err := soak.Run(ctx, config)
	if err != nil {
		return nil, err
	}
	result := report.Result()
	fmt.Println(result.Case)
	for _, heading := range slices.Sorted(maps.Keys(result.Cells)) {
		fmt.Printf("  %-22s %s\n", heading, result.Cells[heading])
	}
	if messages := config.Messages; messages < soak.MemoryMessages {
		fmt.Printf("  memory is judged from %d messages on\n", soak.MemoryMessages)
	}
	if err := report.Check(); err != nil {
		return nil, err
	}
	return report, nil
}

// progress returns a function that prints every twentieth sample.
func progress(messages int) func(soak.Sample) {
	n := 0
	return func(s soak.Sample) {
		if n++; n%(soak.Samples/20) == 0 {
			fmt.Fprintf(os.Stderr, "%3d %%  %d consumed, %d in flight, RSS %d MiB, heap %d MiB, outside Go %d MiB, %d goroutines\n",
				100*s.Consumed/messages, s.Consumed, s.InFlight, s.RSS>>20, s.Heap>>20, s.Outside>>20, s.Goroutines)
		}
	}
}
