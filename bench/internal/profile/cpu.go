package profile

import (
	"bytes"
	"fmt"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/google/pprof/profile"

	"github.com/kafkatrace/tracing/bench/internal/measure"
)

// Breakdown is the CPU time of a message by component.
type Breakdown struct {
	Variant string
	CPU     [components]time.Duration
}

// CPU measures a variant's breakdown over some rounds. The threads of the C library
// are known on Linux only; elsewhere they are in what is not seen.
func CPU(v measure.Variant, broker string, messages, rounds int) (Breakdown, error) {
	b := Breakdown{Variant: v.Name}
	err := v.With(broker, messages, func(work func() error) error {
		var recorded bytes.Buffer
		if err := pprof.StartCPUProfile(&recorded); err != nil {
			return err
		}
		threads, process := threadTimes(), measure.CPUTime()
		err := repeat(rounds, work)
		process, after := measure.CPUTime()-process, threadTimes()
		pprof.StopCPUProfile()
		if err != nil {
			return err
		}
		p, err := profile.Parse(&recorded)
		if err != nil {
			return err
		}
		b.add(p)
		for id, cpu := range after {
			b.CPU[Threads] += cpu - threads[id]
		}
		for _, d := range b.CPU {
			process -= d
		}
		b.CPU[Unknown] = process
		for c := range b.CPU {
			b.CPU[c] /= time.Duration(messages * rounds)
		}
		return nil
	})
	return b, err
}

func repeat(rounds int, work func() error) error {
	for range rounds {
		if err := work(); err != nil {
			return err
		}
	}
	return nil
}

// add adds the samples of Go's profiler, whose last value is the time.
func (b *Breakdown) add(p *profile.Profile) {
	for _, s := range p.Sample {
		b.CPU[innermost(s)] += time.Duration(s.Value[len(s.Value)-1])
	}
}

// Markdown returns breakdowns as a table, in microseconds.
func Markdown(title string, breakdowns []Breakdown) string {
	var s strings.Builder
	fmt.Fprintf(&s, "| %s | %s | all |\n|---|%s--:|\n", title,
		strings.Join(componentNames[:], " | "), strings.Repeat("--:|", int(components)))
	for _, b := range breakdowns {
		fmt.Fprintf(&s, "| %s |", b.Variant)
		var all time.Duration
		for _, d := range b.CPU {
			all += d
			fmt.Fprintf(&s, " %s |", measure.Micros(d))
		}
		fmt.Fprintf(&s, " %s |\n", measure.Micros(all))
	}
	return s.String()
}
