package stand

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Samples are the values of one figure, one for each round.
type Samples []float64

// Median returns the middle value, or the mean of the two in the middle; of
// none it is 0.
func (s Samples) Median() float64 {
	if len(s) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(s))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// String gives the median and, behind it in brackets, the lowest and the highest
// value: "12.1 (11.8–12.6)".
func (s Samples) String() string {
	switch len(s) {
	case 0:
		return "–"
	case 1:
		return Number(s[0])
	}
	return fmt.Sprintf("%s (%s–%s)", Number(s.Median()), Number(slices.Min(s)), Number(slices.Max(s)))
}

// Number writes three significant digits, and never fewer than stand before the
// point.
func Number(v float64) string {
	switch a := max(v, -v); {
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// Table returns a markdown table: the first row is the heading, the first column
// text, the others figures.
func Table(rows [][]string) string {
	var b strings.Builder
	for i, row := range rows {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			b.WriteString("|---" + strings.Repeat("|---:", len(row)-1) + "|\n")
		}
	}
	return b.String()
}

// Machine describes in one line what the figures were measured on.
func Machine() string {
	model, cores := "unknown processor", 0 // taskset hides cores from the runtime
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer func() { _ = f.Close() }()
		for s := bufio.NewScanner(f); s.Scan(); {
			name, value, _ := strings.Cut(s.Text(), ":")
			switch strings.TrimSpace(name) {
			case "model name":
				model = cmp.Or(strings.TrimSpace(value), model)
			case "processor":
				cores++
			}
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%d cores, %s, Linux %s, %s (%s/%s)", max(cores, runtime.NumCPU()), model,
		strings.TrimSpace(string(kernel)), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
