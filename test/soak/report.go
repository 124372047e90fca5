package soak

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/kafkatrace/tracing/test/reliability"
)

// A Report is what a finished run came to.
type Report struct {
	Config  Config
	Took    time.Duration
	Samples []Sample

	Order      error // What is wrong with the order of the reports or of the messages.
	Goroutines error // Those that were left.

	Publish, Receive SpanCount
	Exported         int64 // Spans.

	Sent, Consumed int64 // Messages, as the metrics count them.
}

// SpanCount counts the spans of an operation that were sampled.
type SpanCount struct{ Started, Ended int64 }

func newReport(r *run, t *telemetry, took time.Duration, leaked error) *Report {
	return &Report{
		Config:     r.config,
		Took:       took,
		Samples:    r.samples,
		Order:      errors.Join(r.reported.check("delivery reports", r.accepted), r.consumed.check("consumed messages", r.accepted)),
		Goroutines: leaked,
		Publish:    SpanCount{t.spans.publishStarted.Load(), t.spans.publishEnded.Load()},
		Receive:    SpanCount{t.spans.receiveStarted.Load(), t.spans.receiveEnded.Load()},
		Exported:   t.exported.spans.Load(),
		Sent:       t.totals.sent.Load(),
		Consumed:   t.totals.consumed.Load(),
	}
}

// Result is the run's row in docs/reliability.md.
func (r *Report) Result() reliability.Result {
	second, last := r.quarter(2), r.quarter(4)
	grown := func(of func(Sample) int64) string { return mib(median(second, of)) + " → " + mib(median(last, of)) }
	least, most := goroutines(r.settled())
	running := strconv.Itoa(most)
	if least != most {
		running = fmt.Sprintf("%d to %d", least, most)
	}
	return reliability.Result{
		Suite: "soak",
		Case:  fmt.Sprintf("%s messages, %s", reliability.Thousands(int64(r.Config.Messages)), sampled(r.Config.Sampling)),
		Cells: map[string]string{
			"time":                  r.Took.Round(time.Second).String(),
			"messages/s":            reliability.Thousands(int64(float64(r.Config.Messages) / r.Took.Seconds())),
			"spans started / ended": reliability.Thousands(r.Publish.Started+r.Receive.Started) + " / " + reliability.Thousands(r.Publish.Ended+r.Receive.Ended),
			"goroutines":            running,
			"heap, Q2 → Q4":         grown(heapOf),
			"RSS, Q2 → Q4":          grown(rssOf),
		},
	}
}

func sampled(part float64) string {
	if part == 1 {
		return "every one sampled"
	}
	return fmt.Sprintf("%g %% sampled", 100*part)
}

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
