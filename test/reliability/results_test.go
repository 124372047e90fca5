package reliability

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// Not parallel: it sets the environment.
func TestResultsAreWrittenAndRead(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(ResultsDir, dir)
	faults := Suite{Name: "faults", Headings: []string{"lost"}}
	b := Result{Suite: "faults", Case: "broker, killed", Cells: map[string]string{"lost": "0"}}
	a := Result{Suite: "faults", Case: "a", Cells: map[string]string{"lost": "1"}}
	for _, r := range []Result{b, a} {
		Record(t, r)
	}
	a.Cells = map[string]string{"lost": "0"}
	Record(t, a) // Again.
	got, err := ReadResults(dir, faults)
	if err != nil || !reflect.DeepEqual(got, []Result{a, b}) {
		t.Errorf("read %v, %v", got, err)
	}
	if _, err := ReadResults(dir, Suite{Name: "soak", Headings: []string{"lost"}}); err == nil {
		t.Error("results of another suite are taken")
	}
	if _, err := ReadResults(dir, Suite{Name: "faults"}); err == nil {
		t.Error("results are taken for which there is no column")
	}
	if _, err := ReadResults(t.TempDir(), faults); err == nil {
		t.Error("no results are taken for a success")
	}
}

func TestNoResultsWithoutADirectory(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv(ResultsDir, "")
	Record(t, Result{Suite: "faults", Case: "a"})
	if files, err := os.ReadDir(dir); len(files) != 0 || err != nil {
		t.Errorf("files %v, %v", files, err)
	}
}

func TestResultsAreSaved(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "results.json")
	if none, err := LoadResults(file); err != nil || len(none) != 0 {
		t.Errorf("%v, %v without a file", none, err)
	}
	want := Results{"fuzz": {Date: "2026-11-22", Results: []Result{{Suite: "fuzz", Case: "a → b"}}}}
	if err := want.Save(file); err != nil {
		t.Fatal(err)
	}
	if got, err := LoadResults(file); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("loaded %v, %v", got, err)
	}
}
