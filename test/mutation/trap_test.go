package mutation

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kafkatrace/tracing/test/internal/cache"
)

// known are the traps and the repository.
func known(t *testing.T) (traps []*Trap, root string) {
	t.Helper()
	traps, err := Traps()
	if err != nil {
		t.Fatal(err)
	}
	if root, err = cache.Root(); err != nil {
		t.Fatal(err)
	}
	return traps, root
}

// A change of the library that a patch does not survive is noticed at once, and not by the next full run.
func TestTrapsApply(t *testing.T) {
	t.Parallel()
	traps, root := known(t)
	for _, trap := range traps {
		t.Run(trap.Name, func(t *testing.T) {
			t.Parallel()
			if _, err := trap.overlay(t.Context(), root, t.TempDir()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTrapsNameTests(t *testing.T) {
	t.Parallel()
	traps, root := known(t)
	functions := map[string][]string{} // By package.
	for _, trap := range traps {
		if functions[trap.Package] == nil {
			functions[trap.Package] = testFunctions(t, filepath.Join(root, trap.Package))
		}
		for _, name := range trap.Tests {
			test, _, _ := strings.Cut(name, "/")
			if !slices.Contains(functions[trap.Package], test) {
				t.Errorf("%s: there is no %s in %s", trap.Name, test, trap.Package)
			}
		}
	}
}

var testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w+)\(`)

func testFunctions(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var functions []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range testFunction.FindAllSubmatch(content, -1) {
			functions = append(functions, string(match[1]))
		}
	}
	return functions
}

// The sentence is what the results are known by.
func TestTrapsDiffer(t *testing.T) {
	t.Parallel()
	traps, _ := known(t)
	names := map[string]string{}
	for _, trap := range traps {
		if other, ok := names[trap.Sentence]; ok {
			t.Errorf("%s and %s say the same", other, trap.Name)
		}
		names[trap.Sentence] = trap.Name
	}
}

const patch = `--- a/greeting.go
+++ b/greeting.go
@@ -2,4 +2,4 @@

 const (
-	text = "hello"
+	text = "good bye"
 )
`

func TestParse(t *testing.T) {
	t.Parallel()
	trap, err := parse([]byte("Trap: It is rude.\nTest: TestOne TestTwo/sub\nPackage: ./greeting\nTimeout: 3s\n\n" + patch))
	if err != nil {
		t.Fatal(err)
	}
	if trap.Sentence != "It is rude." || !slices.Equal(trap.Tests, []string{"TestOne", "TestTwo/sub"}) ||
		trap.Package != "./greeting" || trap.Timeout != 3*time.Second || !slices.Equal(trap.files, []string{"greeting.go"}) {
		t.Errorf("%+v", trap)
	}
	if got, want := pattern(trap.Tests), "^TestOne$|^TestTwo$/^sub$"; got != want {
		t.Errorf("pattern %s, want %s", got, want)
	}
	trap, err = parse([]byte("Trap: It is rude.\nTest: TestOne\n\n" + patch))
	if err != nil || trap.Package != "." || trap.Timeout != defaultTimeout {
		t.Errorf("by default %+v, %v", trap, err)
	}

	const header = "Trap: It is rude.\nTest: TestOne\n"
	for content, want := range map[string]string{
		"":                                "no empty line",
		header + patch:                    "unknown line",
		header + "Pakage: .\n\n" + patch:  "unknown line",
		header + "Timeout: 3\n\n" + patch: "missing unit",
		"Test: TestOne\n\n" + patch:       "what the trap is",
		"Trap: It is rude.\n\n" + patch:   "no test",
		header + "\n":                     "no file",
		header + "\n" + strings.ReplaceAll(patch, "+++ b/greeting", "+++ b/farewell"):   "renames",
		header + "\n" + strings.ReplaceAll(patch, "--- a/greeting.go", "--- /dev/null"): "no file",
		header + "\n" + patch + "--- greeting.go\n+++ greeting.go\n@@ -1 +1 @@\n":       "alike",
		header + "\n" + strings.ReplaceAll(patch, "greeting.go", "greeting_test.go"):    "changes a test",
	} {
		if trap, err := parse([]byte(content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is read as %+v, %v; want an error with %q", content, trap, err, want)
		}
	}
}

func TestOverlay(t *testing.T) {
	t.Parallel()
	trap, err := parse([]byte("Trap: It is rude.\nTest: TestOne\n\n" + patch))
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	library := filepath.Join(root, "greeting.go")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(library, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// Other lines have come before those of the patch.
	const before = "package greeting\n\n// Of many words.\n\nconst (\n\ttext = \"hello\"\n)\n"
	write(before)
	dir := t.TempDir()
	overlay, err := trap.overlay(t.Context(), root, dir)
	if err != nil {
		t.Fatal(err)
	}
	patched := filepath.Join(dir, "greeting.go")
	for name, want := range map[string]string{
		library: before,
		patched: strings.ReplaceAll(before, "hello", "good bye"),
		overlay: `{"Replace":{"` + library + `":"` + patched + `"}}`,
	} {
		if content, err := os.ReadFile(name); err != nil || string(content) != want {
			t.Errorf("%s is %q, %v; want %q", name, content, err, want)
		}
	}
	// Within a repository git takes the names of its own patches for those of other files, and passes over them.
	if out, err := exec.CommandContext(t.Context(), "git", "init", root).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	inside := filepath.Join(root, "inside")
	if err := os.Mkdir(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	gits, err := parse([]byte("Trap: It is rude.\nTest: TestOne\n\ndiff --git a/greeting.go b/greeting.go\n" + patch))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gits.overlay(t.Context(), root, inside); err == nil || !strings.Contains(err.Error(), "changes nothing") {
		t.Errorf("error %v of a patch that git passes over", err)
	}
	// The line is another one now.
	write(strings.ReplaceAll(before, "hello", "hi"))
	if _, err := trap.overlay(t.Context(), root, t.TempDir()); err == nil || !strings.Contains(err.Error(), "does not apply") {
		t.Errorf("error %v of a patch that does not apply", err)
	}
}
