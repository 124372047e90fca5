package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// table is the result of a workload.
type table struct {
	name string
	rows []row
}

type row struct {
	name           string
	cpu            time.Duration // median
	ratio, low, up float64       // median and quartiles of the paired ratios
	allocs, bytes  float64       // medians
}

func newTable(w workload, samples [][]sample) table {
	t := table{name: w.name}
	for i, v := range w.variants {
		ratios := make([]float64, 0, len(samples[i]))
		for round, s := range samples[i] {
			ratios = append(ratios, float64(s.cpu)/float64(samples[0][round].cpu))
		}
		t.rows = append(t.rows, row{
			name:   v.name,
			cpu:    quantile(samples[i], 0.5, func(s sample) time.Duration { return s.cpu }),
			ratio:  quantile(ratios, 0.5, identity),
			low:    quantile(ratios, 0.25, identity),
			up:     quantile(ratios, 0.75, identity),
			allocs: quantile(samples[i], 0.5, func(s sample) float64 { return s.allocs }),
			bytes:  quantile(samples[i], 0.5, func(s sample) float64 { return s.bytes }),
		})
	}
	return t
}

func identity(f float64) float64 { return f }

func quantile[S any, T cmp.Ordered](samples []S, q float64, of func(S) T) T {
	values := make([]T, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[int(q*float64(len(values)-1)+0.5)]
}

func (t table) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | CPU per message | ratio (quartiles) | allocations | bytes |\n|---|--:|--:|--:|--:|\n", t.name)
	for _, r := range t.rows {
		fmt.Fprintf(&b, "| %s | %.2f µs | %.2f (%.2f–%.2f) | %.1f | %.0f |\n", r.name,
			float64(r.cpu)/float64(time.Microsecond), r.ratio, r.low, r.up, r.allocs, r.bytes)
	}
	return b.String()
}

// writeResults writes all tables to RESULTS.md and the first to the README.
func writeResults(tables []table, rounds, messages int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Results\n\nMade by `make bench` on %s, %s/%s, %d CPUs, %s, confluent-kafka-go %s, OpenTelemetry SDK %s.\n",
		time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(),
		version("github.com/confluentinc/confluent-kafka-go/v2"), version("go.opentelemetry.io/otel/sdk"))
	fmt.Fprintf(&b, "%d rounds of %d messages of 100 bytes, at most %d in flight, each variant in each round. CPU is that of the whole\n"+
		"process, with the client's threads and the broker in it; ratios are paired within a round.\n", rounds, messages, inFlight)
	for _, t := range tables {
		b.WriteString("\n" + t.markdown())
	}
	dir, err := moduleDir()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "bench", "RESULTS.md"), []byte(b.String()), 0o644); err != nil {
		return err
	}
	return replaceInFile(filepath.Join(dir, "README.md"), "bench", tables[0].markdown())
}

// moduleDir is the repository's root: the command runs there or in bench.
func moduleDir() (string, error) {
	for _, dir := range []string{".", ".."} {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("run it in the repository's root")
}

// replaceInFile replaces what is between the named markers of a file.
func replaceInFile(path, marker, text string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	begin, end := "<!-- "+marker+":begin -->\n", "<!-- "+marker+":end -->"
	head, rest, ok := strings.Cut(string(content), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no %s markers", path, marker)
	}
	return os.WriteFile(path, []byte(head+begin+text+end+tail), 0o644)
}

func version(module string) string {
	info, _ := debug.ReadBuildInfo()
	for _, dep := range info.Deps {
		if dep.Path == module {
			return dep.Version
		}
	}
	return "(unknown)"
}
