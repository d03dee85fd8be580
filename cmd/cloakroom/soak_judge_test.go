package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// answered is one call's end.
type answered struct {
	reply
	span
	err error
}

// judgeAnswer counts an answer and reports whether it says that the session is
// over.
func (x *soak) judgeAnswer(u *soakUser, what string, a answered) (over bool) {
	if x.ending.Load() {
		return false // cut off by the end of the run
	}
	x.count.calls.Add(1)
	switch {
	case a.err != nil:
		x.mu.Lock()
		x.silences = append(x.silences, a.span)
		x.silenceOf[a.span] = fmt.Sprintf("%s: %v", what, a.err)
		x.mu.Unlock()
	case a.status == http.StatusOK && x.isRight(u, what, a.body):
		x.count.right.Add(1)
	case a.code == "signed_out" && a.status == http.StatusUnauthorized:
		x.problem(a.reply)
		return true
	case a.code != "" && a.retryAfter != "" && (a.status == http.StatusServiceUnavailable || a.status == http.StatusTooManyRequests):
		x.problem(a.reply)
	default:
		x.wrong(fmt.Sprintf("%s = %d %s %.200s", what, a.status, a.contentType, a.body))
	}
	return false
}

// isRight reports whether an answer is what this user has to get.
func (x *soak) isRight(u *soakUser, what, body string) bool {
	var got struct{ Sub *string }
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		return false
	}
	if what == "POST /bff/session/renew" {
		return true // it speaks of times
	}
	return got.Sub != nil && *got.Sub == u.sub
}

func (x *soak) problem(r reply) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.problems[fmt.Sprintf("%d %s", r.status, r.code)]++
}

// wrong notes an answer that nobody should get.
func (x *soak) wrong(what string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.wrongs = append(x.wrongs, what); len(x.wrongs) <= 10 {
		x.t.Errorf("neither right nor a clean problem: %s", what)
	}
}

// loss is a session that was over though nobody had ended it.
type loss struct {
	user    *soakUser
	at      time.Time
	session *generation
	calls   []span
}

// lost notes that u's session is over. u.mu is held for writing.
func (x *soak) lost(u *soakUser, s span) {
	u.callsMu.Lock()
	l := loss{u, s.to, u.session, u.calls}
	u.callsMu.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	x.losses = append(x.losses, l)
}

// The windows in which a loss can't be avoided: the provider has exchanged the
// token and nobody has the answer, or a token may have been used twice.
const (
	byFault = "the provider's answer was destroyed on its way"
	byKill  = "killed between the provider's answer and its commit"
	twice   = "two uses of a token without an end"
	avoided = "outside"
)

const (
	// commitTime is how long a commit may take on a machine that has nothing else to
	// do; a few milliseconds are usual. If writes wait at that time, so may it: for
	// the commit before it, for its own, and for its turn. The longest one is among
	// the figures.
	commitTime  = 500 * time.Millisecond
	commitWaits = 3

	// slack is how late a death is noticed, and how long a call's consequences
	// go on after its answer.
	slack = time.Second

	// callsAtOnce is how many renewals are under way at a provider at most: a kill
	// can't cost more sessions.
	callsAtOnce = 32
)

// cause finds out why a session was lost, from what the provider saw and from
// when the process was killed.
func (x *soak) cause(l loss) string {
	x.provider.ledgerMu.Lock()
	defer x.provider.ledgerMu.Unlock()
	last := l.session
	for last.next != nil {
		last = last.next
	}
	e := last.issued
	if last != l.session && last.durable.IsZero() {
		if e.lost {
			return byFault
		}
		if k, ok := x.killAfter(e, l.at); ok {
			x.perKill[k]++
			return byKill
		}
	}
	// Nothing that was issued is missing: then two uses of the last token must
	// have ended in nothing. A kill counts if it hit a call of this user, or what
	// that had started.
	unclear := last.unclear
	for _, k := range x.killed() {
		if slices.ContainsFunc(l.calls, func(c span) bool {
			return c.to.After(last.issued.processed) && span{c.from, c.to.Add(slack)}.touches(k)
		}) {
			unclear++
		}
	}
	if unclear >= 2 {
		return twice
	}
	return avoided
}

// killAfter returns the kill that came between the provider's exchange and the
// moment at which its result must have been durable.
func (x *soak) killAfter(e *exchange, noticed time.Time) (span, bool) {
	until := e.answered
	if until.IsZero() {
		until = noticed
	}
	for _, k := range x.killed() {
		// What was sent before may be taken in a little later.
		took := commitTime + commitWaits*x.lags.worst(span{until, k.from})
		if !e.arrived.After(k.to.Add(slack/10)) && !k.from.After(until.Add(took)) {
			x.longestGap = max(x.longestGap, k.from.Sub(until))
			return k, true
		}
	}
	return span{}, false
}

// explain describes a loss outside the windows.
func (x *soak) explain(l loss) string {
	x.provider.ledgerMu.Lock()
	defer x.provider.ledgerMu.Unlock()
	last, n := l.session, 0
	for ; last.next != nil; last = last.next {
		n++
	}
	ago := func(t time.Time) string {
		if t.IsZero() {
			return "never"
		}
		return l.at.Sub(t).Round(time.Millisecond).String()
	}
	text := fmt.Sprintf("%s, renewal %d, all before the loss: arrived %s, processed %s, answered %s, durable %s, refused %s; uses %d, unclear %d; kills",
		last.sub, n, ago(last.issued.arrived), ago(last.issued.processed), ago(last.issued.answered), ago(last.durable), ago(last.refused), last.uses, last.unclear)
	for _, k := range x.killed() {
		if l.at.Sub(k.to) < 30*time.Second && k.from.Before(l.at) {
			text += " " + ago(k.from)
		}
	}
	return text
}

// unexplained returns the calls that got no answer though a process was there.
func (x *soak) unexplained() (out []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, s := range x.silences {
		down := slices.ContainsFunc(x.downs, func(d span) bool {
			// The process that dies by itself is missed a moment later.
			return s.touches(span{d.from.Add(-slack), d.to.Add(slack)})
		})
		if !down {
			out = append(out, x.silenceOf[s])
		} else {
			x.count.unanswered.Add(1)
		}
	}
	return out
}
