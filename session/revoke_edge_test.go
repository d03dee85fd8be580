package session_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// I2: what waits behind hundreds that hang is taken up too, after a restart.
func TestRevocationBehindOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newBell(), newBell()
		b.fails(errDown)
		c.fails(errDown)
		r := newRoom(t, func(r *room) {
			r.provider = b.provider
			r.config = func(conf *session.Config) {
				conf.Providers["main"] = session.Provider{Renewer: b, Issuer: "https://id.test", ClientID: "spa"}
				conf.Providers["other"] = session.Provider{Renewer: c, Issuer: "https://other.test", ClientID: "spa"}
			}
		})
		for _, ticket := range r.crowd(700) {
			r.signOut(ticket)
		}
		synctest.Wait()
		time.Sleep(time.Millisecond)
		r.Discard(elsewhere(c.provider, "other", "carol"))
		synctest.Wait()
		r.close()
		time.Sleep(time.Minute)
		b.takes = 10 * time.Minute
		c.fails(nil)
		r.open()
		time.Sleep(5 * time.Second)
		want(t, "told the other", len(c.told()), 2)
		r.stop()
	})
}

// I8, I2: the tokens of a sign-in that gives no session are revoked, also after
// a crash.
func TestNoSessionNoTokens(t *testing.T) {
	tests := []struct {
		name string
		act  func(r *room, in session.SignIn)
	}{
		{"discarded", func(r *room, in session.SignIn) { r.Discard(in) }},
		{"the store refused", func(r *room, in session.SignIn) {
			r.store.set("Create", errors.New("disk full"))
			var wait *session.Unavailable
			if _, err := r.Start(r.t.Context(), in, nil); !errors.As(err, &wait) {
				r.t.Errorf("Start: got %v, want Unavailable", err)
			}
			r.store.set("Create", nil)
		}},
		{"signed out meanwhile", func(r *room, in session.SignIn) {
			if _, err := r.Logout(r.t.Context(), session.Logout{Provider: "main", Subject: "alice", SID: "sid-alice"}); err != nil {
				r.t.Error(err)
			}
			if _, err := r.Start(r.t.Context(), in, nil); !errors.Is(err, session.ErrSignedOut) {
				r.t.Errorf("Start: got %v, want ErrSignedOut", err)
			}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBell()
				b.fails(errDown)
				r := newRoom(t, ringing(b))
				tt.act(r, b.signIn("alice"))
				synctest.Wait()
				want(t, "told", b.told(), []string{"refresh-1"})
				want(t, "filed", len(r.queued()), 1)
				r.crash()
				b.fails(nil)
				time.Sleep(10 * time.Second)
				want(t, "told", b.told(), []string{"refresh-1", "refresh-1"})
				want(t, "filed", len(r.queued()), 0)
				want(t, "began", len(r.log.events(session.EventSignIn)), 0)
			})
		})
	}
}

// J1: a token that waits to be revoked stands nowhere in the file as it is, nor
// who it belongs to; no ticket is needed to revoke it.
func TestQueueIsSealed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBell()
		b.fails(errDown)
		r := newRoom(t, ringing(b))
		in := b.signIn("canary-subject")
		in.Tokens.Access, in.Tokens.Refresh, in.Tokens.ID = "canary-access", "canary-refresh", "canary-id"
		ticket, err := r.Start(t.Context(), in, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.signOut(ticket)
		time.Sleep(time.Minute) // written again after each attempt
		r.Discard(in)
		synctest.Wait()
		want(t, "filed", len(r.queued()), 2)
		r.close()
		files, err := os.ReadDir(strings.TrimSuffix(r.path, "/sessions.db"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			raw, err := os.ReadFile(strings.TrimSuffix(r.path, "sessions.db") + f.Name())
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(raw, []byte("canary")) {
				t.Errorf("%s holds it in the clear", f.Name())
			}
		}
		if strings.Contains(r.log.String(), "canary-refresh") || strings.Contains(r.log.String(), "canary-access") {
			t.Error("the log has it")
		}
		b.fails(nil)
		r.open()
		time.Sleep(5 * time.Minute)
		want(t, "told without a ticket", b.told()[len(b.told())-2:], []string{"canary-refresh", "canary-refresh"})
	})
}

// J5: what waits opens after a rotation of the keys, and is given up, with one
// event, when its key is gone.
func TestQueueAndKeys(t *testing.T) {
	old, next := session.NewKey(), session.NewKey()
	for _, kept := range []bool{true, false} {
		t.Run(fmt.Sprintf("old key kept: %v", kept), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBell()
				b.fails(errDown)
				r := newRoom(t, ringing(b), func(r *room) { r.keys = keyring(t, old) })
				if err := r.Unlock(t.Context()); err != nil {
					t.Fatal(err)
				}
				r.signOut(r.signIn("alice", nil))
				synctest.Wait()
				if err := r.SetKeys(t.Context(), keyring(t, next, old)); err != nil {
					t.Fatal(err)
				}
				r.keys = keyring(t, next, old)
				if !kept {
					r.keys = keyring(t, next)
				}
				r.restart()
				if err := r.Unlock(t.Context()); err != nil {
					t.Fatal(err)
				}
				b.fails(nil)
				time.Sleep(time.Minute)
				want(t, "revoked and given up", [2]int{len(r.log.events(session.EventRevoked)), len(r.log.events(session.EventRevokeFailed))},
					map[bool][2]int{true: {1, 0}, false: {0, 1}}[kept])
				want(t, "filed", len(r.queued()), 0)
			})
		})
	}
}

// J14: a panic in a revocation costs that attempt, not the process.
func TestRevocationPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBell()
		b.answer = func(n int) error {
			if n == 1 {
				panic("canary-in-a-panic")
			}
			return nil
		}
		r := newRoom(t, ringing(b))
		r.signOut(r.signIn("alice", nil))
		time.Sleep(10 * time.Second)
		want(t, "told", len(b.told()), 2)
		want(t, "revoked", len(r.log.events(session.EventRevoked)), 1)
		if strings.Contains(r.log.String(), "canary-in-a-panic") {
			t.Error("the log says what the panic said")
		}
	})
}
