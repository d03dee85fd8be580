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

	peace, renewing time.Duration // CPU time of the binary in the first half, and in the second
}

// perRenewal is the CPU time of the binary for one renewal: what it used more
// than in the peace before.
func (r round) perRenewal() time.Duration {
	return (r.renewing - r.peace) / time.Duration(len(r.renewals))
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

// rows are the calls of one kind.
type rows struct {
	peace, renewing, busiest figures
	ratios                   stand.Samples // of the p99
}

func (f *rows) add(results []result, from, first, last time.Time) {
	quiet, busy, worst := judge(results, from, first, last)
	f.peace.add(quiet)
	f.renewing.add(busy)
	f.busiest.add(worst)
	f.ratios = append(f.ratios, float64(busy.took.at(0.99))/float64(quiet.took.at(0.99)))
}

// expiryPage compares the calls in peace with those while tokens were renewed.
func (b *bench) expiryPage(x crowd, rounds []round, r results, signedIn time.Duration, nice int) (string, error) {
	var proxied, control rows
	var lasted, cpu stand.Samples
	once, more := 0, 0
	for _, n := range rounds {
		if len(n.renewals) == 0 {
			return "", fmt.Errorf("nothing was renewed between %v and %v", n.from, n.to)
		}
		first, last := n.renewals[0].Time, n.renewals[len(n.renewals)-1].Time
		proxied.add(r.Proxied, n.from, first, last)
		control.add(r.Control, n.from, first, last)
		lasted = append(lasted, last.Sub(first).Seconds())
		cpu = append(cpu, micros(n.perRenewal())/1000)
		one, several := onceEach(n.renewals)
		once, more = once+one, more+several
	}
	table := stand.Table([][]string{
		{"", "calls", "p50 ms", "p99 ms", "p99.9 ms", "longest ms", "p99 of the load's own delay, ms"},
		proxied.peace.row("in peace, before"), proxied.renewing.row("while tokens are renewed"), proxied.busiest.row("the worst second of it"),
		control.peace.row("past the proxy: in peace"), control.renewing.row("past the proxy: while tokens are renewed"),
	})
	refused := 0
	for _, r := range r.Proxied {
		if !r.OK {
			refused++
		}
	}
	seconds, at := perSecond(r.Proxied)
	picture, err := b.plot("expiry", stand.Plot{
		Title: "p99 of users' calls, with all tokens expiring again and again", X: "seconds", Y: "ms", Lines: true,
		Series: []stand.Series{{Name: "p99", At: at, Values: seconds}},
	})
	return table + fmt.Sprintf(`
%d sessions signed in within %s s; their tokens expire within one second, and so do those of each renewal: %d rounds. %d calls a second over
%d connections, one session after the other; counted from when a call was due, so the load's own delay is in them; %d were not answered 200.
Past the proxy, %d calls a second go to the upstream itself, from the same process: what they take longer while tokens are renewed is the machine's
doing. Load, upstream and proxy run with niceness %d, the provider with 0.

From the first renewal to the last it took %s s; each cost the binary %s ms of CPU. **p99 while they ran is %s × that of the peace before**
(past the proxy %s ×). At the provider, of %d renewals that were due %d came exactly once, %d more often, %d not at all.

`, x.sessions, stand.Number(signedIn.Seconds()), x.rounds, x.rate, x.connections, refused, x.controlRate, nice, lasted, cpu, proxied.ratios, control.ratios,
		x.sessions*x.rounds, once, more, x.sessions*x.rounds-once-more) + picture, err
}

// judge sorts the calls since from by whether renewals went on, between first and
// last, and picks the second with the worst p99 of those.
func judge(results []result, from, first, last time.Time) (peace, renewing, worst spell) {
	seconds := map[int]*spell{}
	add := func(s *spell, r result) { s.took, s.late = append(s.took, r.Took), append(s.late, r.Late) }
	for _, r := range results {
		switch {
		case r.Due.Before(from) || r.Due.After(last):
		case r.Due.Before(first):
			add(&peace, r)
		default:
			add(&renewing, r)
			n := int(r.Due.Sub(first) / time.Second)
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
		n := int(r.Due.Sub(results[0].Due) / time.Second)
		seconds[n] = append(seconds[n], r.Took)
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
