package tracetree

import (
	"bytes"
	"testing"
)

func TestTerminalOptions(t *testing.T) {
	for columns, want := range map[string]int{"": 0, "120": 120, "-3": 0, "wide": 0} {
		t.Setenv("COLUMNS", columns)
		if got := TerminalOptions(new(bytes.Buffer)); got.Width != want || got.Color {
			t.Errorf("COLUMNS=%s: %+v, want a width of %d and no colours where there is no terminal", columns, got, want)
		}
	}
}
