package reliability

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kafkatrace/tracing/test/internal/cache"
)

// inRepository returns the path of a file.
func inRepository(t *testing.T, path ...string) string {
	t.Helper()
	root, err := cache.Root()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(append([]string{root}, path...)...)
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestPageIsMadeOfTheResults(t *testing.T) {
	t.Parallel()
	results, err := LoadResults("results.json")
	if err != nil {
		t.Fatal(err)
	}
	want, err := Page(results)
	if err != nil {
		t.Fatal(err)
	}
	if got := readFile(t, inRepository(t, "docs", "reliability.md")); got != string(want) {
		t.Error("docs/reliability.md is not what go run ./test/cmd/reliability -render makes")
	}
}

// What the page names is there, and every program that shows a bug of the client is on the page.
func TestPageLinks(t *testing.T) {
	t.Parallel()
	content := readFile(t, inRepository(t, "docs", "reliability.md"))
	var linked []string
	for _, link := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(content, -1) {
		path := inRepository(t, "docs", link[1])
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
		linked = append(linked, path)
	}
	programs, err := filepath.Glob(inRepository(t, "test", "upstream", "*", "main.go"))
	if err != nil || len(programs) == 0 {
		t.Errorf("programs %v, %v", programs, err)
	}
	for _, program := range programs {
		if !slices.Contains(linked, program) {
			t.Errorf("%s is not on the page", program)
		}
	}
}

func TestClassesHaveTests(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(inRepository(t, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var sources strings.Builder
	for _, file := range files {
		sources.WriteString(readFile(t, file))
	}
	for _, class := range Classes() {
		if len(class.Tests) == 0 {
			t.Errorf("%s: no tests", class.Name)
		}
		for _, name := range class.Tests {
			if !strings.Contains(sources.String(), "\nfunc "+name+"(t *testing.T)") {
				t.Errorf("%s: no test %s", class.Name, name)
			}
		}
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	content, err := Page(Results{
		"fuzz": {
			Date: "2026-11-22", Commit: "abc", Took: "1m", Machine: "2 CPUs",
			Results: []Result{{Suite: "fuzz", Case: "a|b", Cells: map[string]string{"executions": "70000", "time": "3s"}}},
		},
		"classes": {Results: []Result{{Suite: "classes", Case: "`Close` twice", Cells: map[string]string{"result": "4 cases pass"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| target | executions | time | inputs that reached new code |\n|---|---|---|---|\n| a\\|b | 70,000 | 3s |  |\n",
		"Run on 2026-11-22 at commit abc, in 1m: 2 CPUs.",
		"`TestProducerRule07CloseTwiceAndConcurrently` | 4 cases pass |\n",
		"Not run yet.",
	} {
		if !bytes.Contains(content, []byte(want)) {
			t.Errorf("the page does not have %q:\n%s", want, content)
		}
	}
	_, err = Page(Results{"fuzz": {Results: []Result{{Suite: "fuzz", Case: "a", Cells: map[string]string{"speed": "7"}}}}})
	if err == nil || !strings.Contains(err.Error(), `no column "speed"`) {
		t.Errorf("error %v", err)
	}
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := Thousands(n); got != want {
			t.Errorf("%d is %q", n, got)
		}
	}
}
