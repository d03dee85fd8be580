package session_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

const rotateEvery = 5 * time.Minute

// holder is somebody who holds the ticket: the owner's browser, or a thief.
type holder struct {
	*hall
	ticket session.Ticket
	keeps  bool // takes the cookies of answers
}

func (p *holder) call() bool {
	next, served := p.hall.call(p.ticket)
	if p.keeps {
		p.ticket = next
	}
	return served
}

// between says what becomes of Cloakroom between two calls.
type between struct {
	name string
	do   func(h *hall, gap time.Duration)
}

var betweens = []between{
	{"nothing", func(h *hall, gap time.Duration) { h.pass(gap) }},
	{"restart in order", func(h *hall, gap time.Duration) {
		h.pass(gap / 2)
		h.restart(false)
		h.pass(gap - gap/2)
	}},
	// A kill takes what was made in the second before it. One at just that moment
	// again and again, no thief can bring about.
	{"kill after two seconds", func(h *hall, gap time.Duration) {
		h.pass(2 * time.Second)
		h.restart(true)
		h.pass(gap - 2*time.Second)
	}},
	{"kill just before the next call", func(h *hall, gap time.Duration) { h.pass(gap); h.restart(true) }},
}

// rhythms has a pair around each threshold.
var rhythms = []time.Duration{
	3 * time.Second, 9999 * time.Millisecond, 10 * time.Second, 11 * time.Second, 29 * time.Second, 30 * time.Second, 31 * time.Second,
	35 * time.Second, 40 * time.Second, 59999 * time.Millisecond, 60 * time.Second, 61 * time.Second, 80 * time.Second, 89 * time.Second,
	91 * time.Second, 299 * time.Second, 301 * time.Second, 6 * time.Minute, 11 * time.Minute, 16 * time.Minute, 61 * time.Minute,
}

// thefts are the moments at which the ticket is copied.
var thefts = []struct {
	name string
	do   func(h *hall, owner *holder) session.Ticket
}{
	{"before a rotation", func(h *hall, owner *holder) session.Ticket {
		h.pass(rotateEvery - time.Second)
		return owner.ticket
	}},
	{"long after it was due", func(h *hall, owner *holder) session.Ticket { h.pass(time.Hour); return owner.ticket }},
	{"with the next answer", func(h *hall, owner *holder) session.Ticket {
		h.pass(rotateEvery)
		owner.call()
		return owner.ticket
	}},
	{"the older one", func(h *hall, owner *holder) session.Ticket {
		h.pass(rotateEvery)
		old := owner.ticket
		owner.call()
		return old
	}},
}

// E10: an owner and a thief who both go on presenting their tickets end the
// session, in whatever rhythm, whatever becomes of Cloakroom meanwhile: at the
// latest three confirmations after there was something to tell them apart by.
func TestThiefInStep(t *testing.T) {
	for _, theft := range thefts {
		for _, b := range betweens {
			for _, keeps := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, %s, thief keeps cookies: %v", theft.name, b.name, keeps), func(t *testing.T) {
					for _, rhythm := range rhythms {
						for _, share := range []time.Duration{2, 10} { // the thief comes so early in the owner's pause
							inStep(t, theft.do, b, keeps, rhythm, share)
						}
					}
				})
			}
		}
	}
}

func inStep(t *testing.T, theft func(*hall, *holder) session.Ticket, b between, keeps bool, rhythm, share time.Duration) {
	h := newHall(t, rotateEvery)
	owner := &holder{hall: h, ticket: h.first, keeps: true}
	thief := &holder{hall: h, keeps: keeps}
	thief.ticket = theft(h, owner)
	stolen := h.now
	for h.now.Sub(h.first.Issued()) < 46*time.Hour {
		b.do(h, max(rhythm/share, 3*time.Second))
		if !thief.call() {
			break
		}
		b.do(h, max(rhythm-rhythm/share, 3*time.Second))
		if !owner.call() {
			break
		}
	}
	took := h.now.Sub(stolen)
	bound := 2*rotateEvery + 3*(time.Minute+30*time.Second) + 6*rhythm
	if took > bound {
		t.Errorf("a call every %v, thief after 1/%d: over after %v, want at most %v", rhythm, share, took, bound)
	}
	if rhythm < 4*time.Hour {
		want(t, "ends", h.ended.all(), []string{session.ReasonReplay})
	}
}

// A thief may try to get all that is handed out, so that the owner gets nothing
// and the old issue, which both hold, is never retired.
func TestThiefTakesAll(t *testing.T) {
	tests := []struct {
		name  string
		every time.Duration // the thief calls
		use   time.Duration // he presents what he got once, so much later; 0: never
	}{
		{"ten times a second, uses none", 100 * time.Millisecond, 0},
		{"every second, uses none", time.Second, 0},
		{"every second, uses each once", time.Second, 29 * time.Second},
		{"every second, uses each once at once", time.Second, time.Second},
		{"every 9 s, uses none", 9 * time.Second, 0},
		{"every 9 s, uses each once while it is young", 9 * time.Second, 54 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHall(t, rotateEvery)
			h.pass(rotateEvery)
			owner := &holder{hall: h, ticket: h.first, keeps: true}
			thief := &holder{hall: h, ticket: h.first}
			begun, calls := h.now, 0
			var got []session.Ticket
			for h.now.Sub(begun) < time.Hour {
				next, served := h.call(thief.ticket)
				if next != thief.ticket {
					got = append(got, next)
				}
				for tt.use > 0 && len(got) > 0 && h.now.Sub(got[0].Issued()) >= tt.use {
					_, ok := h.call(got[0])
					served, got = served && ok, got[1:]
				}
				if calls++; calls%(int(80*time.Second/tt.every)) == 0 {
					served = served && owner.call()
				}
				if !served {
					break
				}
				h.pass(tt.every)
			}
			if took := h.now.Sub(begun); took > 20*time.Minute {
				t.Errorf("over after %v, want at most 20 min", took)
			}
			want(t, "ends", h.ended.all(), []string{session.ReasonReplay})
		})
	}
}

// The half minute for which a retired issue is served is that after its own
// retirement: a thief who only ever comes after the owner's next confirmations
// has at most one more.
func TestThiefInGrace(t *testing.T) {
	h := newHall(t, rotateEvery)
	owner := &holder{hall: h, ticket: h.first, keeps: true}
	served := 0
	var seen int64
	for h.now.Sub(h.first.Issued()) < 3*time.Hour {
		h.pass(20 * time.Second)
		if !owner.call() {
			break
		}
		if n, at := h.m.ConfirmedAt(h.first); at != seen && n != h.first.Issued().UnixMilli() {
			seen = at
			if _, ok := h.call(h.first); !ok {
				break
			}
			served++
		}
	}
	if served > 2 {
		t.Errorf("a retired issue was served after %d confirmations, want at most 2", served)
	}
	want(t, "ends", h.ended.all(), []string{session.ReasonReplay})
}

// A thief who has presented many young issues once must not keep the owner from
// ever getting a new one.
func TestThiefFillsMemory(t *testing.T) {
	h := newHall(t, rotateEvery)
	h.pass(rotateEvery)
	thief := &holder{hall: h, ticket: h.first}
	for range 40 {
		if next, _ := h.call(thief.ticket); next != thief.ticket {
			h.pass(5 * time.Second)
			h.call(next)
		}
		h.pass(30 * time.Second)
	}
	owner := &holder{hall: h, ticket: h.first, keeps: true}
	for range 100 {
		h.pass(40 * time.Second)
		if !owner.call() || !thief.call() {
			break
		}
	}
	want(t, "ends", h.ended.all(), []string{session.ReasonReplay})
}
