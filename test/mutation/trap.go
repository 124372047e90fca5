package mutation

import (
	"embed"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/kafkatrace/tracing/test/reliability"
)

// Trap is a mistake, and the tests that know it.
type Trap struct {
	Name     string // Its file, without the extension.
	Sentence string // What is wrong with a library that has it.
	Tests    []string
	Package  string        // The one with the tests, "." for the root.
	Timeout  time.Duration // Of the tests with the trap.

	files []string // That the patch changes, as paths from the root.
	patch []byte
}

// defaultTimeout is for traps that are not expected to make anything hang.
const defaultTimeout = 90 * time.Second

//go:embed traps
var directory embed.FS

// Traps returns all traps, in the order of their names.
func Traps() ([]*Trap, error) {
	entries, err := directory.ReadDir("traps")
	if err != nil {
		return nil, err
	}
	var all []*Trap
	for _, entry := range entries {
		content, err := directory.ReadFile(path.Join("traps", entry.Name()))
		if err != nil {
			return nil, err
		}
		trap, err := parse(content)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", entry.Name(), err)
		}
		trap.Name = strings.TrimSuffix(entry.Name(), path.Ext(entry.Name()))
		all = append(all, trap)
	}
	return all, nil
}

// changed finds the files of a patch. Patches neither make nor remove files.
var changed = regexp.MustCompile(`(?m)^--- a/(\S+)\n\+\+\+ b/(\S+)\n@@ `)

// parse reads the file of a trap.
func parse(content []byte) (*Trap, error) {
	trap := &Trap{Package: ".", Timeout: defaultTimeout, patch: content}
	header, _, ok := strings.Cut(string(content), "\n\n")
	if !ok {
		return nil, errors.New("no empty line after the header")
	}
	for line := range strings.SplitSeq(header, "\n") {
		key, value, _ := strings.Cut(line, ": ")
		var err error
		switch key {
		case "Trap":
			trap.Sentence = value
		case "Test":
			trap.Tests = strings.Fields(value)
		case "Package":
			trap.Package = value
		case "Timeout":
			trap.Timeout, err = time.ParseDuration(value)
		default:
			err = fmt.Errorf("unknown line %q in the header", line)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, names := range changed.FindAllStringSubmatch(string(content), -1) {
		if names[1] != names[2] {
			return nil, fmt.Errorf("the patch renames %s to %s", names[1], names[2])
		}
		trap.files = append(trap.files, names[1])
	}
	switch {
	case trap.Sentence == "":
		return nil, errors.New("the header does not say what the trap is")
	case len(trap.Tests) == 0:
		return nil, errors.New("the header names no test")
	case len(trap.files) == 0:
		return nil, errors.New("the patch changes no file")
	case strings.Count(string(content), "\n--- ") != len(trap.files):
		return nil, errors.New("the patch has a file that is not named alike as a/ and b/")
	case slices.ContainsFunc(trap.files, func(name string) bool { return strings.HasSuffix(name, "_test.go") }):
		return nil, errors.New("the patch changes a test")
	}
	return trap, nil
}

// pattern is the argument of -run for tests with just these names.
func pattern(tests []string) string {
	alternatives := make([]string, len(tests))
	for i, name := range tests {
		elements := strings.Split(name, "/")
		for j, element := range elements {
			elements[j] = "^" + regexp.QuoteMeta(element) + "$"
		}
		alternatives[i] = strings.Join(elements, "/")
	}
	return strings.Join(alternatives, "|")
}

// Result is the trap's row on the page of the results.
func (t *Trap) Result(c Catch) reliability.Result {
	return reliability.Result{
		Suite: "mutation",
		Case:  t.Sentence,
		Cells: map[string]string{"caught by": strings.Join(c.By(), ", "), "how": c.How},
	}
}
