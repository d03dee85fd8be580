package session_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// K3, R15, experiment 5: a provider that is down for ten minutes gets one call
// every two seconds, whoever asks, and hears of everybody within five seconds
// of its return; nobody is signed out.
func TestOutage(t *testing.T) {
	const users = 200
	synctest.Test(t, func(t *testing.T) {
		p := &provider{lifetime: 5 * time.Minute}
		w := &meter{provider: p, takes: 20 * time.Millisecond}
		r := newRoom(t, func(r *room) { r.provider = p }, behind(w))
		tickets := r.crowd(users)
		time.Sleep(6 * time.Minute)
		w.fails(errDown)
		down := time.Now()
		var back atomic.Int64
		var mu sync.Mutex
		told := map[time.Duration]int{}
		var served []time.Time
		var all sync.WaitGroup
		for _, ticket := range tickets {
			all.Go(func() {
				for {
					_, err := r.try(ticket)
					after, passing := retryAfter(err)
					switch {
					case err == nil:
						mu.Lock()
						served = append(served, time.Now())
						mu.Unlock()
						return
					case !passing:
						t.Errorf("got %v, want Unavailable", err)
						return
					case after <= 0:
						t.Errorf("no Retry-After: %v", err)
						return
					}
					mu.Lock()
					told[after]++
					mu.Unlock()
					time.Sleep(700 * time.Millisecond) // sooner than told
				}
			})
		}
		time.Sleep(10 * time.Minute)
		calls := w.since(down)
		if n := len(calls); n > 32+300 || n < 200 {
			t.Errorf("calls in ten minutes: %d", n)
		}
		for i := 6; i < len(calls); i++ { // the first ones were under way when it tripped
			if calls[i].Sub(calls[i-1]) < 2*time.Second && calls[i].Sub(down) > 3*time.Second {
				t.Errorf("two calls within %v of each other, %v after the failure", calls[i].Sub(calls[i-1]), calls[i].Sub(down))
			}
		}
		mu.Lock()
		if len(told) < 1000 {
			t.Errorf("callers were told to come again after %d different times", len(told))
		}
		mu.Unlock()
		w.fails(nil)
		back.Store(time.Now().UnixNano())
		all.Wait()
		slices.SortFunc(served, time.Time.Compare)
		if late := served[len(served)-1].Sub(time.Unix(0, back.Load())); late > 5*time.Second {
			t.Errorf("the last was served %v after the return", late)
		}
		sent := p.sent()
		slices.Sort(sent)
		want(t, "renewals, one for each", len(slices.Compact(sent)), users)
		want(t, "all of them", len(p.sent()), users)
		want(t, "ends", r.log.events(session.EventEnded), []string{})
		want(t, "held back and resumed", [2]int{len(r.log.events(session.EventBreaker)), len(r.log.events(session.EventRecovered))}, [2]int{1, 1})
	})
}

// K3: when a provider comes back, those who wait go through one by one, then
// more and more, never more than 32 at a time, each once.
func TestReturn(t *testing.T) {
	const users = 10_000
	synctest.Test(t, func(t *testing.T) {
		p := &provider{lifetime: 20 * time.Minute}
		w := &meter{provider: p, takes: 10 * time.Millisecond}
		r := newRoom(t, func(r *room) { r.provider = p }, behind(w))
		tickets := r.crowd(users)
		time.Sleep(21 * time.Minute)
		w.fails(errDown)
		for _, ticket := range tickets[:8] {
			_, _ = r.try(ticket)
		}
		w.fails(nil)
		time.Sleep(3 * time.Second)
		w.levels, w.before, w.done = nil, nil, 0
		var all sync.WaitGroup
		for _, ticket := range tickets {
			all.Go(func() {
				for {
					_, err := r.try(ticket)
					after, passing := retryAfter(err)
					if err == nil {
						return
					}
					if !passing {
						t.Errorf("got %v, want Unavailable", err)
						return
					}
					time.Sleep(after)
				}
			})
		}
		all.Wait()
		want(t, "most at a time", slices.Max(w.levels), 32)
		for i, level := range w.levels[:32] {
			if level > w.before[i]+1 {
				t.Fatalf("%d at a time after %d successes, want one more at most", level, w.before[i])
			}
		}
		sent := p.sent()
		slices.Sort(sent)
		want(t, "renewals", [2]int{len(sent), len(slices.Compact(sent))}, [2]int{users, users})
	})
}

// K3, R16: what a provider says of Retry-After holds for everybody who has a
// session there, and for nobody else.
func TestRetryAfterOfTheProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, q := &provider{lifetime: 5 * time.Minute}, &provider{lifetime: 5 * time.Minute}
		w, v := &meter{provider: p}, &meter{provider: q}
		r := newRoom(t, func(r *room) {
			r.provider = p
			r.config = func(c *session.Config) {
				c.Providers["main"] = session.Provider{Renewer: w, Issuer: "https://id.test", ClientID: "spa"}
				c.Providers["other"] = session.Provider{Renewer: v, Issuer: "https://other.test", ClientID: "spa"}
			}
		})
		a, b := r.signIn("alice", nil), r.signIn("bob", nil)
		c, err := r.Start(t.Context(), elsewhere(q, "other", "carol"), nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Minute)
		w.fails(&session.Unavailable{RetryAfter: 40 * time.Second, Err: errors.New("429")})
		if after, _ := retryAfter(second(r.try(a))); after < 40*time.Second {
			t.Errorf("told to come after %v", after)
		}
		w.fails(nil)
		time.Sleep(39 * time.Second)
		if after, ok := retryAfter(second(r.try(b))); !ok || after < time.Second || after > 4*time.Second {
			t.Errorf("another session, 1 s before: told to come after %v", after)
		}
		want(t, "calls", w.count(), 1)
		want(t, "the other provider", second(r.try(c)), nil)
		time.Sleep(time.Second + time.Millisecond)
		want(t, "another session, in time", second(r.try(b)), nil)
	})
}

func second[T any](_ T, err error) error { return err }

// R9, R14, R17: what says something of a session says nothing against the
// provider; a credential that it refuses does, and ends no session.
func TestWhatTrips(t *testing.T) {
	tests := []struct {
		name  string
		err   error
		trips bool
		ends  int
	}{
		{"refused tokens", session.ErrRefused, false, 10},
		{"another user", session.ErrIdentity, false, 10},
		{"our credential is refused", &session.Unavailable{Err: errors.New("client_refused: 401 invalid_client")}, true, 0},
		{"no answer", fmt.Errorf("%w: timeout", session.ErrAmbiguous), true, 0},
		{"it says 503", errDown, true, 0},
		{"a fault of another kind", errors.New("odd"), false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &meter{provider: &provider{lifetime: 5 * time.Minute}}
				r := newRoom(t, func(r *room) { r.provider = w.provider }, behind(w))
				tickets := r.crowd(10)
				time.Sleep(6 * time.Minute)
				w.fails(tt.err)
				told := map[time.Duration]bool{}
				for i, ticket := range tickets {
					_, err := r.try(ticket)
					if after, ok := retryAfter(err); ok && i > 4 {
						told[after] = true
					}
					if i == 3 {
						want(t, "held back after four", len(r.log.events(session.EventBreaker)), 0)
					}
				}
				synctest.Wait()
				want(t, "calls", w.count(), map[bool]int{true: 5, false: 10}[tt.trips])
				want(t, "held back", len(r.log.events(session.EventBreaker)), map[bool]int{true: 1}[tt.trips])
				want(t, "told different times", !tt.trips || len(told) > 1, true)
				want(t, "ends", len(r.log.events(session.EventEnded)), tt.ends)
			})
		})
	}
}

// K3: four failures, then a success, then four more are no five in a row.
func TestFailuresInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &meter{provider: &provider{lifetime: 5 * time.Minute}}
		r := newRoom(t, func(r *room) { r.provider = w.provider }, behind(w))
		tickets := r.crowd(9)
		time.Sleep(6 * time.Minute)
		for i, ticket := range tickets {
			w.fails(errDown)
			if i == 4 {
				w.fails(nil)
			}
			_, _ = r.try(ticket)
		}
		want(t, "calls", w.count(), 9)
		want(t, "held back", len(r.log.events(session.EventBreaker)), 0)
	})
}

// K3: while renewals are held back calls with a valid token go on without any
// wait, those whose token is due too, also at a provider that is waited for.
func TestValidTokensServe(t *testing.T) {
	for _, blocking := range []bool{false, true} {
		t.Run(fmt.Sprintf("blocking %v", blocking), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &meter{provider: &provider{lifetime: 5 * time.Minute}}
				r := newRoom(t, func(r *room) { r.provider, r.blocking = w.provider, blocking }, func(r *room) {
					r.config = func(c *session.Config) {
						p := c.Providers["main"]
						p.Renewer = w
						c.Providers["main"] = p
					}
				})
				old := r.crowd(6)
				time.Sleep(30 * time.Second)
				due := r.signIn("due", nil)
				time.Sleep(time.Minute)
				fresh := r.signIn("fresh", nil)
				time.Sleep(3*time.Minute + 28*time.Second)
				w.fails(errDown)
				for _, ticket := range old {
					if _, err := r.try(ticket); err == nil {
						t.Fatal("an expired token served")
					}
				}
				want(t, "held back", len(r.log.events(session.EventBreaker)), 1)
				start := time.Now()
				for _, ticket := range []session.Ticket{due, fresh} {
					for range 10 {
						want(t, "served", second(r.try(ticket)), nil)
					}
				}
				want(t, "waited", time.Since(start), time.Duration(0))
			})
		})
	}
}
