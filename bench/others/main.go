// Command others puts other ways to trace Kafka in Go beside this library, with
// the same work and measured alike: another wrapper of the same client, and
// another client with its own instrumentation. It is a module of its own, since
// it needs a newer Go and far more dependencies than the rest:
//
//	cd bench/others && GOWORK=off go run .          # prints the tables
//	cd bench/others && GOWORK=off go run . -write   # and writes RESULTS.md
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/kafkatrace/tracing/bench/internal/consume"
	"github.com/kafkatrace/tracing/bench/internal/measure"
	"github.com/kafkatrace/tracing/bench/internal/produce"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("others: ")
	rounds := flag.Int("rounds", 20, "how often each variant is measured")
	messages := flag.Int("messages", 20_000, "messages for each measurement")
	write := flag.Bool("write", false, "write RESULTS.md")
	flag.Parse()
	quietDatadog()

	var text strings.Builder
	fmt.Fprintf(&text, head, time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(),
		*rounds, *messages)
	for _, path := range modules {
		fmt.Fprintf(&text, "- %s %s\n", path, version(path))
	}
	for _, w := range workloads() {
		t, err := w.Measure(*rounds, *messages, os.Stderr)
		if err != nil {
			log.Fatal(err)
		}
		text.WriteString("\n" + t.Markdown())
	}
	text.WriteString(notes)
	fmt.Print(text.String())
	if *write {
		if err := os.WriteFile("RESULTS.md", []byte(text.String()), 0o644); err != nil {
			log.Fatal(err)
		}
	}
}

// workloads are the base ones, with the other ways beside those of this library.
func workloads() []measure.Workload {
	producing := produce.Base.Workload(append(produce.Variants(), datadogProducer)...).
		Only(measure.RawClient, measure.HandSampled, measure.TracedNotSampled, measure.TracedSampled, datadogProducer.Name)
	producing.Variants = append(producing.Variants, franzProducers()...)

	consuming := consume.Base.Workload(append(consume.Variants(), datadogConsumer)...).
		Only(measure.RawClient, measure.HandSampled, measure.TracedNotSampled, measure.TracedSampled, datadogConsumer.Name)
	consuming.Variants = append(consuming.Variants, franzConsumers()...)
	return []measure.Workload{producing, consuming}
}

var modules = []string{
	"github.com/confluentinc/confluent-kafka-go/v2",
	"github.com/DataDog/dd-trace-go/contrib/confluentinc/confluent-kafka-go/kafka.v2/v2",
	"github.com/twmb/franz-go",
	"github.com/twmb/franz-go/plugin/kotel",
	"go.opentelemetry.io/otel/sdk",
}

const head = `# Beside others

Made by ` + "`GOWORK=off go run . -write`" + ` on %s, %s/%s, %d CPUs, %s; %d rounds of %d messages of 100 bytes.
Columns are explained in [the results of this library](../RESULTS.md).

`

const notes = `
What is not the same:

- Datadog's wrapper makes Datadog's spans. They are also encoded and given to an HTTP transport, which drops them: its tracer cannot
  do without, whereas OpenTelemetry's spans are not exported in these figures. It runs a goroutine for each message that has a delivery
  channel, and passes the report on before the span ends; without a delivery channel the span of a message that is delivered
  never ends. It writes the context into the caller's message. Its consume span lasts until the next poll.
- franz-go is another client, all in Go: it shows what the choice of the client means. Compression and idempotence are off, as
  they are by default in librdkafka. kotel ends a publish span when the record is delivered, and begins the receive span of
  a record when it is fetched, not when it is polled.
- Other wrappers of this client could not be had from the module proxy: github.com/jurabek/otelkafka, github.com/sermojohn/otelkafka,
  etf1's otelconfluent, Splunk's splunkkafka.
`

func version(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		if dep.Path == module {
			return dep.Version
		}
	}
	return "(unknown)"
}
