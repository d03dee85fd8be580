package main

import (
	"fmt"
	"time"

	"github.com/cloakroom/cloakroom/bench/stand"
	"github.com/cloakroom/cloakroom/internal/demo"
)

// round is one moment of expiry, from the middle of the peace before to the
// middle of that after.
type round struct {
	from, to time.Time
	renewals []demo.Call // in the order of arrival
	cpu      stand.CPU   // of the binary
}

// spell is the calls of some time.
type spell struct{ took, late latencies }

// figures are one row: a sample for each round.
type figures struct {
	calls, p50, p99, p999, longest, late stand.Samples
}

func (f *figures) add(s spell) {
	for _, v := range []struct {
		into  *stand.Samples
		value time.Duration
	}{
		{&f.p50, s.took.at(0.5)}, {&f.p99, s.took.at(0.99)}, {&f.p999, s.took.at(0.999)}, {&f.longest, s.took.at(1)}, {&f.late, s.late.at(0.99)},
	} {
		*v.into = append(*v.into, float64(v.value)/float64(time.Millisecond))
	}
	f.calls = append(f.calls, float64(len(s.took)))
}

func (f figures) row(name string) []string {
	return []string{name, stand.Number(f.calls.Median()), f.p50.String(), f.p99.String(), f.p999.String(), f.longest.String(), f.late.String()}
}

// expiryPage compares the calls in peace with those while tokens were renewed.
func (b *bench) expiryPage(x crowd, rounds []round, results []result, signedIn time.Duration) (string, error) {
	var peace, renewing, busiest figures
	var ratios, lasted, cpu stand.Samples
	once, more := 0, 0
	for _, r := range rounds {
		if len(r.renewals) == 0 {
			return "", fmt.Errorf("nothing was renewed between %v and %v", r.from, r.to)
		}
		first, last := r.renewals[0].Time, r.renewals[len(r.renewals)-1].Time
		quiet, busy, worst := judge(results, r.from, first, last)
		peace.add(quiet)
		renewing.add(busy)
		busiest.add(worst)
		ratios = append(ratios, float64(busy.took.at(0.99))/float64(quiet.took.at(0.99)))
		lasted = append(lasted, last.Sub(first).Seconds())
		cpu = append(cpu, r.cpu.Total().Seconds())
		one, several := onceEach(r.renewals)
		once, more = once+one, more+several
	}
	table := stand.Table([][]string{
		{"", "calls", "p50 ms", "p99 ms", "p99.9 ms", "longest ms", "p99 of the load's own delay, ms"},
		peace.row("in peace, before"), renewing.row("while tokens are renewed"), busiest.row("the worst second of it"),
	})
	refused := 0
	for _, r := range results {
		if !r.ok {
			refused++
		}
	}
	seconds, at := perSecond(results)
	picture, err := b.plot("expiry", stand.Plot{
		Title: "p99 of users' calls, with all tokens expiring again and again", X: "seconds", Y: "ms", Lines: true,
		Series: []stand.Series{{Name: "p99", At: at, Values: seconds}},
	})
	return table + fmt.Sprintf(`
%d sessions signed in within %s s; their tokens expire within one second, and so do those of each renewal: %d rounds. %d calls a second over
%d connections, one session after the other; counted from when a call was due, so the load's own delay is in them; %d were not answered 200. From the first renewal to the last
it took %s s; CPU of the binary in a round of %v: %s s. **p99 while they ran is %s × that of the peace before.** At the provider, of %d renewals that were due
%d came exactly once, %d more often, %d not at all.

`, x.sessions, stand.Number(signedIn.Seconds()), x.rounds, x.rate, x.connections, refused, lasted, x.every, cpu, ratios,
		x.sessions*x.rounds, once, more, x.sessions*x.rounds-once-more) + picture, err
}

// judge sorts the calls since from by whether renewals went on, between first and
// last, and picks the second with the worst p99 of those.
func judge(results []result, from, first, last time.Time) (peace, renewing, worst spell) {
	seconds := map[int]*spell{}
	add := func(s *spell, r result) { s.took, s.late = append(s.took, r.took), append(s.late, r.late) }
	for _, r := range results {
		switch {
		case r.due.Before(from) || r.due.After(last):
		case r.due.Before(first):
			add(&peace, r)
		default:
			add(&renewing, r)
			n := int(r.due.Sub(first) / time.Second)
			if seconds[n] == nil {
				seconds[n] = &spell{}
			}
			add(seconds[n], r)
		}
	}
	for _, s := range seconds {
		if s.took.at(0.99) > worst.took.at(0.99) {
			worst = *s
		}
	}
	return peace, renewing, worst
}

// perSecond returns the p99 of each second in ms, and when that was.
func perSecond(results []result) (p99s, at []float64) {
	seconds := map[int]latencies{}
	for _, r := range results {
		n := int(r.due.Sub(results[0].due) / time.Second)
		seconds[n] = append(seconds[n], r.took)
	}
	for n := range len(seconds) {
		p99s = append(p99s, micros(seconds[n].at(0.99))/1000)
		at = append(at, float64(n))
	}
	return p99s, at
}

// onceEach counts the sessions whose refresh tokens were used exactly once, and
// those that had a second renewal: with the same token or with its successor.
func onceEach(calls []demo.Call) (once, more int) {
	began := map[string]string{} // a token that came by a renewal → the one that its session had first
	uses := map[string]int{}
	for _, c := range calls {
		first, ok := began[c.TokenHash]
		if !ok {
			first = c.TokenHash
		}
		uses[first]++
		began[c.ReplacedBy] = first
	}
	for _, n := range uses {
		if n == 1 {
			once++
		} else {
			more++
		}
	}
	return once, more
}
