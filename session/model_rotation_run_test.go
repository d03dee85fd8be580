package session_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// desk is where tickets are presented: a hall, or a room.
type desk interface {
	call(t session.Ticket) (next session.Ticket, served bool)
	pass(d time.Duration)
	restart(kill bool)
	at() int64
	inMemory(t session.Ticket) bool
}

func (h *hall) at() int64                      { return h.now.UnixMilli() }
func (h *hall) inMemory(t session.Ticket) bool { return h.m.Open(t) }

// roomDesk is a room in a synctest bubble.
type roomDesk struct{ *room }

func (d roomDesk) at() int64                      { return time.Now().UnixMilli() }
func (d roomDesk) inMemory(t session.Ticket) bool { return d.Open(t) }
func (d roomDesk) pass(gap time.Duration)         { time.Sleep(gap) }

func (d roomDesk) call(t session.Ticket) (session.Ticket, bool) {
	s, err := d.Resume(d.t.Context(), t)
	if err != nil {
		return t, false
	}
	s.Touch()
	if s.Due(t) {
		if next, ok := s.Reissue(t); ok {
			return next, true
		}
	}
	return t, true
}

// restart without kill is in order; with it, what was not written is lost.
func (d roomDesk) restart(kill bool) {
	if !kill {
		d.room.restart()
		return
	}
	d.stop()
	_ = d.store.Store.Close()
	d.open()
}

// step is one thing that happens in a history of several holders of one ticket.
type step struct {
	kind  string // call, copy, restart, kill
	who   int
	other int  // copy: whose ticket
	keeps bool // call: takes the cookie
	gap   time.Duration
}

var stepGaps = []time.Duration{
	0, time.Second, 9999 * time.Millisecond, 10 * time.Second, 20 * time.Second, 29999 * time.Millisecond, 30 * time.Second,
	30001 * time.Millisecond, 35 * time.Second, 59999 * time.Millisecond, 60 * time.Second, 61 * time.Second, 80 * time.Second,
	5 * time.Minute, 5*time.Minute - 1, 12 * time.Minute,
}

func randomSteps(seed uint64, n int) []step {
	r := rand.New(rand.NewPCG(seed, 2))
	steps := make([]step, n)
	for i := range steps {
		s := step{kind: "call", who: r.IntN(3), other: r.IntN(3), keeps: r.IntN(4) > 0, gap: stepGaps[r.IntN(len(stepGaps))]}
		if seed%2 == 0 && r.IntN(60) > 0 { // mostly the owner, so that it lasts
			s.who, s.keeps = 0, true
		}
		switch r.IntN(20) {
		case 0:
			s.kind = "copy"
		case 1:
			s.kind = "restart"
		case 2:
			s.kind = "kill"
		}
		steps[i] = s
	}
	return steps
}

// compare plays steps against d and a model, and returns the first difference,
// and how many calls agreed.
func compare(d desk, first session.Ticket, steps []step) (diff string, calls int, over bool) {
	m := newTree(first.Issued().UnixMilli(), rotateEvery)
	jars := []session.Ticket{first, first, first}
	for i, s := range steps {
		d.pass(s.gap)
		switch s.kind {
		case "copy":
			jars[s.who] = jars[s.other]
		case "restart":
			d.restart(false)
		case "kill":
			d.pass(2 * time.Second) // what was made in the last second is lost
			d.restart(true)
		case "call":
			if len(m.open()) >= 8 {
				return "", calls, false // from here on the product drops what the model keeps
			}
			calls++
			if !d.inMemory(first) {
				m.forget()
			}
			t := jars[s.who]
			n, now := t.Issued().UnixMilli(), d.at()
			served := m.present(n, now)
			next, got := d.call(t)
			if served != got {
				return fmt.Sprintf("step %d: served: %v, model: %v", i, got, served), calls, true
			}
			if !served {
				return "", calls, true
			}
			due := m.due(n, now)
			if due != (next != t) {
				return fmt.Sprintf("step %d: new issue: %v, model: %v", i, next != t, due), calls, true
			}
			if due {
				m.made(next.Issued().UnixMilli(), n)
				if s.keeps {
					jars[s.who] = next
				}
			}
		}
	}
	return "", calls, false
}

// E10: what the Manager decides is what the rules say, in histories of three
// holders, restarts and evictions. A history that differs is shortened.
func TestRotationAgainstModel(t *testing.T) {
	seeds := uint64(6000)
	if testing.Short() {
		seeds = 600
	}
	calls, ended := 0, 0
	for seed := range seeds {
		play := func(steps []step) (string, int, bool) {
			h := newHall(t, rotateEvery)
			return compare(h, h.first, steps)
		}
		steps := randomSteps(seed, 80)
		diff, n, over := play(steps)
		calls += n
		if over {
			ended++
		}
		if diff == "" {
			continue
		}
		for i := len(steps) - 1; i >= 0; i-- {
			shorter := append(append([]step{}, steps[:i]...), steps[i+1:]...)
			if d, _, _ := play(shorter); d != "" {
				steps, diff = shorter, d
			}
		}
		t.Fatalf("seed %d: %s\n%+v", seed, diff, steps)
	}
	t.Logf("%d histories, %d calls, %d ended by a replay", seeds, calls, ended)
	if calls < int(seeds)*5 || ended < int(seeds)/4 {
		t.Errorf("%d calls and %d ends are too few to tell anything", calls, ended)
	}
}

// The same on a real file, with the upkeep that runs by itself.
func TestRotationAgainstModelOnFile(t *testing.T) {
	seeds := uint64(24)
	if testing.Short() {
		seeds = 6
	}
	calls := 0
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			r := newRoom(t, func(r *room) {
				r.limits = hallLimits
				r.limits.RotateEvery = rotateEvery
			})
			first := r.signIn("alice", nil)
			diff, n, _ := compare(roomDesk{r}, first, randomSteps(1000+seed, 50))
			if diff != "" {
				t.Errorf("seed %d: %s", seed, diff)
			}
			calls += n
		})
	}
	t.Logf("%d histories, %d calls", seeds, calls)
}

// Going by the number alone, an owner and a thief who take turns every 80 s walk
// in step for ever: each finds the other's issue unseen and gets a newer one.
func TestNumbersAloneDoNotTell(t *testing.T) {
	for _, numeric := range []bool{true, false} {
		m := newTree(1, rotateEvery)
		m.numeric = numeric
		jars := [2]int64{1, 1}
		now, calls := rotateEvery.Milliseconds(), 0
		for ; calls < 1000; calls++ {
			now += 40_000
			who := calls % 2
			if !m.present(jars[who], now) {
				break
			}
			if m.due(jars[who], now) {
				m.made(now, jars[who])
				jars[who] = now
			}
		}
		if numeric != (calls == 1000) {
			t.Errorf("by numbers alone: %v: over after %d calls", numeric, calls)
		}
	}
}
