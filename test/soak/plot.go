package soak

import (
	"bytes"
	"fmt"
	"math"

	"github.com/kafkatrace/tracing/test/reliability"
)

// The plot's measures, in pixels: of a panel, and of the margins around its axes.
const (
	panelWidth  = 760
	panelHeight = 230
	left        = 52
	right       = 78
	top         = 30
	bottom      = 40
	plotWidth   = panelWidth - left - right
	plotHeight  = panelHeight - top - bottom
)

// Dark colours on light pages and the other way round.
const plotStyle = `<style>
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.quarter { fill: #818b98; fill-opacity: .12 }
.line { fill: none; stroke-width: 1.5; stroke-linejoin: round }
.rss { stroke: #0969da } .heap { stroke: #bc4c00 }
text.rss { fill: #0969da; stroke: none } text.heap { fill: #bc4c00; stroke: none }
@media (prefers-color-scheme: dark) {
	text { fill: #f0f6fc } .grid { stroke: #3d444d }
	.rss { stroke: #4493f8 } .heap { stroke: #f0883e }
	text.rss { fill: #4493f8 } text.heap { fill: #f0883e }
}
</style>
`

// Plot draws the memory of runs over their messages as an SVG, a panel for each.
func Plot(reports ...*Report) []byte {
	var b bytes.Buffer
	height := panelHeight * len(reports)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n",
		panelWidth, height, panelWidth, height)
	b.WriteString("<title>Memory of the process over the messages of the soak runs</title>\n" + plotStyle)
	for i, r := range reports {
		fmt.Fprintf(&b, "<g transform=\"translate(0,%d)\">\n", i*panelHeight)
		r.plot(&b)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (r *Report) plot(b *bytes.Buffer) {
	text := func(x, y float64, anchor, class, s string) {
		fmt.Fprintf(b, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">%s</text>\n", x, y, anchor, class, s)
	}
	var most int64
	for _, s := range r.Samples {
		most = max(most, s.RSS, s.Heap)
	}
	step := tick(float64(most)/(1<<20), 4)
	highest := step * math.Ceil(float64(most)/(1<<20)/step)
	x := func(messages float64) float64 { return left + plotWidth*messages/float64(r.Config.Messages) }
	y := func(mib float64) float64 { return top + plotHeight*(1-mib/highest) }

	text(left, 18, "start", "title", r.Result().Case)
	for _, quarter := range []float64{1, 3} {
		fmt.Fprintf(b, "<rect class=\"quarter\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>\n",
			left+plotWidth*quarter/4, top, plotWidth/4.0, plotHeight)
	}
	for mib := 0.0; mib <= highest; mib += step {
		fmt.Fprintf(b, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>\n", left, left+plotWidth, y(mib), y(mib))
		text(left-8, y(mib)+4, "end", "", fmt.Sprint(mib))
	}
	text(left-8, 18, "end", "", "MiB")
	for n, step := 0.0, tick(float64(r.Config.Messages), 5); n <= float64(r.Config.Messages); n += step {
		text(x(n), top+plotHeight+16, "middle", "", reliability.Thousands(int64(n)))
	}
	text(left+plotWidth/2, top+plotHeight+32, "middle", "", "messages (shaded: the quarters compared)")
	for _, line := range []struct {
		class, name string
		of          func(Sample) int64
	}{{"rss", "RSS", rssOf}, {"heap", "Go heap", heapOf}} {
		fmt.Fprintf(b, "<polyline class=\"line %s\" points=\"", line.class)
		for _, s := range r.Samples {
			fmt.Fprintf(b, "%.1f,%.1f ", x(float64(s.Consumed)), y(float64(line.of(s))/(1<<20)))
		}
		b.WriteString("\"/>\n")
		text(left+plotWidth+6, y(float64(median(r.quarter(4), line.of))/(1<<20))+4, "start", line.class, line.name)
	}
}

// tick returns the round distance, 1, 2 or 5 times a power of ten, that divides a range into about n parts.
func tick(size float64, n int) float64 {
	least := size / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, factor := range []float64{1, 2, 5} {
		if factor*power >= least {
			return factor * power
		}
	}
	return 10 * power
}
