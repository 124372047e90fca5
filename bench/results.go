package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/kafkatrace/tracing/bench/internal/produce"
)

// results are what has been measured so far.
type results struct {
	rounds, messages int
	waiting          int // messages whose memory is measured
	text             strings.Builder
	readme           string // the table for the README
}

func (r *results) measure(p part) error {
	r.add("## " + p.title + "\n\n" + p.text + "\n")
	return p.run(r)
}

func (r *results) add(markdown string) {
	fmt.Println(markdown)
	r.text.WriteString("\n" + markdown)
}

// write writes RESULTS.md and the README's table.
func (r *results) write() error {
	dir, err := moduleDir()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "bench", "RESULTS.md"), []byte(r.head()+r.text.String()), 0o644); err != nil {
		return err
	}
	return replaceInFile(filepath.Join(dir, "README.md"), "bench", r.readme)
}

func (r *results) head() string {
	return fmt.Sprintf(`# Results

Made by `+"`make bench`"+` on %s, %s/%s, %d CPUs, %s, confluent-kafka-go %s, OpenTelemetry SDK %s.
%d rounds of %d messages of %d bytes, at most %d in flight, each variant in each round. Figures are for one message, medians over the
rounds. CPU is that of the whole process, with the client's threads and the broker in it; ratios of CPU are paired within a round,
with their quartiles. "By hand" is the same spans and metrics written for this one program, the floor. Spans are not exported, and
goroutines are the most that there were at a time.
`, time.Now().UTC().Format(time.DateOnly), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(),
		version("github.com/confluentinc/confluent-kafka-go/v2"), version("go.opentelemetry.io/otel/sdk"),
		r.rounds, r.messages, produce.Base.ValueSize, produce.Base.InFlight)
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
