package mutation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

var (
	errNotCaught = errors.New("not caught: the tests pass with it")
	errNoTest    = errors.New("no test has such a name")
)

// buildTime is for what go test does before it runs a test.
const buildTime = 5 * time.Minute

// Baseline runs the tests of the traps against the library as it is, all at once: what fails without a trap, or is as
// slow, shows none.
func Baseline(ctx context.Context, root string, traps []*Trap) error {
	tests := map[string][]string{}
	for _, trap := range traps {
		tests[trap.Package] = append(tests[trap.Package], trap.Tests...)
	}
	passed := map[string]map[string]time.Duration{}
	for pkg, names := range tests {
		slices.Sort(names)
		o, err := test(ctx, root, pkg, slices.Compact(names), 10*time.Minute)
		if err != nil {
			return err
		}
		if !o.ok {
			return fmt.Errorf("the tests of the traps fail without one, %s:\n%s", strings.Join(o.failed, ", "), o.failures)
		}
		passed[pkg] = o.passed
	}
	for _, trap := range traps {
		if err := trap.check(passed[trap.Package]); err != nil {
			return err
		}
	}
	return nil
}

// check compares the trap with how long its tests took without it.
func (t *Trap) check(passed map[string]time.Duration) error {
	for _, name := range t.Tests {
		took, ok := passed[name]
		if !ok {
			return fmt.Errorf("%s: %s: %w", t.Name, name, errNoTest)
		}
		if took > t.Timeout/2 {
			return fmt.Errorf("%s: %s takes %v without it, so that a timeout of %v shows nothing", t.Name, name, took, t.Timeout)
		}
	}
	return nil
}

// Catch runs the tests of the trap against the library with the trap, and tells how they notice it. It is an error if
// they do not.
func (t *Trap) Catch(ctx context.Context, root string) (Catch, error) {
	dir, err := os.MkdirTemp("", "mutation-*")
	if err != nil {
		return Catch{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := t.overlay(ctx, root, dir)
	if err != nil {
		return Catch{}, err
	}
	o, err := test(ctx, root, t.Package, t.Tests, t.Timeout, "-overlay", overlay)
	if err != nil {
		return Catch{}, err
	}
	catch, err := o.catch()
	if err != nil {
		return Catch{}, err
	}
	return catch, t.complete(catch)
}

// complete is an error if a test that should have failed has not. One that crashes or hangs keeps the others from it.
func (t *Trap) complete(c Catch) error {
	if c.How != byAssertion {
		return nil
	}
	for _, name := range t.Tests {
		if !slices.ContainsFunc(c.Failed, func(failed string) bool { return failed == name || strings.HasPrefix(failed, name+"/") }) {
			return fmt.Errorf("%s passes with it", name)
		}
	}
	return nil
}

// test runs tests of a package. That they fail is no error.
func test(ctx context.Context, root, pkg string, tests []string, timeout time.Duration, flags ...string) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, buildTime+timeout)
	defer cancel()
	// Without vet: a patch need not be tidy. And without what debuggers need, the linking of which takes longer than all else.
	flags = append([]string{"test", "-json", "-race", "-vet=off", "-ldflags=-s -w", "-count=1", "-timeout", timeout.String(), "-run", pattern(tests)}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(flags, pkg)...)
	cmd.Dir = root
	cmd.Stderr = os.Stderr // What the go command says that is not of a test: a download, for instance.
	cmd.WaitDelay = 10 * time.Second
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return outcome{}, err
	}
	if err := cmd.Start(); err != nil {
		return outcome{}, err
	}
	o, err := readOutcome(stdout)
	var exit *exec.ExitError
	if wait := cmd.Wait(); wait != nil && !errors.As(wait, &exit) {
		err = errors.Join(err, wait)
	}
	return o, errors.Join(err, ctx.Err())
}
