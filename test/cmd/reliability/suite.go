package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/kafkatrace/tracing/test/internal/process"
	"github.com/kafkatrace/tracing/test/reliability"
)

// runner runs the commands of one suite.
type runner struct {
	ctx  context.Context
	root string
	dir  string // For results.
	o    options
}

// commands run the suites, each of which writes its results to the runner's directory.
var commands = map[string]func(*runner) error{
	"classes": classes,
	"differential": func(r *runner) error {
		return r.run("test", "go", "test", "-race", "-count=1", "-timeout=6h", "./differential", fmt.Sprintf("-rapid.checks=%d", r.o.checks))
	},
	"faults": func(r *runner) error {
		return r.run("test", "go", "test", "-race", "-tags=integration", "-count=1", "-timeout=2h", "./faults")
	},
	"fuzz":     fuzz,
	"mutation": func(r *runner) error { return r.run("", "go", "run", "./test/cmd/mutation") },
	"soak":     soak,
}

// runSuite runs a suite and notes on what.
func runSuite(ctx context.Context, root string, suite reliability.Suite, o options) (reliability.Run, error) {
	dir, err := os.MkdirTemp("", "reliability-")
	if err != nil {
		return reliability.Run{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	// Before the run: it is this state of the sources that is tested.
	commit, err := commitOf(ctx, root)
	if err != nil {
		return reliability.Run{}, err
	}
	start := time.Now()
	if err := commands[suite.Name](&runner{ctx: ctx, root: root, dir: dir, o: o}); err != nil {
		return reliability.Run{}, err
	}
	took := time.Since(start).Round(time.Second)
	results, err := reliability.ReadResults(dir, suite)
	return reliability.Run{
		Date: start.UTC().Format(time.DateOnly), Commit: commit, Machine: machine(), Took: took.String(), Results: results,
	}, err
}

// soak keeps the plot only if all runs pass.
func soak(r *runner) error {
	plot := filepath.Join(r.dir, "memory.svg")
	if err := r.run("", "go", "run", "./test/cmd/soak", fmt.Sprintf("-messages=%d", r.o.messages), "-plot="+plot); err != nil {
		return err
	}
	svg, err := os.ReadFile(plot)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.root, "docs", "soak-memory.svg"), svg, 0o644)
}

// run runs a command in a directory of the repository, and shows what it prints.
func (r *runner) run(dir, command string, args ...string) error {
	return r.pipe(dir, func(out io.Reader) error {
		_, err := io.Copy(os.Stderr, out)
		return err
	}, command, args...)
}

// output is run, and returns what the command prints as well.
func (r *runner) output(dir, command string, args ...string) ([]byte, error) {
	var b bytes.Buffer
	err := r.pipe(dir, func(out io.Reader) error {
		_, err := io.Copy(io.MultiWriter(&b, os.Stderr), out)
		return err
	}, command, args...)
	return b.Bytes(), err
}

// write writes results that a suite's command does not write itself.
func (r *runner) write(results ...reliability.Result) error {
	for _, result := range results {
		if err := result.WriteTo(r.dir); err != nil {
			return err
		}
	}
	return nil
}

// pipe runs a command and has what it prints read while it does.
func (r *runner) pipe(dir string, read func(io.Reader) error, command string, args ...string) error {
	cmd := exec.CommandContext(r.ctx, command, args...)
	cmd.Dir = filepath.Join(r.root, dir)
	cmd.Env = append(os.Environ(), reliability.ResultsDir+"="+r.dir)
	cmd.Stderr = os.Stderr
	// The whole group, since `go run` and `go test` keep an interrupt to themselves.
	cmd.SysProcAttr = process.Attributes()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = time.Minute
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	readError := read(out)
	_, _ = io.Copy(io.Discard, out) // Or the command could not go on.
	return errors.Join(readError, cmd.Wait())
}
