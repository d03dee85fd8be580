package session_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

func (r *room) unlock() {
	r.t.Helper()
	if err := r.Unlock(r.t.Context()); err != nil {
		r.t.Fatalf("Unlock: %v", err)
	}
}

// J5, experiment 20: keys are replaced again and again while users sign in, are
// active, renew and sign out: nobody loses a session or a call.
func TestKeysUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := []string{session.NewKey()}
		r := newRoom(t, func(r *room) { r.keys = keyring(t, ring...); r.provider.lifetime = 10 * time.Second })
		r.unlock()
		var all sync.WaitGroup
		var mu sync.Mutex
		var tickets []session.Ticket
		for i := range 20 {
			all.Go(func() {
				ticket := r.signIn(fmt.Sprintf("user-%d", i), nil)
				for step := range 60 {
					time.Sleep(time.Second)
					s, err := r.Resume(t.Context(), ticket)
					if err == nil {
						s.Touch()
						_, err = s.Access(t.Context())
					}
					if err != nil {
						t.Errorf("user %d, step %d: %v", i, step, err)
					}
					if step%20 == 19 {
						ticket = r.signIn(fmt.Sprintf("user-%d", i), &ticket)
					}
				}
				mu.Lock()
				tickets = append(tickets, ticket)
				mu.Unlock()
			})
		}
		for range 6 {
			time.Sleep(9500 * time.Millisecond)
			ring = append([]string{session.NewKey()}, ring...)
			if err := r.SetKeys(t.Context(), keyring(t, ring...)); err != nil {
				t.Fatal(err)
			}
		}
		all.Wait()
		r.keys = keyring(t, ring...)
		r.restart()
		r.unlock()
		for _, ticket := range tickets {
			r.resume(ticket)
		}
		want(t, "unreadable", len(r.log.events(session.EventUnreadable)), 0)
		if n, err := r.Logout(t.Context(), session.Logout{Provider: "main", Subject: "user-3"}); n == 0 || err != nil {
			t.Errorf("a logout after six rotations: %d, %v", n, err)
		}
	})
}

// J5: keys without the one that seals are refused; if the store refuses, nothing
// has changed, so that the key file may be put back.
func TestKeysRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old, next := session.NewKey(), session.NewKey()
		r := newRoom(t, func(r *room) { r.keys = keyring(t, old) })
		r.unlock()
		if err := r.SetKeys(t.Context(), keyring(t, next)); !errors.Is(err, session.ErrWrongKeys) {
			t.Errorf("without the sealing key: got %v, want ErrWrongKeys", err)
		}
		r.store.set("UpdateHeads", errors.New("disk full"))
		var wait *session.Unavailable
		if err := r.SetKeys(t.Context(), keyring(t, next, old)); !errors.As(err, &wait) {
			t.Errorf("sick store: got %v, want Unavailable", err)
		}
		r.store.set("UpdateHeads", nil)
		uses, err := r.Inventory(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want(t, "keys", len(uses), 1)
		want(t, "retired", uses[0].Retired.IsZero(), true)
		ticket := r.signIn("alice", nil)
		r.restart() // under the old key alone
		r.unlock()
		r.resume(ticket)
	})
}

// J5: what each key still seals, since when it does not any more, and when it may
// go; all of it across a restart. A key that goes too early takes those sessions
// with it that need it, and nothing else.
func TestInventory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, next := session.NewKey(), session.NewKey()
		r := newRoom(t, func(r *room) { r.keys = keyring(t, first) })
		r.provider.revoke = func(int) error { return errDown }
		r.unlock()
		a, b := r.signIn("alice", nil), r.signIn("bob", nil)
		r.signOut(r.signIn("carol", nil))
		synctest.Wait()
		r.keys = keyring(t, next, first)
		retired := time.Now()
		if err := r.SetKeys(t.Context(), r.keys); err != nil {
			t.Fatal(err)
		}
		c := r.signIn("dave", nil)
		check := func(when, want1 string) {
			t.Helper()
			uses, err := r.Inventory(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, u := range uses {
				got += fmt.Sprintf("seals %v missing %v: %d %d %d; ", u.Seals, u.Missing, u.Heads, u.Tokens, u.Revocations)
			}
			want(t, when, got, want1)
			last := uses[len(uses)-1]
			want(t, when+": retired", last.Retired.UnixMilli(), retired.UnixMilli())
			at, ok := last.MayGo(usualLimits.Absolute)
			want(t, when+": may go", ok && at.Equal(last.Retired.Add(usualLimits.Absolute)), true)
			if _, ok := uses[0].MayGo(usualLimits.Absolute); ok {
				t.Errorf("%s: the key that seals may go", when)
			}
		}
		check("after the change", "seals true missing false: 1 1 0; seals false missing false: 2 2 1; ")
		r.restart()
		r.unlock()
		time.Sleep(time.Second)
		r.resume(a).Touch()
		time.Sleep(2 * time.Minute)
		check("after activity", "seals true missing false: 3 1 1; seals false missing false: 0 2 0; ")
		r.keys = keyring(t, next)
		r.restart()
		r.unlock()
		check("without the old key", "seals true missing false: 3 1 1; seals false missing true: 0 2 0; ")
		r.resume(c)
		r.wantOver(a)
		r.wantOver(b)
		want(t, "unreadable", len(r.log.events(session.EventUnreadable)), 2)
		_ = r.signIn("erin", nil)
	})
}

// J5, I6: a provider's logout finds the session that it means for as long as that
// session lives, though the key that sealed it at first is gone.
func TestLogoutAfterItsKeyWent(t *testing.T) {
	for _, pause := range []time.Duration{2 * time.Second, time.Hour} { // with an old key still there
		for _, say := range []session.Logout{says(""), says("sid-alice")} {
			for _, restart := range []bool{false, true} {
				t.Run(fmt.Sprintf("after %v, sid %q, restart: %v", pause, say.SID, restart), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						first, next := session.NewKey(), session.NewKey()
						r := newRoom(t, func(r *room) { r.keys = keyring(t, first) })
						r.unlock()
						ticket := r.signIn("alice", nil)
						if err := r.SetKeys(t.Context(), keyring(t, next, first)); err != nil {
							t.Fatal(err)
						}
						for end := time.Now().Add(pause); time.Now().Before(end); time.Sleep(min(pause, 10*time.Minute)) {
							r.access(ticket)
							r.resume(ticket).Touch()
						}
						r.keys = keyring(t, next)
						if err := r.SetKeys(t.Context(), r.keys); err != nil {
							t.Fatal(err)
						}
						if restart {
							r.restart()
							r.unlock()
						}
						n, err := r.Logout(t.Context(), say)
						want(t, "sessions", fmt.Sprint(n, err), fmt.Sprint(1, nil))
						r.wantOver(ticket)
					})
				})
			}
		}
	}
}
