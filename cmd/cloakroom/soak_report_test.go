package main_test

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report fails the test for everything that must not happen, and writes down
// the figures.
func (x *soak) report() {
	t := x.t
	t.Helper()
	causes := x.causes()
	x.rules()
	if n := x.renewed(); n < 10 || len(x.kills) == 0 {
		t.Errorf("%d renewals and %d kills: this proves nothing", n, len(x.kills))
	}
	x.leaks()
	table := x.table(causes)
	t.Logf("\n%s", table)
	if *soakOut != "" {
		if err := os.WriteFile(*soakOut, []byte(x.preface()+table), 0o644); err != nil {
			t.Error(err)
		}
	}
	if t.Failed() {
		t.Logf("the processes' log ends with:\n%s", x.tail())
	}
}

// causes counts the lost sessions by their cause, and fails the test for those
// that have none.
func (x *soak) causes() map[string]int {
	x.t.Helper()
	causes := map[string]int{byFault: 0, byKill: 0, twice: 0, avoided: 0}
	for _, l := range x.losses {
		c := x.cause(l)
		if causes[c]++; c == avoided && causes[c] <= 10 {
			x.t.Errorf("a session was lost though nothing forced it: %s", x.explain(l))
		}
	}
	for k, n := range x.perKill {
		if n > callsAtOnce {
			x.t.Errorf("the kill at %v cost %d sessions, want at most the %d renewals that can be under way", k.from, n, callsAtOnce)
		}
	}
	return causes
}

// rules fails the test for everything that provider, API and users saw and must
// never see.
func (x *soak) rules() {
	x.t.Helper()
	for i, what := range x.unexplained() {
		if x.wrong(what + ", though a process was there"); i > 10 {
			break
		}
	}
	x.provider.ledgerMu.Lock()
	defer x.provider.ledgerMu.Unlock()
	for _, v := range x.provider.violations {
		x.t.Error(v)
	}
	if n := x.ends[endCrashed]; n > 0 {
		x.t.Errorf("%d processes ended for no reason", n)
	}
}

func (x *soak) preface() string {
	return fmt.Sprintf(`# Soak

What `+"`make soak`"+` found on %d processors with %s (%s/%s), seed %d. The real binary with fault points, a provider with
one-time refresh tokens that ends the grant when one comes again, access tokens that live %v. Every figure is of the
provider, the API or the users; none is the program's own.

`, runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH, x.seed, soakTokenTTL)
}

func (x *soak) table(causes map[string]int) string {
	// Renewals in the background may still arrive.
	p := x.provider
	p.ledgerMu.Lock()
	defer p.ledgerMu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	row := func(what string, figure any) { fmt.Fprintf(&b, "| %s | %v |\n", what, figure) }
	rows := func(of map[string]int) {
		for _, k := range slices.Sorted(maps.Keys(of)) {
			row("– "+k, of[k])
		}
	}
	b.WriteString("| | |\n|---|---:|\n")
	row("duration", x.took.Round(time.Second))
	row("sessions at a time", len(x.users))
	row("calls", x.count.calls.Load())
	row("– right", x.count.right.Load())
	rows(x.problems)
	row("– no answer: no process there", x.count.unanswered.Load())
	row("– **neither right nor a clean problem**", fmt.Sprintf("**%d**", len(x.wrongs)))
	row("sign-ins", x.count.signIns.Load())
	row("sign-outs", x.count.signOuts.Load())
	row("renewals", p.renewals)
	row("ends of the process", len(x.downs))
	rows(x.ends)
	row("slowest start until it serves", x.slowestStart.Round(time.Millisecond))
	row("faults of the provider", sum(p.injected))
	rows(p.injected)
	row("sessions lost where it can't be avoided", causes[byFault]+causes[byKill]+causes[twice])
	for _, c := range []string{byFault, byKill, twice} {
		row("– "+c, causes[c])
	}
	if len(x.perKill) > 0 {
		row("most that one kill cost", slices.Max(slices.Collect(maps.Values(x.perKill))))
		row("longest time from such an answer to the kill", x.longestGap.Round(time.Millisecond))
	}
	row("longest that this machine made a write wait", x.lags.worst(span{to: time.Now()}).Round(time.Millisecond))
	row("**sessions lost outside of that**", fmt.Sprintf("**%d**", causes[avoided]))
	row("calls so slow that their token expired on the way", p.stale)
	for _, kind := range []string{replayed, thirdUse, strayToken, wrongUser, expiredToken, unknownToken} {
		row("**"+kind+"**", fmt.Sprintf("**%d**", p.tally[kind]))
	}
	return b.String()
}

func sum(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

// leaks fails the test if a secret is in the log of all processes (N1).
func (x *soak) leaks() {
	text, err := os.ReadFile(x.log.Name())
	if err != nil {
		x.t.Error(err)
	}
	if found := secretInLog.Find(text); found != nil {
		x.t.Errorf("the log holds a secret that begins with %.6s", found)
	}
}

// tail is the end of the log.
func (x *soak) tail() string {
	text, err := os.ReadFile(x.log.Name())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}
