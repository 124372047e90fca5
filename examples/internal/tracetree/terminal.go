package tracetree

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/term"
)

// TerminalOptions returns options that suit w: as wide as the terminal, or as
// COLUMNS says, and coloured if it is one, unless the user says no
// (https://no-color.org).
func TerminalOptions(w io.Writer) Options {
	var opts Options
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		opts.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
		opts.Width, _, _ = term.GetSize(int(file.Fd()))
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		opts.Width = n
	}
	return opts
}
