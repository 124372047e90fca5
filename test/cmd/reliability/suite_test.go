package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/kafkatrace/tracing/test/reliability"
)

func TestFuzzResults(t *testing.T) {
	t.Parallel()
	got, err := fuzzResults([]byte(`==> github.com/kafkatrace/tracing FuzzExtract
fuzz: elapsed: 0s, gathering baseline coverage: 0/13 completed
fuzz: elapsed: 0s, gathering baseline coverage: 13/13 completed, now fuzzing with 2 workers
fuzz: elapsed: 3s, execs: 1025 (341/sec), new interesting: 1 (total: 14)
fuzz: elapsed: 6s, execs: 102445 (34147/sec), new interesting: 12 (total: 25)
PASS
==> github.com/kafkatrace/tracing/internal/clientstats FuzzStatistics
fuzz: elapsed: 3s, execs: 5 (1/sec), new interesting: 0 (total: 3)
`))
	want := []reliability.Result{
		{Suite: "fuzz", Case: "`FuzzExtract` in `tracing`", Cells: map[string]string{"time": "6s", "executions": "102445", "inputs that reached new code": "12"}},
		{Suite: "fuzz", Case: "`FuzzStatistics` in `clientstats`", Cells: map[string]string{"time": "3s", "executions": "5", "inputs that reached new code": "0"}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for name, out := range map[string]string{
		"nothing":     "",
		"no progress": "==> github.com/kafkatrace/tracing FuzzExtract\nPASS\n",
		"no target":   "fuzz: elapsed: 3s, execs: 5 (1/sec), new interesting: 0 (total: 3)\n",
	} {
		if results, err := fuzzResults([]byte(out)); err == nil {
			t.Errorf("%s: results %v", name, results)
		}
	}
}

func TestOutcomeOfAClass(t *testing.T) {
	t.Parallel()
	class := reliability.Class{Name: "class", Tests: []string{"TestA", "TestB"}}
	for name, test := range map[string]struct {
		ran, want string // want: the result, empty for an error
	}{
		"all pass":         {"TestA=pass TestA/x=pass TestA/x/y=pass TestA/z=pass TestB=pass TestAB=fail", "3 cases pass"},
		"one did not run":  {"TestA=pass", ""},
		"one fails":        {"TestA=pass TestB=fail", ""},
		"one is skipped":   {"TestA=pass TestB=skip", ""},
		"a subtest skips":  {"TestA=pass TestB=pass TestB/x=skip", ""},
		"one case of each": {"TestA=pass TestB=pass", "2 cases pass"},
	} {
		ran := tests{}
		for _, field := range strings.Fields(test.ran) {
			test, outcome, _ := strings.Cut(field, "=")
			ran[test] = outcome
		}
		result, err := ran.of(class)
		if (err == nil) != (test.want != "") || result.Cells["result"] != test.want {
			t.Errorf("%s: %v, %v", name, result, err)
		}
	}
}

func TestReadTests(t *testing.T) {
	t.Parallel()
	ran, err := readTests(strings.NewReader(`{"Action":"start","Package":"p"}
{"Action":"run","Package":"p","Test":"TestA"}
a line of the client's
{"Action":"pass","Package":"p","Test":"TestA","Elapsed":1}
{"Action":"pass","Package":"p"}
`))
	if err != nil || ran["TestA"] != "pass" {
		t.Errorf("%v, %v", ran, err)
	}
}

func TestSelected(t *testing.T) {
	t.Parallel()
	all, err := selected("")
	if err != nil || len(all) != len(commands) {
		t.Errorf("all are %v, %v", all, err)
	}
	for _, suite := range all {
		if commands[suite.Name] == nil {
			t.Errorf("no command for %s", suite.Name)
		}
	}
	some, err := selected("soak,faults")
	if err != nil || len(some) != 2 || some[0].Name != "faults" || some[1].Name != "soak" {
		t.Errorf("selected %v, %v", some, err)
	}
	if _, err := selected("soak,typo"); err == nil {
		t.Error("no error")
	}
}

// A command that fails, one that writes nothing, and one that writes what no column is for leave no results.
func TestSuiteThatFails(t *testing.T) {
	t.Parallel()
	write := `echo '{"suite":"soak","case":"a","cells":{"CELL":"1s"}}' > "$RELIABILITY_RESULTS/a.json"`
	for name, test := range map[string]struct {
		script string
		ok     bool
	}{
		"passes":         {strings.ReplaceAll(write, "CELL", "time"), true},
		"fails":          {strings.ReplaceAll(write, "CELL", "time") + "; exit 1", false},
		"writes nothing": {"true", false},
		"no such column": {write, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &runner{ctx: t.Context(), root: t.TempDir(), dir: t.TempDir()}
			err := r.run("", "sh", "-c", test.script)
			var results []reliability.Result
			if err == nil {
				results, err = reliability.ReadResults(r.dir, reliability.Suite{Name: "soak", Headings: []string{"time"}})
			}
			if (err == nil) != test.ok {
				t.Errorf("results %v, %v", results, err)
			}
		})
	}
}

func TestCommitAndMachine(t *testing.T) {
	t.Parallel()
	if m := machine(); !strings.Contains(m, "CPUs") || strings.Contains(m, "librdkafka ,") {
		t.Errorf("machine %q", m)
	}
	if _, err := commitOf(t.Context(), filepath.Join(os.TempDir(), "no such directory")); err == nil {
		t.Error("a commit without a repository")
	}
}
