// Command reliability runs the suites that take long and makes docs/reliability.md of what they come to:
//
//	go run ./test/cmd/reliability                          # all of them; hours
//	go run ./test/cmd/reliability -only differential,soak  # some
//	go run ./test/cmd/reliability -render                  # none: the page, after a change of its text
//
// A suite's results replace its earlier ones in test/reliability/results.json if it passes. One that fails leaves them
// alone, does not keep the others from running, and fails the command.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/kafkatrace/tracing/test/internal/cache"
	"github.com/kafkatrace/tracing/test/reliability"
)

func main() {
	var o options
	only := flag.String("only", "", "the `suites` to run, separated by commas; all if empty")
	render := flag.Bool("render", false, "only make the page of the results that are there")
	flag.IntVar(&o.checks, "checks", 500, "how many scripts the differential tests play of each kind")
	flag.DurationVar(&o.fuzzTime, "fuzztime", 5*time.Minute, "how long to fuzz each target")
	flag.IntVar(&o.messages, "messages", 10_000_000, "how many messages each soak sends")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *only, *render, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "reliability:", err)
		os.Exit(1)
	}
}

// options say how long the suites go on.
type options struct {
	checks   int
	fuzzTime time.Duration
	messages int
}

func run(ctx context.Context, only string, render bool, o options) error {
	root, err := cache.Root()
	if err != nil {
		return err
	}
	suites, err := selected(only)
	if err != nil {
		return err
	}
	if render {
		suites = nil
	}
	file := filepath.Join(root, "test", "reliability", "results.json")
	results, err := reliability.LoadResults(file)
	if err != nil {
		return err
	}
	var failed error
	for _, suite := range suites {
		if err := ctx.Err(); err != nil {
			failed = errors.Join(failed, err)
			break
		}
		fmt.Fprintf(os.Stderr, "==> %s\n", suite.Name)
		result, err := runSuite(ctx, root, suite, o)
		if err != nil {
			fmt.Fprintf(os.Stderr, "==> %s FAILED: %v\n", suite.Name, err)
			failed = errors.Join(failed, fmt.Errorf("%s: %w", suite.Name, err))
			continue
		}
		results[suite.Name] = result
		// After each suite: a later one may be interrupted.
		if err := results.Save(file); err != nil {
			return err
		}
	}
	page, err := reliability.Page(results)
	if err != nil {
		return errors.Join(failed, err)
	}
	return errors.Join(failed, os.WriteFile(filepath.Join(root, "docs", "reliability.md"), page, 0o644))
}

// selected returns the suites that are asked for, in the order in which they are run.
func selected(only string) ([]reliability.Suite, error) {
	all := reliability.Suites()
	if only == "" {
		return all, nil
	}
	wanted := strings.Split(only, ",")
	for _, name := range wanted {
		if !slices.ContainsFunc(all, func(s reliability.Suite) bool { return s.Name == name }) {
			return nil, fmt.Errorf("no suite %q", name)
		}
	}
	return slices.DeleteFunc(all, func(s reliability.Suite) bool { return !slices.Contains(wanted, s.Name) }), nil
}
