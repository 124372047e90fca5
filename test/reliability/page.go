package reliability

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

//go:embed page.md.tmpl
var page string

// Page renders docs/reliability.md.
func Page(results Results) ([]byte, error) {
	t, err := template.New("page").Funcs(template.FuncMap{
		"results": func(suite string) (string, error) { return section(suite, results) },
		"ran":     func(suite string) bool { return results[suite].Date != "" },
	}).Parse(page)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, nil); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// section renders a suite's results, and when and on what they came about.
func section(name string, results Results) (string, error) {
	suites := Suites()
	i := slices.IndexFunc(suites, func(s Suite) bool { return s.Name == name })
	if i < 0 {
		return "", fmt.Errorf("no suite %q", name)
	}
	suite, run := suites[i], results[name]
	rows := run.Results
	if name == "classes" {
		rows = classRows(rows)
	}
	ran := "Not run yet."
	if run.Date != "" {
		ran = fmt.Sprintf("Run on %s at commit %s, in %s: %s.", run.Date, run.Commit, run.Took, run.Machine)
	}
	if len(rows) == 0 {
		return ran, nil
	}
	table, err := suite.table(rows)
	return table + "\n" + ran, err
}

func (s Suite) table(rows []Result) (string, error) {
	var b strings.Builder
	line := func(cells []string) {
		for _, cell := range cells {
			fmt.Fprintf(&b, "| %s ", strings.ReplaceAll(cell, "|", `\|`))
		}
		b.WriteString("|\n")
	}
	line(append([]string{s.Case}, s.Headings...))
	b.WriteString(strings.Repeat("|---", 1+len(s.Headings)) + "|\n")
	for _, r := range rows {
		if err := s.Check(r); err != nil {
			return "", err
		}
		cells := []string{r.Case}
		for _, heading := range s.Headings {
			cell := r.Cells[heading]
			if n, err := strconv.ParseInt(cell, 10, 64); err == nil {
				cell = Thousands(n)
			}
			cells = append(cells, cell)
		}
		line(cells)
	}
	return b.String(), nil
}

// classRows are the classes with what their tests came to.
func classRows(results []Result) []Result {
	outcome := map[string]string{}
	for _, r := range results {
		outcome[r.Case] = r.Cells["result"]
	}
	classes := Classes()
	rows := make([]Result, 0, len(classes))
	for _, c := range classes {
		tests := make([]string, len(c.Tests))
		for i, name := range c.Tests {
			tests[i] = "`" + name + "`"
		}
		rows = append(rows, Result{Suite: "classes", Case: c.Name, Cells: map[string]string{
			"in other wrappers": c.Others, "tests": strings.Join(tests, ", "), "result": outcome[c.Name],
		}})
	}
	return rows
}

// Thousands writes 1234567 as 1,234,567. Page does so to cells that are a number.
func Thousands(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
