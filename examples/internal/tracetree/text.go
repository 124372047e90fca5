package tracetree

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/rivo/uniseg"
)

// width returns the number of terminal columns that s takes.
func width(s string) int { return uniseg.StringWidth(s) }

// pad fills s with blanks up to n columns.
func pad(s string, n int) string {
	return s + strings.Repeat(" ", max(0, n-width(s)))
}

// fit cuts s to at most n columns, whole characters only, with an ellipsis in
// the place of what is missing.
func fit(s string, n int) string {
	if width(s) <= n {
		return s
	}
	if n <= 0 {
		return ""
	}
	var b strings.Builder
	used := 0
	for g := uniseg.NewGraphemes(s); g.Next(); {
		if used+g.Width() > n-1 {
			break
		}
		b.WriteString(g.Str())
		used += g.Width()
	}
	return b.String() + "…"
}

// wrap breaks s at blanks into lines of at most n columns. A word that is
// longer than a line is cut.
func wrap(s string, n int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(s) {
		word = fit(word, n)
		switch {
		case line == "":
			line = word
		case width(line)+1+width(word) <= n:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

// clean replaces what would steer the terminal rather than be shown on it:
// names and errors may quote data that came in with a message.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', r == '\r':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}

// FormatDuration gives d three significant digits in the unit that fits it.
func FormatDuration(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= 999500*time.Microsecond:
		return digits(d.Seconds()) + " s"
	case d >= 999500*time.Nanosecond:
		return digits(float64(d)/1e6) + " ms"
	case d >= 1000*time.Nanosecond:
		return digits(float64(d)/1e3) + " µs"
	default:
		return fmt.Sprintf("%d ns", d)
	}
}

func digits(x float64) string {
	switch {
	case x >= 99.95:
		return fmt.Sprintf("%.0f", x)
	case x >= 9.995:
		return fmt.Sprintf("%.1f", x)
	default:
		return fmt.Sprintf("%.2f", x)
	}
}
