package tracetree

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
)

// RenderStats prints a table with a line per service and span name.
func RenderStats(w io.Writer, stats []Stat, opts Options) error {
	r := renderer{Options: opts, out: bufio.NewWriter(w)}
	service, name := len("service"), len("span")
	for _, s := range stats {
		service = max(service, width(s.Service))
		name = max(name, width(s.Name))
	}
	line := func(a, b, count, failed, median, longest string) {
		fmt.Fprintf(r.out, "%s  %s  %7s  %s  %8s  %8s\n", pad(a, service), pad(b, name),
			count, failed, median, longest)
	}
	line("service", "span", "count", " failed", "median", "max")
	for _, s := range stats {
		failed := fmt.Sprintf("%7d", s.Failed)
		if s.Failed > 0 {
			failed = r.paint(red, failed)
		}
		line(s.Service, s.Name, strconv.Itoa(s.Count), failed, FormatDuration(s.Median), FormatDuration(s.Max))
	}
	return r.out.Flush()
}
