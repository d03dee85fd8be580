package main_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// trial is one cell at work.
type trial struct {
	cell
	*site
	u         *user
	processes []*process
	gate      chan struct{} // holds the provider's answers
}

// lifetime of access tokens. A renewal can be asked for after a quarter of it.
func (c cell) lifetime() time.Duration {
	if c.moment.cut {
		return 4 * time.Second
	}
	return 2 * time.Second
}

// run plays the cell and returns what became of the session.
func (c cell) run(t *testing.T) outcome {
	config := c.idp.config
	config.AccessTTL = c.lifetime()
	if c.moment.cut {
		config.Grace = min(config.Grace, 2*time.Second) // over before the access token is
	}
	x := &trial{cell: c, site: newSite(t, config)}
	if c.told {
		write(t, x.dir, "config.yaml", x.config("token_timeout: 5s", "token_timeout: 5s, refresh_reuse: "+c.idp.reuse))
	}
	x.u = x.user()
	if c.moment.cut {
		x.provider.FailNext("refresh", demo.Fault{DropAfter: true})
		x.processes = append(x.processes, x.serve())
		x.u.signIn()
		x.u.renewUntil(func() bool { return len(x.refreshes()) > 0 })
	} else {
		x.kills()
		x.processes = append(x.processes, x.serve())
	}
	first := x.provider.Calls("code")[0].ReplacedBy
	survives := x.settle()
	x.judge(survives)
	got := outcome{uses: tokenUses(x.refreshes())[first]}
	if c.idp.config.Refresh == demo.RefreshStatic {
		got.uses = always
	}
	if !survives {
		got.class = x.class()
	}
	return got
}

func (x *trial) refreshes() []demo.Call { return x.provider.Calls("refresh") }

// kills runs one process after the other, each until its fault kills it.
func (x *trial) kills() {
	for i, fault := range x.moment.faults {
		var p *process
		if fault == outside {
			x.gate = make(chan struct{})
			x.provider.FailNext("refresh", demo.Fault{GateAfter: x.gate})
			p = x.serve()
		} else {
			p = x.serveToDie(fault)
		}
		x.processes = append(x.processes, p)
		if i == 0 {
			x.u.signIn()
		}
		x.u.hc.Timeout = 200 * time.Millisecond
		x.u.renewUntil(func() bool {
			if fault == outside && x.provider.WaitDone("refresh", i+1, time.Millisecond) == nil {
				p.kill()
			}
			return p.hasEnded()
		})
		x.u.hc.Timeout = 30 * time.Second
		if fault == outside {
			close(x.gate)
		}
	}
}

// settle calls until the session has ended or has been renewed, and renewed once
// more, since the fault. Every answer must be the one or the other: 200, or a
// problem that asks for a sign-in.
func (x *trial) settle() (survives bool) {
	x.Helper()
	before := x.good()
	if !every(20*time.Millisecond, func() bool {
		status, body := x.u.send("GET", anyCall)
		switch {
		case status == http.StatusOK:
			survives = x.good() >= before+2
			return survives
		case status == http.StatusUnauthorized && isProblem(body, "signed_out"):
			return true
		}
		x.Errorf("a call = %d %s, want 200 or signed_out", status, body)
		return true
	}) {
		x.Error("the session is neither renewed nor over")
	}
	if !survives {
		sent := len(x.refreshes())
		if status, body := x.u.send("GET", anyCall); status != http.StatusUnauthorized || !isProblem(body, "signed_out") {
			x.Errorf("after the end a call = %d %s, want signed_out", status, body)
		}
		if n := len(x.refreshes()); n != sent {
			x.Errorf("%d token calls after the end", n-sent)
		}
	}
	return survives
}

// good counts the renewals that worked.
func (x *trial) good() (n int) {
	for _, c := range x.refreshes() {
		if c.Status == http.StatusOK {
			n++
		}
	}
	return n
}

// ends returns the audit events of sessions that ended, of all processes.
func (x *trial) ends() (out []auditEvent) {
	for _, p := range x.processes {
		out = append(out, p.events("session_ended")...)
	}
	return out
}

// class is the class of the end: a reason of its own, or that of a refusal.
func (x *trial) class() string {
	x.Helper()
	ends := x.ends()
	if len(ends) == 0 {
		return "no audit event"
	}
	if ends[0].Reason == "own_crash" {
		return "own_crash"
	}
	return ends[0].Class
}

// judge holds the journal and the log against the rules that no cell may break.
func (x *trial) judge(survives bool) {
	x.Helper()
	if n := len(x.ends()); survives && n != 0 || !survives && n != 1 {
		x.Errorf("survives: %v, and %d audit events say that it ended: %+v", survives, n, x.ends())
	}
	if x.idp.config.Refresh == demo.RefreshStatic {
		return
	}
	calls := x.refreshes()
	for token, n := range tokenUses(calls) {
		if n > 2 {
			x.Errorf("refresh token %.6s was used %d times", token, n)
		}
	}
	durable := map[string]bool{} // tokens whose successor was durable
	for i, c := range calls {
		if durable[c.TokenHash] {
			x.Errorf("call %d used a refresh token whose successor was durable", i)
		}
		// Whoever presents a token has it from the file: those before it are done.
		for _, earlier := range calls[:i] {
			if earlier.ReplacedBy == c.TokenHash && earlier.TokenHash != c.TokenHash {
				durable[earlier.TokenHash] = true
			}
		}
	}
	if slices.Equal(x.moment.faults, []string{"after-commit:1"}) && tokenUses(calls)[calls[0].TokenHash] > 1 {
		x.Error("after the commit the old refresh token was used")
	}
}

// want compares the outcome with what the matrix says.
func (c cell) want(t *testing.T, got outcome) {
	t.Helper()
	if got != c.outcome {
		t.Errorf("the session %v, want: %v", got, c.outcome)
	}
}

func (c cell) name() string {
	return fmt.Sprintf("%s/%s/told=%v", c.idp.name, c.moment.name, c.told)
}
