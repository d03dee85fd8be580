package main

import (
	"cmp"
	"fmt"
	"os/exec"
	"strings"

	"github.com/cloakroom/cloakroom/bench/stand"
)

// table shows one scenario: medians, and in brackets the lowest and the highest.
// The ratio is to the bare proxy of the same round.
func (r results) table(all []*contender, s scenario) string {
	unit := cmp.Or(s.unit, "request")
	rows := [][]string{{"", unit + "s/s", "p50 ms", "p99 ms", "CPU µs/" + unit, "user", "system", "RSS MiB", "× bare Go"}}
	for _, c := range all {
		rounds := r[c.key]
		if len(rounds) == 0 {
			continue
		}
		row := []string{c.name}
		for _, of := range []func(round) float64{
			func(o round) float64 { return o.rate }, func(o round) float64 { return o.p50 }, func(o round) float64 { return o.p99 },
			round.cpu, func(o round) float64 { return o.user }, func(o round) float64 { return o.system }, func(o round) float64 { return o.rss },
		} {
			row = append(row, pick(rounds, of).String())
		}
		rows = append(rows, append(row, r.ratio(c.key).String()))
	}
	return stand.Table(rows)
}

func pick(rounds []round, of func(round) float64) (s stand.Samples) {
	for _, o := range rounds {
		s = append(s, of(o))
	}
	return s
}

// ratio compares round by round, so that what disturbed both falls out.
func (r results) ratio(key string) (s stand.Samples) {
	for i, o := range r[key] {
		if i < len(r["bare"]) {
			s = append(s, o.cpu()/r["bare"][i].cpu())
		}
	}
	return s
}

// run is what a report is about.
type run struct {
	date, command string
	rounds        int
	seconds       float64
	notes         []string
	scenarios     []scenario
	found         map[string]results // by scenario
}

// markdown returns the whole report.
func (r run) markdown(all []*contender) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Comparison\n\nWhat `%s` found on %s: %s", r.command, r.date, stand.Machine())
	for _, v := range versions() {
		fmt.Fprintf(&b, ", %s", v)
	}
	fmt.Fprintf(&b, `.

Medians of %d rounds of %g s each, one contender after the other, with the lowest and the highest in brackets. CPU time is the
proxy's own, of all its processes, user and system; the ratio is to the bare proxy in the same round. Proxies have the first core,
load and upstream the second. How it is measured, and what each contender is: [docs/speed.md](../../docs/speed.md).
`, r.rounds, r.seconds)
	for _, note := range r.notes {
		fmt.Fprintf(&b, "\n**%s**\n", note)
	}
	b.WriteString("\n![CPU per request](compare.svg)\n")
	for _, s := range r.scenarios {
		fmt.Fprintf(&b, "\n## %s\n\n%s", strings.ToUpper(s.title[:1])+s.title[1:], r.found[s.key].table(all, s))
	}
	return b.String()
}

// plot shows the CPU time of the main scenario.
func (r run) plot(all []*contender) string {
	p := stand.Plot{Title: "CPU per request, 1 KiB of JSON, 64 connections, one core", Y: "µs, median", Series: []stand.Series{{Name: "CPU"}}}
	for _, c := range all {
		if rounds := r.found[mainScenario][c.key]; len(rounds) > 0 {
			p.Labels = append(p.Labels, c.name)
			p.Series[0].Values = append(p.Series[0].Values, pick(rounds, round.cpu).Median())
		}
	}
	return p.SVG()
}

// versions names what Debian brings, as far as it is there.
func versions() (v []string) {
	for _, pkg := range []string{"nginx", "apache2", "libapache2-mod-auth-openidc", "wrk", "nghttp2-client"} {
		out, err := exec.Command("dpkg-query", "-W", "-f", "${Package} ${Version}", pkg).Output()
		if err == nil && len(out) > len(pkg)+1 {
			v = append(v, string(out))
		}
	}
	return v
}
