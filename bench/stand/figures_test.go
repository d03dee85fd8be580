package stand

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestSamples(t *testing.T) {
	tests := []struct {
		in     Samples
		median float64
		text   string
	}{
		{nil, 0, "–"},
		{Samples{3}, 3, "3.00"},
		{Samples{30, 10, 20}, 20, "20.0 (10.0–30.0)"},
		{Samples{400, 100, 200, 300}, 250, "250 (100–400)"},
	}
	for _, tt := range tests {
		if got := tt.in.Median(); got != tt.median {
			t.Errorf("%v: got median %v, want %v", []float64(tt.in), got, tt.median)
		}
		if got := tt.in.String(); got != tt.text {
			t.Errorf("%v: got %q, want %q", []float64(tt.in), got, tt.text)
		}
	}
}

func TestTable(t *testing.T) {
	got := Table([][]string{{"", "a", "b"}, {"x", "1", "2"}})
	if want := "|  | a | b |\n|---|---:|---:|\n| x | 1 | 2 |\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPlot(t *testing.T) {
	plots := map[string]Plot{
		"bars":  {Title: "a < b & \"c\"", Labels: []string{"one, two", "three"}, Series: []Series{{Name: "s", Values: []float64{1, 2}}, {Name: "t", Values: []float64{3}}}},
		"lines": {Title: "l", Lines: true, LogX: true, Series: []Series{{Name: "s", At: []float64{10, 100, 1e6}, Values: []float64{1, 2, 3}}}},
		"zero":  {Title: "0", Labels: []string{"x"}, Series: []Series{{Values: []float64{0}}}},
		"empty": {Title: "nothing"},
	}
	for name, p := range plots {
		t.Run(name, func(t *testing.T) {
			svg := p.SVG()
			for d := xml.NewDecoder(strings.NewReader(svg)); ; {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("no XML: %v\n%s", err, svg)
				}
			}
			if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") || strings.Contains(svg, "%!") {
				t.Errorf("has what is no number:\n%s", svg)
			}
		})
	}
}

func TestRound(t *testing.T) {
	for in, want := range map[float64]float64{0: 1, 0.7: 1, 1: 1, 3: 5, 12: 20, 51: 100} {
		if got := round(in); got != want {
			t.Errorf("%v: got %v, want %v", in, got, want)
		}
	}
}
