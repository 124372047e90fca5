package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// Every variant does its work; how fast is not for a test to say.
func TestVariantsWork(t *testing.T) {
	for _, w := range []workload{producing(false), producing(true), consuming()} {
		table, err := measure(w, 1, 200)
		if err != nil {
			t.Fatalf("%s: %v", w.name, err)
		}
		if len(table.rows) != len(w.variants) || table.rows[0].ratio != 1 {
			t.Errorf("%s: %+v", w.name, table.rows)
		}
		if text := table.markdown(); strings.Count(text, "\n") != len(w.variants)+2 {
			t.Errorf("%s: %s", w.name, text)
		}
	}
}

func TestReplaceInFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(path, []byte("a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replaceInFile(path, "x", "new\n"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := "a\n<!-- x:begin -->\nnew\n<!-- x:end -->\nb\n"; string(got) != want {
		t.Errorf("got %q", got)
	}
	if err := replaceInFile(path, "y", ""); err == nil {
		t.Error("a file without the markers was accepted")
	}
}
