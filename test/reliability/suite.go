package reliability

import (
	"fmt"
	"slices"
)

// A Suite is a part of the full run, and a table of the page.
type Suite struct {
	Name     string
	Case     string   // What its first column is headed.
	Headings []string // Of the other columns: the names of a result's cells.
}

// Check refuses a result of another suite, and one that the table has no column for.
func (s Suite) Check(r Result) error {
	if r.Suite != s.Name {
		return fmt.Errorf("%s: a result of suite %q", s.Name, r.Suite)
	}
	for heading := range r.Cells {
		if !slices.Contains(s.Headings, heading) {
			return fmt.Errorf("%s, %s: no column %q in the table", s.Name, r.Case, heading)
		}
	}
	return nil
}

// Suites are all of them, in the order in which they are run.
func Suites() []Suite {
	return []Suite{
		{"classes", "defect class", []string{"in other wrappers", "tests", "result"}},
		{"differential", "property", []string{"scripts", "steps", "messages", "modes", "spans", "differences"}},
		{"faults", "fault", []string{"raw", "traced", "spans", "lost"}},
		{"fuzz", "target", []string{"executions", "time", "inputs that reached new code"}},
		{"mutation", "trap", []string{"caught by", "how"}},
		{"soak", "run", []string{"time", "messages/s", "spans started / ended", "goroutines", "heap, Q2 → Q4", "RSS, Q2 → Q4"}},
	}
}
