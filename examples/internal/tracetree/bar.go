package tracetree

import (
	"strings"
	"time"
)

// bar draws when a span ran within its trace, in eighths of a cell where the
// block characters have them: all at a bar's end, only a half at its start.
func bar(start, length, total time.Duration, cells int) string {
	if total <= 0 {
		start, length, total = 0, 0, 1
	}
	scale := func(d time.Duration) int {
		return int(float64(d)/float64(total)*float64(cells*8) + 0.5)
	}
	from := min(scale(start), cells*8-1)
	to := min(scale(start+length), cells*8)
	first := from / 8
	if to-from < 2 {
		return pad(strings.Repeat(" ", first)+"▎", cells)
	}

	var b strings.Builder
	b.WriteString(strings.Repeat(" ", first))
	switch {
	case from%8 >= 4:
		b.WriteRune('▐')
	case to/8 > first:
		b.WriteRune('█')
	default:
		b.WriteRune(eighths[to-from])
	}
	if last := to / 8; last > first {
		b.WriteString(strings.Repeat("█", last-first-1))
		if to%8 > 0 {
			b.WriteRune(eighths[to%8])
		}
	}
	return pad(b.String(), cells)
}

var eighths = []rune(" ▏▎▍▌▋▊▉")
