//go:build integration

package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kafkatrace/tracing/test/internal/process"
)

// example is a running program of examples/.
type example struct {
	t       *testing.T
	log     string
	process *process.Process
}

// buildExamples builds programs, with the race detector, and returns their directory.
func buildExamples(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"build", "-race", "-o", dir + string(filepath.Separator)}
	for _, name := range names {
		args = append(args, "./"+name)
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = filepath.Join(root(t), "examples")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the examples: %v\n%s", err, out)
	}
	return dir
}

// startExample starts a program, which ends with the test if not before. Its environment is this one's without the
// settings of OpenTelemetry and Kafka, and then env.
func startExample(t *testing.T, env []string, path string, args ...string) *example {
	t.Helper()
	e := &example{t: t, log: filepath.Join(t.TempDir(), "log")}
	cmd := exec.CommandContext(context.Background(), path, args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "OTEL_") || strings.HasPrefix(kv, "KAFKA_")
	})
	cmd.Env = append(cmd.Env, env...)
	var err error
	if e.process, err = process.Start(cmd, e.log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.process.Kill()
		if t.Failed() {
			t.Logf("%s wrote:\n%s", filepath.Base(path), process.Tail(e.log))
		}
	})
	return e
}

// stop asks the program to end, as an orchestrator does, and waits until it has.
func (e *example) stop() {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := e.process.Stop(ctx); err != nil {
		e.t.Fatal(err)
	}
}

// logged counts the lines with a message that the program has logged.
func (e *example) logged(msg string) (n int) {
	e.t.Helper()
	text, err := os.ReadFile(e.log)
	if err != nil {
		e.t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var entry struct{ Msg string }
		if json.Unmarshal(line, &entry) == nil && entry.Msg == msg {
			n++
		}
	}
	return n
}
