package reliability

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Run is the last successful run of a suite.
type Run struct {
	Date    string   `json:"date"`
	Commit  string   `json:"commit"`
	Machine string   `json:"machine"`
	Took    string   `json:"took"`
	Results []Result `json:"results"`
}

// Results are the runs that the page shows, by suite.
type Results map[string]Run

// LoadResults reads what SaveResults has written. There are none if the file does not exist.
func LoadResults(file string) (Results, error) {
	results := Results{}
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return results, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(content, &results); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return results, nil
}

// Save writes the results to a file.
func (r Results) Save(file string) error {
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(content, '\n'), 0o644)
}

// ReadResults reads what a suite has written to the directory that [ResultsDir] named. There must be some, and the
// suite's table must have columns for them.
func ReadResults(dir string, suite Suite) ([]Result, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var results []Result
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var r Result
		if err := json.Unmarshal(content, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if err := suite.Check(r); err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	if len(results) == 0 {
		return nil, fmt.Errorf("%s: the run has written no result", suite.Name)
	}
	slices.SortFunc(results, func(a, b Result) int { return strings.Compare(a.Case, b.Case) })
	return results, nil
}
