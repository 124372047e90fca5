package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/kafkatrace/tracing/test/reliability"
)

// classes runs the tests of the defect classes.
func classes(r *runner) error {
	var names []string
	for _, class := range reliability.Classes() {
		names = append(names, class.Tests...)
	}
	slices.Sort(names)
	pattern := "^(" + strings.Join(slices.Compact(names), "|") + ")$"
	var ran tests
	err := r.pipe("", func(out io.Reader) (err error) {
		ran, err = readTests(out)
		return err
	}, "go", "test", "-race", "-count=1", "-json", "-timeout=30m", "-run", pattern, ".")
	if err != nil {
		return err
	}
	for _, class := range reliability.Classes() {
		result, err := ran.of(class)
		if err != nil {
			return err
		}
		if err := r.write(result); err != nil {
			return err
		}
	}
	return nil
}

// tests are the outcomes of tests and subtests, by name: pass, fail or skip.
type tests map[string]string

// readTests reads what `go test -json` prints, and shows the output that is in it.
func readTests(out io.Reader) (tests, error) {
	ran := tests{}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var event struct{ Action, Test, Output string }
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			event.Action, event.Output = "output", lines.Text()+"\n" // Not from a test.
		}
		switch event.Action {
		case "output":
			fmt.Fprint(os.Stderr, event.Output)
		case "pass", "fail", "skip":
			ran[event.Test] = event.Action
		}
	}
	return ran, lines.Err()
}

// of says what the tests of a class came to. All must have run and passed.
func (ran tests) of(class reliability.Class) (reliability.Result, error) {
	cases := 0
	for _, name := range class.Tests {
		if ran[name] != "pass" {
			return reliability.Result{}, fmt.Errorf("%s: test %s: %q", class.Name, name, ran[name])
		}
		for test, outcome := range ran {
			if test != name && !strings.HasPrefix(test, name+"/") {
				continue
			}
			if outcome != "pass" {
				return reliability.Result{}, fmt.Errorf("%s: test %s: %q", class.Name, test, outcome)
			}
			if !ran.hasSubtests(test) {
				cases++
			}
		}
	}
	result := fmt.Sprintf("%d cases pass", cases)
	if cases == 1 {
		result = "passes"
	}
	return reliability.Result{Suite: "classes", Case: class.Name, Cells: map[string]string{"result": result}}, nil
}

func (ran tests) hasSubtests(name string) bool {
	for test := range ran {
		if strings.HasPrefix(test, name+"/") {
			return true
		}
	}
	return false
}
