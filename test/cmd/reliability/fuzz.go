package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"

	"github.com/kafkatrace/tracing/test/reliability"
)

func fuzz(r *runner) error {
	out, err := r.output("", "make", "fuzz", "FUZZTIME="+r.o.fuzzTime.String())
	if err != nil {
		return err
	}
	results, err := fuzzResults(out)
	return errors.Join(err, r.write(results...))
}

var (
	fuzzTarget = regexp.MustCompile(`^==> (\S+) (Fuzz\w+)$`)
	// The time and the counts are those since the target's start.
	fuzzProgress = regexp.MustCompile(`^fuzz: elapsed: (\S+), execs: (\d+) .*new interesting: (\d+)`)
)

// fuzzResults reads what `make fuzz` prints: for each target a line that names it and then, every few seconds, how far
// it is.
func fuzzResults(out []byte) ([]reliability.Result, error) {
	var results []reliability.Result
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		line := lines.Text()
		if m := fuzzTarget.FindStringSubmatch(line); m != nil {
			results = append(results, reliability.Result{Suite: "fuzz", Case: fmt.Sprintf("`%s` in `%s`", m[2], path.Base(m[1]))})
		}
		if m := fuzzProgress.FindStringSubmatch(line); m != nil {
			if len(results) == 0 {
				return nil, fmt.Errorf("progress of no target: %s", line)
			}
			results[len(results)-1].Cells = map[string]string{
				"time": m[1], "executions": m[2], "inputs that reached new code": m[3],
			}
		}
	}
	if len(results) == 0 || slices.ContainsFunc(results, func(r reliability.Result) bool { return r.Cells == nil }) {
		return nil, errors.New("a target has said nothing of its progress")
	}
	return results, nil
}
