// Package reliability keeps the results of the long test suites, from which docs/reliability.md is made.
package reliability

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// ResultsDir is the environment variable that names the directory into which suites write their results. Without it
// they only pass or fail.
const ResultsDir = "RELIABILITY_RESULTS"

// Result is a row of the page: what a case of a suite came to.
type Result struct {
	// Suite is the table that the row belongs to: differential, faults, fuzz, mutation or soak.
	Suite string `json:"suite"`
	// Case is the row's first cell, and its identity within the suite.
	Case string `json:"case"`
	// Cells are the others, by the heading of their column.
	Cells map[string]string `json:"cells"`
}

// Write writes the result to the directory that [ResultsDir] names, in place of an earlier one of the same case. It
// does nothing if the variable is not set.
func (r Result) Write() error {
	dir := os.Getenv(ResultsDir)
	if dir == "" {
		return nil
	}
	return r.WriteTo(dir)
}

// WriteTo is Write to a directory that the caller names.
func (r Result) WriteTo(dir string) error {
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	name := fmt.Sprintf("%s-%s.json", r.Suite, notInNames.ReplaceAllString(r.Case, "_"))
	return os.WriteFile(filepath.Join(dir, name), append(content, '\n'), 0o644)
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9]+`)

// Record writes the result of a test that has not failed.
func Record(t testing.TB, r Result) {
	t.Helper()
	if t.Failed() {
		return
	}
	if err := r.Write(); err != nil {
		t.Errorf("record the result: %v", err)
	}
}
