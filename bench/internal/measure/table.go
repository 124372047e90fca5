package measure

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Table is the result of a workload.
type Table struct {
	Name string
	Rows []Row
}

// Row is the result of a variant: medians over all rounds.
type Row struct {
	Name          string
	CPU, Wall     time.Duration
	ToFirst       Ratio // of CPU, to the first variant
	ToFloor       Ratio // of CPU, to the same by hand; zero if there is none
	Allocs, Bytes float64
	Goroutines    float64
}

// Ratio has the median and the quartiles of ratios that were taken within a round.
type Ratio struct{ Median, Low, Up float64 }

func (r Ratio) String() string {
	if r == (Ratio{}) {
		return ""
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", r.Median, r.Low, r.Up)
}

func newTable(w Workload, samples [][]Sample) Table {
	t := Table{Name: w.Name}
	for i, v := range w.Variants {
		row := Row{
			Name:       v.Name,
			CPU:        time.Duration(median(samples[i], func(s Sample) float64 { return float64(s.CPU) })),
			Wall:       time.Duration(median(samples[i], func(s Sample) float64 { return float64(s.Wall) })),
			ToFirst:    newRatio(samples[i], samples[0]),
			Allocs:     median(samples[i], func(s Sample) float64 { return s.Allocs }),
			Bytes:      median(samples[i], func(s Sample) float64 { return s.Bytes }),
			Goroutines: median(samples[i], func(s Sample) float64 { return float64(s.Goroutines) }),
		}
		for j, floor := range w.Variants {
			if floor.Name == v.Floor {
				row.ToFloor = newRatio(samples[i], samples[j])
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// newRatio compares the CPU time of a variant with that of another.
func newRatio(of, to []Sample) Ratio {
	ratios := make([]float64, len(of))
	for round := range of {
		ratios[round] = float64(of[round].CPU) / float64(max(to[round].CPU, 1))
	}
	slices.Sort(ratios)
	return Ratio{Median: quantile(ratios, 0.5), Low: quantile(ratios, 0.25), Up: quantile(ratios, 0.75)}
}

func median(samples []Sample, of func(Sample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	return quantile(values, 0.5)
}

// quantile returns a quantile of sorted values, between two of them if it falls
// there; zero if there are none.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := q * float64(len(sorted)-1)
	below := int(at)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}

// Markdown returns the whole table.
func (t Table) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | CPU | × raw client | × by hand | time | allocations | bytes | goroutines |\n|---|--:|--:|--:|--:|--:|--:|--:|\n", t.Name)
	for _, r := range t.Rows {
		fmt.Fprintf(&b, "| %s | %s µs | %v | %v | %s µs | %.1f | %.0f | %.0f |\n",
			r.Name, Micros(r.CPU), r.ToFirst, r.ToFloor, Micros(r.Wall), r.Allocs, r.Bytes, r.Goroutines)
	}
	return b.String()
}

// Summary returns what the README has of the table: some rows, and less of each.
func (t Table) Summary(names ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | CPU per message | ratio (quartiles) | allocations | bytes |\n|---|--:|--:|--:|--:|\n", t.Name)
	for _, r := range t.Rows {
		if slices.Contains(names, r.Name) {
			fmt.Fprintf(&b, "| %s | %s µs | %v | %.1f | %.0f |\n", r.Name, Micros(r.CPU), r.ToFirst, r.Allocs, r.Bytes)
		}
	}
	return b.String()
}

// Micros writes a duration in microseconds.
func Micros(d time.Duration) string {
	return fmt.Sprintf("%.2f", float64(d)/float64(time.Microsecond))
}
