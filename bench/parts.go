package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/kafkatrace/tracing/bench/internal/consume"
	"github.com/kafkatrace/tracing/bench/internal/measure"
	"github.com/kafkatrace/tracing/bench/internal/produce"
	"github.com/kafkatrace/tracing/bench/internal/profile"
)

// part is a part of the results.
type part struct {
	name, title, text string
	run               func(*results) error
}

var parts = []part{
	{"produce", "Producing", `The first table has every variant, the others few of them with one thing changed. "Bare span" makes a span and does not
send its context; a report that comes out of ` + "`ProduceChannel`" + ` is read at ` + "`Events()`" + `; with reports off the client drops most of them
without looking at them, and this library has to look, also with everything off, since ` + "`Send`" + ` needs its own.`, (*results).produce},
	{"consume", "Consuming", `The messages were sent by a traced producer, so that each carries a context. The fetching, which goes on in the background,
is in the figures. The handlers do nothing; batches are of 100.`, (*results).consume},
	{"memory", "Memory of a message that waits", `Messages wait for a broker that is not there, each variant in a process of its own. "Go" is heap and stacks after
a garbage collection, "process" what the process has grown by, librdkafka's copy of the message included.`, (*results).memory},
	{"profile", "Where the CPU time goes", `Microseconds of CPU per message, with the broker in another process. Go's profiler tells where Go code and calls into C spend it;
what the runtime and the standard library do is counted for whoever calls them. librdkafka's own threads block the profiler's
signal: the operating system's account of each thread tells of them, on Linux only. "Not seen" is what is left of the process's CPU
time, such as what a hundred samples a second are off by.`, (*results).profile},
	{"profile", "Contention", `Who makes others wait for a lock while 8 goroutines produce: the five worst of each variant.`, (*results).contention},
}

// choose returns the parts of the given names, all if there are none.
func choose(names []string) ([]part, error) {
	if len(names) == 0 {
		return parts, nil
	}
	var chosen []part
	for _, name := range names {
		before := len(chosen)
		for _, p := range parts {
			if p.name == name {
				chosen = append(chosen, p)
			}
		}
		if len(chosen) == before {
			return nil, fmt.Errorf("no part %q", name)
		}
	}
	return chosen, nil
}

// inReadme are the variants that the README shows.
var inReadme = []string{
	measure.RawClient, "raw client, one header", measure.TracedOff,
	measure.HandNotSampled, measure.TracedNotSampled, measure.HandSampled, measure.TracedSampled,
	measure.HandWithMetrics, measure.TracedWithMetrics, measure.GoroutineEach,
}

func (r *results) produce() error {
	for i, w := range produce.Workloads() {
		t, err := w.Measure(r.rounds, r.messages, os.Stderr)
		if err != nil {
			return err
		}
		r.add(t.Markdown())
		if i == 0 {
			r.readme = t.Summary(inReadme...)
		}
	}
	return nil
}

func (r *results) consume() error {
	for _, w := range consume.Workloads() {
		t, err := w.Measure(r.rounds, r.messages, os.Stderr)
		if err != nil {
			return err
		}
		r.add(t.Markdown())
	}
	return nil
}

func (r *results) memory() error {
	var table strings.Builder
	fmt.Fprintf(&table, "| bytes, for each of %d messages | Go | beside the raw client | process | beside the raw client |\n|---|--:|--:|--:|--:|\n", r.waiting)
	var raw produce.Footprint
	for i, v := range produce.Waiting() {
		f, err := footprintOf(v.Name, r.waiting)
		if err != nil {
			return err
		}
		if i == 0 {
			raw = f
		}
		more := produce.Footprint{Go: f.Go - raw.Go, RSS: f.RSS - raw.RSS}
		if v.Name == produce.SpanAlone {
			more = f
		}
		fmt.Fprintf(&table, "| %s | %d | %d | %d | %d |\n", v.Name, f.Go, more.Go, f.RSS, more.RSS)
	}
	r.add(table.String())
	return nil
}

// profiled are the variants whose CPU time is taken apart.
var profiled = []string{
	measure.RawClient, measure.HandNotSampled, measure.TracedNotSampled,
	measure.HandSampled, measure.TracedSampled, measure.HandWithMetrics, measure.TracedWithMetrics,
}

func (r *results) profile() error {
	return withBroker(func(broker string) error {
		for _, w := range []measure.Workload{
			produce.Base.Workload(produce.Variants()...),
			consume.Base.Workload(consume.Variants()...),
		} {
			messages, err := w.Ready(broker, r.messages)
			if err != nil {
				return err
			}
			var breakdowns []profile.Breakdown
			for _, v := range w.Only(profiled...).Variants {
				b, err := profile.CPU(v, broker, messages, r.rounds)
				if err != nil {
					return err
				}
				breakdowns = append(breakdowns, b)
			}
			r.add(profile.Markdown(w.Name, breakdowns))
		}
		return nil
	})
}

// worst is how many functions of each variant are listed.
const worst = 5

// contended are the variants whose locks are looked at.
var contended = []string{measure.RawClient, measure.HandSampled, measure.TracedSampled, measure.TracedWithMetrics}

func (r *results) contention() error {
	work := produce.Base
	work.Name, work.Goroutines = "produce, 8 goroutines", 8
	var all []profile.Contention
	err := measure.WithBroker(func(broker string) error {
		for _, v := range work.Workload(produce.Variants()...).Only(contended...).Variants {
			found, err := profile.Mutex(v, broker, r.messages, r.rounds)
			if err != nil {
				return err
			}
			all = append(all, found[:min(worst, len(found))]...)
		}
		return nil
	})
	r.add(profile.MutexMarkdown(work.Name, all))
	return err
}
