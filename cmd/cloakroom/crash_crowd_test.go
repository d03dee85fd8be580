package main_test

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// ample is a patience with a provider that no busy machine uses up: a call that
// times out is an answer lost, and a session with it.
const ample = 8 * time.Second

// newCrowd is a soak without chance: everybody is signed in, the provider is
// well, one process serves until somebody ends it.
func newCrowd(t *testing.T, sessions int, ttl, patience time.Duration) (*soak, *server) {
	t.Helper()
	x := newSoak(t, sessions, ttl, patience)
	x.provider.heal()
	s, err := x.start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.end(syscall.SIGKILL) })
	x.signInAll()
	return x, s
}

// everybody makes each user call once at the same time, and waits for the
// answers. It returns how long each took.
func (x *soak) everybody(users []*soakUser) []time.Duration {
	took := make([]time.Duration, len(users))
	var all sync.WaitGroup
	for i, u := range users {
		all.Go(func() {
			begun := time.Now()
			x.visit(x.t.Context(), u, http.MethodGet, "/api/orders")
			took[i] = time.Since(begun)
		})
	}
	all.Wait()
	slices.Sort(took)
	return took
}

// sessionless makes so many requests at once that need neither session nor provider,
// and returns how long the longest took: what this machine makes of a crowd just now.
func (x *soak) sessionless(n int) time.Duration {
	var longest atomic.Int64
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			r, err := http.NewRequestWithContext(x.t.Context(), http.MethodGet, x.origin+"/bff/session", nil)
			if err != nil {
				x.t.Error(err)
				return
			}
			r.Header.Set("X-CSRF", "1")
			begun := time.Now()
			res, err := (&http.Client{Transport: x.shared}).Do(r)
			if err != nil {
				x.t.Error(err)
				return
			}
			_ = res.Body.Close()
			for took := int64(time.Since(begun)); ; {
				if was := longest.Load(); was >= took || longest.CompareAndSwap(was, took) {
					return
				}
			}
		})
	}
	all.Wait()
	return time.Duration(longest.Load())
}

// aged waits until the access tokens of now have expired.
func (x *soak) aged() { <-time.After(x.ttl) }

func (x *soak) renewed() int {
	x.provider.ledgerMu.Lock()
	defer x.provider.ledgerMu.Unlock()
	return x.provider.renewals
}

// Killed at a random moment while everybody's token is renewed at once, and
// started again, three times over: no token is replayed, and no session is lost
// but those whose answer was on its way (R4, R5, D1; J10). Requests by far exceed
// the calls that the provider sees at a time.
func TestKilledInCrowd(t *testing.T) {
	const sessions = 300
	x, s := newCrowd(t, sessions, 2*time.Second, ample)
	for round := range 3 {
		x.aged()
		x.signInLost()
		before, target := x.renewed(), rand.N(sessions*9/10)
		answered := make(chan struct{})
		go func() { x.everybody(x.users); close(answered) }()
		if !every(time.Millisecond, func() bool { return x.renewed() >= before+target }) {
			t.Fatal("nothing is renewed")
		}
		lost := len(x.losses)
		next, err := x.restart(s, syscall.SIGKILL, "")
		if err != nil {
			t.Fatal(err)
		}
		s = next
		t.Cleanup(func() { next.end(syscall.SIGKILL) })
		if x.slowestStart > 2*time.Second {
			t.Errorf("it took %v to start", x.slowestStart)
		}
		<-answered
		x.lastCalls()
		t.Logf("round %d: killed after %d renewals; %d lost", round, target, len(x.losses)-lost)
		if n := len(x.losses) - lost; n > callsAtOnce {
			t.Errorf("%d sessions were lost, want at most the %d that were on their way", n, callsAtOnce)
		}
	}
	t.Logf("causes: %v", x.causes())
	x.rules()
}

// signInLost signs those in again who lost their session.
func (x *soak) signInLost() {
	for _, u := range x.users {
		x.present(u)
	}
}

// pauses is a provider that takes a while.
func pauses(d time.Duration) soakFault {
	return soakFault{name: "slow", after: func(w http.ResponseWriter, r *http.Request, a *httptest.ResponseRecorder) {
		select {
		case <-time.After(d):
		case <-r.Context().Done():
		}
		copyAnswer(w, a)
	}}
}

// 200 calls on one session whose token has expired make one call to the
// provider and wait for hardly longer than that; 500 sessions at once make one
// each (D4, K1).
func TestStampede(t *testing.T) {
	const delay = 300 * time.Millisecond
	x, _ := newCrowd(t, 500, 3*time.Second, ample)
	x.aged()
	x.provider.stand(pauses(delay))
	one := slices.Repeat(x.users[:1], 200)
	peace := x.sessionless(len(one))
	took := x.everybody(one)
	if n := x.renewed(); n != 1 {
		t.Errorf("200 calls on one session made %d renewals, want 1", n)
	}
	p99 := took[len(took)*99/100]
	t.Logf("200 calls waited %v to %v, 99%% at most %v; the provider took %v; without it this machine takes up to %v",
		took[0], took[len(took)-1], p99, delay, peace)
	if p99 > delay+max(time.Second, 4*peace) {
		t.Errorf("99%% of the calls waited up to %v for a provider that takes %v, on a machine that takes up to %v without", p99, delay, peace)
	}
	x.provider.heal()
	x.everybody(x.users[1:])
	if n := x.renewed(); n != len(x.users) {
		t.Errorf("%d sessions made %d renewals", len(x.users), n)
	}
	if n := x.count.right.Load(); n != int64(len(one)+len(x.users)-1) {
		t.Errorf("%d calls were answered, want all", n)
	}
	x.causes()
	x.rules()
}

// The provider forgets half of its users. Each of them makes one call to it and
// is signed out; the others notice nothing (D7, R9).
func TestMassRevocation(t *testing.T) {
	t.Parallel()
	x, _ := newCrowd(t, 300, 3*time.Second, ample)
	gone, others := x.users[:150], x.users[150:]
	for _, u := range gone {
		x.provider.RevokeFamilies(u.sub)
	}
	x.aged()
	for range 3 {
		x.everybody(x.users)
	}
	x.provider.ledgerMu.Lock()
	refusals := x.provider.refusals
	x.provider.ledgerMu.Unlock()
	if refusals != len(gone) || len(x.losses) != len(gone) {
		t.Errorf("%d refusals and %d sessions that ended, want %d of each", refusals, len(x.losses), len(gone))
	}
	for _, u := range others {
		if !u.signedIn {
			t.Errorf("%s is signed out too", u.name)
		}
	}
	if n := x.count.right.Load(); n != int64(3*len(others)) {
		t.Errorf("the others got %d answers, want %d", n, 3*len(others))
	}
	x.rules()
}
