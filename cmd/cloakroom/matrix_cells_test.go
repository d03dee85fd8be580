package main_test

import (
	"fmt"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// idp is a kind of provider: how it treats a refresh token that comes again, and
// the refresh_reuse that says so.
type idp struct {
	name   string
	config demo.ProviderConfig
	reuse  string // refresh_reuse as the provider is; "": that is the default
}

const matrixGrace = 30 * time.Second

var idps = []idp{
	{"family-kill", demo.ProviderConfig{Refresh: demo.RefreshRotate}, ""},
	{"grace, new token", demo.ProviderConfig{Refresh: demo.RefreshGrace, Grace: matrixGrace}, "{mode: grace, window: 30s}"},
	{"grace, same token", demo.ProviderConfig{Refresh: demo.RefreshSame, Grace: matrixGrace}, "{mode: same, window: 30s}"},
	{"count-based", demo.ProviderConfig{Refresh: demo.RefreshCount, Reuses: 1}, "{mode: count}"},
	{"static", demo.ProviderConfig{Refresh: demo.RefreshStatic}, "{mode: unlimited}"},
}

// moment is what goes wrong, and when.
type moment struct {
	name  string
	about string

	// faults are the fault points at which one process after the other kills
	// itself; "outside" stands for a kill from outside while the provider holds
	// back its answer.
	faults []string

	// cut means that no process dies, but that the provider's answer is lost on
	// its way.
	cut bool
}

const outside = "outside"

var moments = []moment{
	{name: "before the intent", about: "nothing is written yet", faults: []string{"before-intent:1"}},
	{name: "before send", about: "the intent is durable", faults: []string{"after-intent:1"}},
	{name: "after send", about: "the provider has exchanged the token and holds its answer back", faults: []string{outside}},
	{name: "after response", about: "the new tokens are in memory", faults: []string{"after-response:1"}},
	{name: "before commit", about: "the write has not begun", faults: []string{"before-commit:1"}},
	{name: "after commit", about: "the new tokens are durable, nobody has been told", faults: []string{"after-commit:1"}},
	{name: "twice before send", about: "two kills, nothing was ever sent", faults: []string{"after-intent:1", "after-intent:1"}},
	{name: "twice after response", about: "two kills, both answers are lost", faults: []string{"after-response:1", outside}},
	{name: "answer lost", about: "no kill: the connection breaks after the exchange", cut: true},
}

// cell is one square of the matrix.
type cell struct {
	idp     idp
	moment  moment
	told    bool // refresh_reuse says what the provider does
	outcome outcome
}

// outcome is what becomes of a session.
type outcome struct {
	class string // of the audit event if it ends; "": it survives
	uses  int    // how often the refresh token of before the fault is sent
}

// always is the uses of a refresh token that is never replaced.
const always = -1

func (o outcome) String() string {
	text := "survives"
	if o.class != "" {
		text = "**ends** (`" + o.class + "`)"
	}
	if o.uses != always {
		text += fmt.Sprintf(", %d×", o.uses)
	}
	return text
}

// expected is the whole truth about renewals that go wrong: a session ends only
// where the provider took the token and does not take it again, or after two uses
// without an end, unless the provider is known to take it always.
func expected(p idp, m moment, told bool) outcome {
	if p.config.Refresh == demo.RefreshStatic {
		o := outcome{uses: always}
		if !told && len(m.faults) > 1 {
			o.class = "own_crash"
		}
		return o
	}
	strict := p.config.Refresh == demo.RefreshRotate
	switch {
	case m.cut && p.config.Grace > 0 && told:
		return outcome{uses: 2}
	case m.cut && (strict || p.config.Grace > 0):
		// The second use waits until the access token has expired: by then the
		// grace of this row is over.
		return outcome{class: "own_crash", uses: 2}
	case m.cut:
		return outcome{uses: 2}
	}
	switch m.name {
	case "before the intent", "before send", "after commit":
		return outcome{uses: 1}
	case "twice before send":
		return outcome{class: "own_crash", uses: 0}
	case "twice after response":
		return outcome{class: "own_crash", uses: 2}
	}
	if strict {
		return outcome{class: "own_crash", uses: 2}
	}
	return outcome{uses: 2}
}

// cells returns the whole matrix, or in short the two providers that matter most.
func cells(short bool) (out []cell) {
	for _, p := range idps {
		if short && p.config.Refresh != demo.RefreshRotate && p.config.Refresh != demo.RefreshGrace {
			continue
		}
		for _, m := range moments {
			for _, told := range []bool{false, true} {
				if told && p.reuse == "" {
					continue
				}
				out = append(out, cell{p, m, told, expected(p, m, told)})
			}
		}
	}
	return out
}

// row names the cell's row in the tables.
func (c cell) row() string {
	if c.told {
		return "`refresh_reuse: " + c.idp.reuse + "`"
	}
	return "default"
}
