//go:build integration

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kafkatrace/tracing/test/internal/cache"
	"github.com/kafkatrace/tracing/test/internal/process"
)

// program is a process that a test has started.
type program struct {
	t      *testing.T
	name   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	output *output
	exited chan struct{}
	killed bool // By the test itself.
}

// start starts a process, which ends with the test if not before. Its environment is this one's without the settings of
// OpenTelemetry and Kafka, and then env.
func start(t *testing.T, env []string, path string, args ...string) *program {
	t.Helper()
	p := &program{t: t, name: filepath.Base(path), output: newOutput(), exited: make(chan struct{})}
	p.cmd = exec.CommandContext(context.Background(), path, args...)
	p.cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "OTEL_") || strings.HasPrefix(kv, "KAFKA_")
	})
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.SysProcAttr = process.Attributes()
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // The state tells.
		p.output.close()
		close(p.exited)
	}()
	t.Cleanup(func() {
		killed := p.killed
		p.kill()
		if t.Failed() && !killed {
			t.Logf("%s (%v) wrote:\n%s", p.name, p.cmd.ProcessState, p.output.tail())
		}
	})
	return p
}

// kill ends the process as kill -9 does and returns when it is gone and all that it wrote has been read.
func (p *program) kill() {
	p.killed = true
	_ = p.cmd.Process.Kill() // An error says that it is gone already.
	<-p.exited
}

// stop asks the process to end, as an orchestrator does, and fails the test unless it does so with exit code 0.
func (p *program) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
	p.done()
}

// done waits until the process ends by itself and fails the test unless its exit code is 0.
func (p *program) done() {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		p.t.Fatalf("%s goes on", p.name)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Fatalf("%s: %v, want exit code 0", p.name, p.cmd.ProcessState)
	}
}

// wait returns the lines written so far once enough says that they suffice.
func (p *program) wait(what string, enough func(lines []string) bool) []string {
	p.t.Helper()
	lines, ok := p.output.wait(enough)
	if !ok {
		p.t.Fatalf("%s wrote %d lines, but not: %s", p.name, len(lines), what)
	}
	return lines
}

// output is what a process writes, in lines.
type output struct {
	mu      sync.Mutex
	lines   []string
	rest    []byte
	closed  bool
	changed chan struct{} // Closed, and replaced, when something arrives.
}

func newOutput() *output { return &output{changed: make(chan struct{})} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rest = append(o.rest, p...)
	for {
		line, rest, ok := bytes.Cut(o.rest, []byte("\n"))
		if !ok {
			break
		}
		o.lines, o.rest = append(o.lines, string(line)), rest
	}
	o.wake()
	return len(p), nil
}

// close drops a last line that is not complete.
func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	o.wake()
}

func (o *output) wake() {
	close(o.changed)
	o.changed = make(chan struct{})
}

// wait reports false if the lines never suffice.
func (o *output) wait(enough func([]string) bool) ([]string, bool) {
	timeout := time.After(patience)
	for {
		o.mu.Lock()
		lines, closed, changed := o.lines[:len(o.lines):len(o.lines)], o.closed, o.changed
		o.mu.Unlock()
		if enough(lines) {
			return lines, true
		}
		if closed {
			return lines, false
		}
		select {
		case <-changed:
		case <-timeout:
			return lines, false
		}
	}
}

// all returns every line; the process has ended.
func (o *output) all() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.lines)
}

func (o *output) tail() string {
	lines := o.all()
	return strings.Join(lines[max(0, len(lines)-12):], "\n")
}

// examples are the programs in examples/, built once for all tests, with the race detector.
var examples builtExamples

type builtExamples struct {
	mu    sync.Mutex
	dir   string
	built map[string]error
}

// path returns the path of an example's program.
func (e *builtExamples) path(t *testing.T, name string) string {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	err, ok := e.built[name]
	if !ok {
		if e.built == nil {
			e.built = map[string]error{}
		}
		err = e.build(name)
		e.built[name] = err
	}
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(e.dir, name)
}

func (e *builtExamples) build(name string) error {
	root, err := cache.Root()
	if err != nil {
		return err
	}
	if e.dir == "" {
		if e.dir, err = os.MkdirTemp("", "e2e-"); err != nil {
			return err
		}
	}
	cmd := exec.Command("go", "build", "-race", "-o", filepath.Join(e.dir, name), "./"+name)
	cmd.Dir = filepath.Join(root, "examples")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build examples/%s: %w\n%s", name, err, out)
	}
	return nil
}

func (e *builtExamples) remove() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.dir == "" {
		return nil
	}
	return os.RemoveAll(e.dir)
}
