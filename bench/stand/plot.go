package stand

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"strings"
)

// Plot is a picture of figures, as SVG: one group of bars for each label, or
// with Lines one curve for each series.
type Plot struct {
	Title  string
	X, Y   string // what the axes show, with units
	Labels []string
	Series []Series

	Lines bool // curves instead of bars
	LogX  bool // with Lines: every power of ten as wide as the next
}

// Series is one colour of a plot: the value for each label, or with Lines the
// points of the curve.
type Series struct {
	Name   string
	Values []float64
	At     []float64 // with Lines: where on the X axis each value is
}

const (
	plotWidth, plotHeight = 760, 420
	left, right, top      = 70, 20, 70
	bottom                = 70
)

// SVG returns the picture. It follows the reader's light or dark scheme.
func (p Plot) SVG() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label=%q>
<style>
text { font: 12px system-ui, sans-serif; fill: #222 } .title { font-size: 15px; font-weight: 600 }
.back { fill: #fff } .grid { stroke: #ccc } .curve { fill: none; stroke-width: 2 }
.s0 { fill: #1f6feb; stroke: #1f6feb } .s1 { fill: #d9730d; stroke: #d9730d } .s2 { fill: #2da44e; stroke: #2da44e }
.s3 { fill: #8250df; stroke: #8250df } .s4 { fill: #bf3989; stroke: #bf3989 } .s5 { fill: #6e7781; stroke: #6e7781 }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .back { fill: #0d1117 } .grid { stroke: #444 } }
</style>
<rect class="back" width="%[1]d" height="%[2]d"/>
`, plotWidth, plotHeight, html.EscapeString(p.Title))
	text(&b, left, 24, "start", "title", p.Title)
	highest := p.axisY(&b)
	p.legend(&b)
	if p.Lines {
		p.curves(&b, highest)
	} else {
		p.bars(&b, highest)
	}
	text(&b, (left+plotWidth-right)/2, plotHeight-12, "middle", "", p.X)
	b.WriteString("</svg>\n")
	return b.String()
}

// axisY draws the horizontal lines and returns the value of the highest.
func (p Plot) axisY(b *strings.Builder) float64 {
	highest := 0.0
	for _, s := range p.Series {
		for _, v := range s.Values {
			highest = max(highest, v)
		}
	}
	step := round(highest / 5)
	steps := int(math.Ceil(highest/step - 1e-9))
	for i := range steps + 1 {
		y := scaleY(float64(i), float64(steps))
		fmt.Fprintf(b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%[3]f"/>`+"\n", left, plotWidth-right, y)
		text(b, left-8, y+4, "end", "", short(float64(i)*step))
	}
	text(b, left, top-10, "start", "", p.Y)
	return float64(steps) * step
}

func (p Plot) legend(b *strings.Builder) {
	if len(p.Series) < 2 {
		return
	}
	x := float64(left)
	for i, s := range p.Series {
		fmt.Fprintf(b, `<rect class="s%d" x="%.0f" y="36" width="10" height="10"/>`+"\n", i%6, x)
		text(b, x+15, 45, "start", "", s.Name)
		x += 35 + 7*float64(len([]rune(s.Name)))
	}
}

func (p Plot) bars(b *strings.Builder, highest float64) {
	group := float64(plotWidth-left-right) / float64(len(p.Labels))
	width := group * 0.7 / float64(max(1, len(p.Series)))
	for l, label := range p.Labels {
		start := left + group*(float64(l)+0.15)
		for i, s := range p.Series {
			if l >= len(s.Values) {
				continue
			}
			x, y := start+float64(i)*width, scaleY(s.Values[l], highest)
			fmt.Fprintf(b, `<rect class="s%d" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`+"\n", i%6, x, y, width*0.92, plotHeight-bottom-y)
			text(b, x+width*0.46, y-4, "middle", "", Number(s.Values[l]))
		}
		// A long label goes on two lines, apart at its comma.
		first, second, _ := strings.Cut(label, ",")
		text(b, start+group*0.35, plotHeight-bottom+16, "middle", "", first)
		text(b, start+group*0.35, plotHeight-bottom+31, "middle", "", strings.TrimSpace(second))
	}
}

func (p Plot) curves(b *strings.Builder, highest float64) {
	lowX, highX := math.Inf(1), math.Inf(-1)
	for _, s := range p.Series {
		for _, x := range s.At {
			lowX, highX = min(lowX, p.along(x)), max(highX, p.along(x))
		}
	}
	place := func(x float64) float64 {
		return left + float64(plotWidth-left-right)*(p.along(x)-lowX)/cmp.Or(highX-lowX, 1)
	}
	named := map[string]bool{}
	for i, s := range p.Series {
		var points []string
		for j, x := range s.At {
			points = append(points, fmt.Sprintf("%.1f,%.1f", place(x), scaleY(s.Values[j], highest)))
			if label := short(x); !named[label] && len(s.At) <= 12 {
				named[label] = true
				text(b, place(x), plotHeight-bottom+16, "middle", "", label)
			}
		}
		fmt.Fprintf(b, `<polyline class="curve s%d" style="fill:none" points="%s"/>`+"\n", i%6, strings.Join(points, " "))
		if len(s.At) > 12 { // then a few marks are enough
			for j := range 6 {
				x := s.At[0] + (s.At[len(s.At)-1]-s.At[0])*float64(j)/5
				if label := short(x); !named[label] {
					named[label] = true
					text(b, place(x), plotHeight-bottom+16, "middle", "", label)
				}
			}
		}
	}
}

// along returns where x is on the axis, in its own measure.
func (p Plot) along(x float64) float64 {
	if p.LogX {
		return math.Log10(max(x, 1e-9))
	}
	return x
}

func scaleY(v, highest float64) float64 {
	return plotHeight - bottom - (plotHeight-top-bottom)*v/cmp.Or(highest, 1)
}

// round returns the next step that people like to count in: 1, 2 or 5 times a
// power of ten.
func round(v float64) float64 {
	if v <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if v <= f*power {
			return f * power
		}
	}
	return 10 * power
}

// short writes 1500000 as 1.5M.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%.4gM", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.4gk", v/1e3)
	}
	return fmt.Sprintf("%.4g", v)
}

func text(b *strings.Builder, x, y float64, anchor, class, s string) {
	if s != "" {
		fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s" class="%s">%s</text>`+"\n", x, y, anchor, class, html.EscapeString(s))
	}
}
