package main

import (
	"io"
	"testing"
)

// Every variant does its work; how fast is not for a test to say.
func TestVariantsWork(t *testing.T) {
	quietDatadog()
	for _, w := range workloads() {
		table, err := w.Measure(1, 200, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if len(table.Rows) != 8 {
			t.Errorf("%s: %d variants", w.Name, len(table.Rows))
		}
	}
}
