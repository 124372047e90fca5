package mutation

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// What go test -json writes, shortened.
const (
	run       = `{"Action":"run","Package":"p","Test":"TestA"}` + "\n"
	runInner  = `{"Action":"run","Package":"p","Test":"TestA/b"}` + "\n"
	pass      = `{"Action":"pass","Package":"p","Test":"TestA","Elapsed":1.5}` + "\n"
	passInner = `{"Action":"pass","Package":"p","Test":"TestA/b","Elapsed":1}` + "\n"
	passed    = `{"Action":"pass","Package":"p","Elapsed":2}` + "\n"
	failInner = `{"Action":"fail","Package":"p","Test":"TestA/b","Elapsed":1}` + "\n"
	fail      = `{"Action":"fail","Package":"p","Test":"TestA","Elapsed":1}` + "\n"
	failed    = `{"Action":"fail","Package":"p","Elapsed":2}` + "\n"
)

// says is what the test says.
func says(test, text string) string {
	return `{"Action":"output","Package":"p","Test":"` + test + `","Output":"` + text + `\n"}` + "\n"
}

func TestCatch(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		json string
		want Catch
	}{
		"an assertion": {
			run + runInner + says("TestA/b", `    a_test.go:7: 1, not 2`) + failInner + fail + failed,
			Catch{[]string{"TestA/b"}, "assertion", "a_test.go:7: 1, not 2"},
		},
		"an assertion before a crash": {
			run + says("TestA", `    a_test.go:7: 1, not 2`) + says("TestA", `panic: oh`) + failed,
			Catch{[]string{"TestA"}, "assertion", "a_test.go:7: 1, not 2"},
		},
		"a race": {
			run + says("TestA", `WARNING: DATA RACE`) + says("TestA", `    testing.go:9: race detected during execution of test`) + fail + failed,
			Catch{[]string{"TestA"}, "data race", "race detected during execution of test"},
		},
		"a hang": {
			run + runInner + says("TestA/b", `panic: test timed out after 5s`) + failed,
			Catch{[]string{"TestA/b"}, "timeout", "test timed out after 5s"},
		},
		"a hang of which the output is another test's": {
			run + runInner + passInner + says("TestA/b", `panic: test timed out after 5s`) + failed,
			Catch{[]string{"TestA"}, "timeout", "test timed out after 5s"},
		},
		"a panic": {
			run + says("TestA", `panic: oh [recovered]`) + fail + failed,
			Catch{[]string{"TestA"}, "crash", "panic: oh [recovered]"},
		},
		"a crash of the client": {
			run + says("TestA", `SIGSEGV: segmentation violation`) + failed,
			Catch{[]string{"TestA"}, "crash", "SIGSEGV: segmentation violation"},
		},
		"a goroutine left over": {
			run + says("TestA", `    a_test.go:7: all is well`) + pass + says("", "goleak: Errors on successful test run: found unexpected goroutines:") + failed,
			Catch{[]string{"TestMain"}, "goroutine leak", "found unexpected goroutines:"},
		},
	} {
		o, err := readOutcome(strings.NewReader(test.json))
		if err != nil {
			t.Fatal(err)
		}
		got, err := o.catch()
		if err != nil || !slices.Equal(got.Failed, test.want.Failed) || got.How != test.want.How || got.Message != test.want.Message {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, test.want)
		}
	}
}

func TestNoCatch(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ json, want string }{
		"the tests pass":    {run + pass + passed, errNotCaught.Error()},
		"no test runs":      {says("", "testing: warning: no tests to run") + passed, errNoTest.Error()},
		"it does not build": {`{"ImportPath":"p","Action":"build-output","Output":"undefined: x\n"}` + "\n" + `{"ImportPath":"p","Action":"build-fail"}` + "\n" + failed, "undefined: x"},
		"a wrong flag":      {"flag provided but not defined\n", "flag provided but not defined"},
	} {
		o, err := readOutcome(strings.NewReader(test.json))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := o.catch(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %+v, %v; want an error with %q", name, got, err, test.want)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	trap := Trap{Name: "trap", Tests: []string{"TestA"}, Timeout: 10 * time.Second}
	if err := trap.check(map[string]time.Duration{"TestA": time.Second}); err != nil {
		t.Error(err)
	}
	if err := trap.check(map[string]time.Duration{"TestB": time.Second}); !errors.Is(err, errNoTest) {
		t.Errorf("without the test: %v", err)
	}
	if err := trap.check(map[string]time.Duration{"TestA": 6 * time.Second}); err == nil {
		t.Error("a test that takes that long shows nothing by a timeout")
	}
}

func TestResult(t *testing.T) {
	t.Parallel()
	trap := Trap{Sentence: "It is rude."}
	r := trap.Result(Catch{Failed: []string{"TestB/x", "TestA/y", "TestA/z"}, How: "timeout"})
	if r.Suite != "mutation" || r.Case != "It is rude." || r.Cells["caught by"] != "TestA, TestB" || r.Cells["how"] != "timeout" {
		t.Errorf("%+v", r)
	}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	trap := &Trap{Tests: []string{"TestA", "TestB/one"}}
	for _, c := range []struct {
		catch Catch
		ok    bool
	}{
		{Catch{How: byAssertion, Failed: []string{"TestA/any", "TestB/one"}}, true},
		{Catch{How: byAssertion, Failed: []string{"TestA", "TestB/two"}}, false},
		{Catch{How: "crash", Failed: []string{"TestA"}}, true},
	} {
		if err := trap.complete(c.catch); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.catch, err)
		}
	}
}
