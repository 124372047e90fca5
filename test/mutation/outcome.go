package mutation

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
)

// outcome is what a run of go test -json came to.
type outcome struct {
	passed   map[string]time.Duration // The tests that passed, and how long each took.
	failed   []string                 // Those that did not, in the order of their start; of nested ones the innermost.
	broken   bool                     // It was not built.
	ok       bool
	output   string // Of the whole process.
	failures string // The same without what the tests said that passed.
}

// readOutcome reads what go test -json writes.
func readOutcome(r io.Reader) (outcome, error) {
	type event struct {
		Action, Test, Output, FailedBuild string
		Elapsed                           float64
	}
	var (
		o      = outcome{passed: map[string]time.Duration{}}
		events []event
		lines  = bufio.NewScanner(r)
	)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			e = event{Action: "output", Output: lines.Text() + "\n"} // The go command's own.
		}
		events = append(events, e)
		o.broken = o.broken || e.Action == "build-fail" || e.FailedBuild != ""
		switch {
		case e.Action == "pass" && e.Test == "":
			o.ok = true
		case e.Action == "pass":
			o.passed[e.Test] = time.Duration(e.Elapsed * float64(time.Second))
		}
	}
	// A test that has not passed need not have failed in so many words: it may have taken the process with it.
	var output, failures strings.Builder
	for _, e := range events {
		output.WriteString(e.Output)
		if _, passed := o.passed[e.Test]; passed {
			continue
		}
		failures.WriteString(e.Output)
		if e.Action == "run" {
			outer := func(test string) bool { return strings.HasPrefix(e.Test, test+"/") }
			o.failed = append(slices.DeleteFunc(o.failed, outer), e.Test)
		}
	}
	o.output, o.failures = output.String(), failures.String()
	return o, lines.Err()
}

// Catch tells how a trap was noticed.
type Catch struct {
	Failed  []string // The tests that failed, of nested ones the innermost.
	How     string   // An assertion, or one of the ways below.
	Message string   // What the first of them said.
}

// By returns the tests that failed, without their subtests.
func (c Catch) By() []string {
	tests := slices.Clone(c.Failed)
	for i, name := range tests {
		tests[i], _, _ = strings.Cut(name, "/")
	}
	slices.Sort(tests)
	return slices.Compact(tests)
}

// assertion is how a test says what it does not like.
var assertion = regexp.MustCompile(`(?m)^ +(\w+_test\.go:\d+: .*)`)

const byAssertion = "assertion"

// ways are the others in which a trap may be noticed.
var ways = []struct {
	how  string
	line *regexp.Regexp // In the output.
}{
	{"data race", regexp.MustCompile(`(race detected during execution of test)`)},
	{"timeout", regexp.MustCompile(`(?m)^panic: (test timed out after .*)`)},
	{"crash", regexp.MustCompile(`(?m)^((?:panic|fatal error|SIG[A-Z]+|race): .*)`)},
	{"goroutine leak", regexp.MustCompile(`(?m)^goleak: .*(found unexpected goroutines.*)`)},
}

// catch tells how the outcome shows the trap; an error if it does not.
func (o outcome) catch() (Catch, error) {
	switch {
	case o.broken:
		return Catch{}, fmt.Errorf("it does not build, which shows nothing:\n%s", o.output)
	case o.ok && len(o.passed) == 0:
		return Catch{}, errNoTest
	case o.ok:
		return Catch{}, errNotCaught
	}
	// A test that has failed may crash or hang after it: what it said is the most telling.
	if said := assertion.FindStringSubmatch(o.failures); said != nil {
		return Catch{Failed: o.failed, How: byAssertion, Message: said[1]}, nil
	}
	failed := o.failed
	if len(failed) == 0 { // All passed, and goleak looks after them.
		failed = []string{"TestMain"}
	}
	for _, way := range ways {
		if said := way.line.FindStringSubmatch(o.output); said != nil {
			return Catch{Failed: failed, How: way.how, Message: said[1]}, nil
		}
	}
	return Catch{}, fmt.Errorf("it fails, and it cannot be told why:\n%s", o.failures)
}
