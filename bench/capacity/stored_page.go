package main

import (
	"fmt"
	"time"

	"github.com/cloakroom/cloakroom/bench/stand"
)

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// storedPage writes the tables and the curves of the section.
func (b *bench) storedPage(results []stored) (string, error) {
	header := []string{"sessions in the store"}
	for _, r := range results {
		header = append(header, count(r.n))
	}
	table := func(lines ...line) string {
		rows := [][]string{header}
		for _, l := range lines {
			row := []string{l.name}
			for _, r := range results {
				row = append(row, l.value(r))
			}
			rows = append(rows, row)
		}
		return stand.Table(rows) + "\n"
	}
	text := "The price of a session that is not in memory, beside one that is (pages of the file in the machine's cache):\n\n" + table(
		line{"cold resume, median µs", func(r stored) string { return µs(r.cold.took.at(0.5)) }},
		line{"– p99 µs", func(r stored) string { return µs(r.cold.took.at(0.99)) }},
		line{"– CPU µs", func(r stored) string { return µs(r.cold.cpu) }},
		line{"– allocations (bytes)", func(r stored) string { return fmt.Sprintf("%.0f (%.0f)", r.cold.allocs, r.cold.bytes) }},
		line{"warm resume, median µs", func(r stored) string { return µs(r.warm.took.at(0.5)) }},
		line{"– allocations (bytes)", func(r stored) string { return fmt.Sprintf("%.0f (%.0f)", r.warm.allocs, r.warm.bytes) }},
	) + "What is written, one commit each:\n\n" + table(
		line{"sign-in, median ms", func(r stored) string { return ms(r.signIn.took.at(0.5)) }},
		line{"– p99 ms", func(r stored) string { return ms(r.signIn.took.at(0.99)) }},
		line{"500 heads, median ms", func(r stored) string { return ms(r.heads.at(0.5)) }},
		line{"sweep of nothing, median µs", func(r stored) string { return µs(r.nothing.at(0.5)) }},
		line{"filled at, sign-ins/s of 512 callers", func(r stored) string { return stand.Number(float64(r.filled) / r.fill.Seconds()) }},
	) + "The file, and its sweep when all have expired, first by idling out and then by their absolute end:\n\n" + table(
		line{"file, MiB", func(r stored) string { return stand.Number(float64(r.size) / (1 << 20)) }},
		line{"– bytes each", func(r stored) string { return stand.Number(float64(r.size) / float64(r.n)) }},
		line{"sweep, s, idle and absolute", func(r stored) string {
			return stand.Number(r.sweep.heads.total.Seconds()) + " + " + stand.Number(r.sweep.rest.total.Seconds())
		}},
		line{"– entries of it", func(r stored) string { return fmt.Sprintf("%d + %d", r.sweep.heads.handled, r.sweep.rest.handled) }},
		line{"– µs each, idle and absolute", func(r stored) string { return each(r.sweep.heads) + " + " + each(r.sweep.rest) }},
		line{"– one commit, median ms", func(r stored) string {
			return ms(r.sweep.heads.commits.at(0.5)) + " and " + ms(r.sweep.rest.commits.at(0.5))
		}},
		line{"– longest commit, ms", func(r stored) string { return ms(max(r.sweep.heads.commits.at(1), r.sweep.rest.commits.at(1))) }},
		line{"sign-in after that, median ms", func(r stored) string { return ms(r.sweep.after.took.at(0.5)) }},
	) + "The start of the real binary on that file, to 200 of /readyz:\n\n" + table(
		line{"stopped before, ms", func(r stored) string { return r.starts.stopped.String() }},
		line{"killed before, ms", func(r stored) string { return r.starts.killed.String() }},
		line{"– CPU of the start, ms", func(r stored) string { return r.starts.cpu.String() }},
		line{"RSS then, MiB", func(r stored) string { return r.starts.rss.String() }},
	)
	curve, err := b.plot("growth", stand.Plot{
		Title: "Costs by what is stored", X: "sessions in the store", Y: "µs", Lines: true, LogX: true,
		Series: []stand.Series{
			series(results, "cold resume", func(r stored) float64 { return micros(r.cold.took.at(0.5)) }),
			series(results, "sign-in", func(r stored) float64 { return micros(r.signIn.took.at(0.5)) }),
			series(results, "head of a batch of 500", func(r stored) float64 { return micros(r.heads.at(0.5)) / headBatch }),
			series(results, "sweep of nothing", func(r stored) float64 { return micros(r.nothing.at(0.5)) }),
		},
	})
	if err != nil {
		return "", err
	}
	start, err := b.plot("start", stand.Plot{
		Title: "Start by what is stored", X: "sessions in the store", Y: "ms, MiB", Lines: true, LogX: true,
		Series: []stand.Series{
			series(results, "start to ready, ms", func(r stored) float64 { return r.starts.stopped.Median() }),
			series(results, "RSS then, MiB", func(r stored) float64 { return r.starts.rss.Median() }),
		},
	})
	return text + curve + start, err
}

type line struct {
	name  string
	value func(stored) string
}

func each(p phase) string { return stand.Number(micros(p.total) / float64(max(1, p.handled))) }

func series(results []stored, name string, value func(stored) float64) stand.Series {
	s := stand.Series{Name: name}
	for _, r := range results {
		s.At = append(s.At, float64(r.n))
		s.Values = append(s.Values, value(r))
	}
	return s
}
