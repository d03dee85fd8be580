package session_test

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// network is the most that a request or an answer is under way.
const network = 10 * time.Second

// world is a hall, and what happens before it in order of time.
type world struct {
	*hall
	rand   *rand.Rand
	events agenda
	made   int
	tells  bool // lines are kept
	lines  []string
	done   bool
}

type event struct {
	at time.Time
	n  int // of two at the same time, the one that was made first
	do func()
}

type agenda []event

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at.Before(a[j].at) || a[i].at.Equal(a[j].at) && a[i].n < a[j].n
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(e any)   { *a = append(*a, e.(event)) }
func (a *agenda) Pop() any {
	e := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return e
}

func newWorld(t testing.TB, seed uint64, every time.Duration) *world {
	return &world{hall: newHall(t, every), rand: rand.New(rand.NewPCG(seed, 1))}
}

func (w *world) after(d time.Duration, do func()) {
	w.made++
	heap.Push(&w.events, event{w.now.Add(d), w.made, do})
}

// run lets everything happen that is on the agenda, and what comes of it.
func (w *world) run() {
	for len(w.events) > 0 && !w.done {
		e := heap.Pop(&w.events).(event)
		w.until(e.at)
		e.do()
	}
}

func (w *world) note(format string, a ...any) {
	if !w.tells {
		return
	}
	w.lines = append(w.lines, fmt.Sprintf("%12.3f ", w.now.Sub(w.first.Issued()).Seconds())+fmt.Sprintf(format, a...))
}

func (w *world) story() string { return strings.Join(w.lines[max(0, len(w.lines)-80):], "\n") }

// name is how a story calls an issue.
func (w *world) name(t session.Ticket) string {
	if !w.tells {
		return "an issue"
	}
	return fmt.Sprintf("#%.3f", t.Issued().Sub(w.first.Issued()).Seconds())
}

// upTo returns a time below d, more often a short one.
func (w *world) upTo(d time.Duration) time.Duration {
	if w.rand.IntN(3) > 0 {
		d /= 100
	}
	return time.Duration(w.rand.Int64N(int64(d) + 1))
}

func (w *world) chance(p float64) bool { return w.rand.Float64() < p }

// browser has one jar for all its tabs, which reaches the disk up to 30 s late.
type browser struct {
	*world
	jar, disk session.Ticket
	life      int       // one more after each crash
	awake     time.Time // asleep until then
	saving    bool
	loses     float64 // how many answers get lost
	slow      float64 // how many answers take the API long
	over      func(why string)
}

func (b *browser) set(t session.Ticket) {
	b.jar = t
	if b.saving {
		return
	}
	b.saving = true
	life := b.life
	b.after(time.Duration(b.rand.Int64N(int64(30*time.Second)+1)), func() {
		if b.life == life {
			b.save()
		}
	})
}

func (b *browser) save() { b.disk, b.saving = b.jar, false }

func (b *browser) crash() {
	b.life++
	b.jar, b.saving = b.disk, false
	b.note("the browser crashes: back to %s", b.name(b.jar))
}

// sleep is that of the machine: what is to be sent goes out within 10 s of its
// end, what is to be received is lost.
func (b *browser) sleep(d time.Duration) {
	b.save()
	b.awake = b.now.Add(d)
	b.note("asleep for %v", d)
}

func (b *browser) request() {
	ticket, life := b.jar, b.life
	b.after(b.upTo(network), func() { b.arrive(ticket, life) })
}

func (b *browser) arrive(ticket session.Ticket, life int) {
	if b.now.Before(b.awake) {
		if b.life != life {
			return // a request of a browser that crashed does not outlast a sleep
		}
		b.after(b.awake.Sub(b.now)+b.upTo(network), func() { b.arrive(ticket, life) })
		return
	}
	s, ok := b.resume(ticket)
	b.note("request with %s: %v", b.name(ticket), ok)
	if !ok {
		b.over("a request with " + b.name(ticket) + " is refused")
		return
	}
	process := b.hall.life
	takes := time.Duration(0)
	if b.chance(b.slow) {
		takes = b.upTo(10 * time.Minute)
	}
	b.after(takes, func() {
		if b.hall.life == process {
			b.answer(s, ticket, life)
		}
	})
}

func (b *browser) answer(s *session.Session, ticket session.Ticket, life int) {
	if !s.Due(ticket) {
		return
	}
	next, ok := s.Reissue(ticket)
	if !ok {
		return
	}
	lost := b.chance(b.loses)
	b.note("  answer to %s carries %s, lost: %v", b.name(ticket), b.name(next), lost)
	if lost {
		return
	}
	b.after(b.upTo(network), func() {
		if b.life == life && !b.now.Before(b.awake) {
			b.set(next)
			b.note("jar: %s", b.name(next))
		}
	})
}

// act is one thing that the owner, the browser, its machine or Cloakroom does.
func (b *browser) act(left int) {
	if left == 0 {
		return
	}
	switch n := b.rand.IntN(40); {
	case n < 2:
		b.crash()
	case n < 4:
		b.note("restart in order")
		b.restart(false)
	case n < 6:
		b.note("killed and restarted")
		b.restart(true)
	case n == 6 && b.now.Sub(b.awake) > network: // what waited for the end of the last sleep is out
		b.sleep(b.upTo(3 * time.Hour))
	default:
		for range 1 + b.rand.IntN(3)*b.rand.IntN(3) {
			b.request()
		}
	}
	gaps := []time.Duration{
		100 * time.Millisecond, time.Second, 5 * time.Second, 12 * time.Second, 35 * time.Second, 65 * time.Second,
		6 * time.Minute, 17 * time.Minute, time.Hour, 3 * time.Hour,
	}
	gap := gaps[min(b.rand.IntN(len(gaps)), b.rand.IntN(len(gaps)+2))]
	gap = max(time.Duration(b.rand.Int64N(int64(gap)+1)), b.awake.Sub(b.now))
	if b.now.Add(gap).Sub(b.first.Issued()) > hallLimits.Absolute-time.Hour {
		return
	}
	b.after(gap, func() { b.act(left - 1) })
}

// ownerAlone plays one history of an owner's browser. It returns why the session
// ended, which it must not, and how many steps there were.
func ownerAlone(t testing.TB, seed uint64, steps int, tells bool) (why, story string, taken int) {
	w := newWorld(t, seed, []time.Duration{5 * time.Minute, 15 * time.Minute}[seed%2])
	w.tells = tells
	b := &browser{
		world: w, jar: w.first, disk: w.first,
		loses: []float64{0, 0.1, 0.5, 0.95}[w.rand.IntN(4)], slow: []float64{0, 0.1, 0.5}[w.rand.IntN(3)],
	}
	b.over = func(s string) { why, w.done = s, true }
	b.act(steps)
	w.run()
	return why, w.story(), w.made
}

// E10: whatever happens to the owner's browser, the network and Cloakroom, an
// owner alone is never taken for two.
func TestOwnerAloneStaysSignedIn(t *testing.T) {
	histories := uint64(20_000)
	if testing.Short() {
		histories = 2_000
	}
	var steps atomic.Int64
	t.Run("histories", func(t *testing.T) {
		const parts = 4
		for part := range uint64(parts) {
			t.Run(fmt.Sprint(part), func(t *testing.T) {
				t.Parallel()
				for seed := part; seed < histories; seed += parts {
					length := 15
					if seed%10 == 0 {
						length = 60
					}
					why, _, taken := ownerAlone(t, seed, length, false)
					steps.Add(int64(taken))
					if why != "" {
						_, story, _ := ownerAlone(t, seed, length, true)
						t.Fatalf("seed %d: %s\n%s", seed, why, story)
					}
				}
			})
		}
	})
	t.Logf("%d histories, %d events", histories, steps.Load())
}
