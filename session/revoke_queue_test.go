package session_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// ringing makes a room whose provider is b.
func ringing(b *bell) func(*room) {
	return func(r *room) { r.provider = b.provider; behind(b)(r) }
}

func newBell() *bell { return &bell{provider: &provider{lifetime: 5 * time.Minute}} }

// I2: killed right after the session was deleted, the revocation is there and is
// sent once by who comes next.
func TestRevocationIsFiledWithTheDeletion(t *testing.T) {
	tests := []struct {
		name string
		end  func(r *room, ticket session.Ticket)
	}{
		{"logout", func(r *room, ticket session.Ticket) { r.signOut(ticket) }},
		{"operator", func(r *room, ticket session.Ticket) {
			_ = r.EndByKey(r.t.Context(), ticket.Key(), session.ReasonOperator)
		}},
		{"idle", func(r *room, ticket session.Ticket) {
			time.Sleep(31 * time.Minute)
			_, _ = r.Resume(r.t.Context(), ticket)
		}},
		{"tombstone", func(r *room, ticket session.Ticket) {
			r.restart()
			if err := r.EndByKey(r.t.Context(), ticket.Key(), session.ReasonOperator); err != nil {
				r.t.Error(err)
			}
			r.dieAgain("Delete")
			_, _ = r.Resume(r.t.Context(), ticket)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBell()
				r := newRoom(t, ringing(b))
				ticket := r.signIn("alice", nil)
				r.die("Delete")
				go tt.end(r, ticket)
				<-r.died
				r.stop()
				synctest.Wait()
				want(t, "told before", b.told(), []string{})
				want(t, "filed", len(r.queued()), 1)
				r.crash()
				r.wantOver(ticket)
				time.Sleep(2 * time.Second)
				want(t, "told", b.told(), []string{"refresh-1"})
				want(t, "filed", len(r.queued()), 0)
				time.Sleep(time.Hour)
				want(t, "told in the end", len(b.told()), 1)
			})
		})
	}
}

// I2: attempts come at growing intervals, at least as far apart as the provider
// asks, until the token has run out by itself; that is one audit event.
func TestRevocationPauses(t *testing.T) {
	tests := []struct {
		name  string
		after time.Duration // Retry-After
		least []time.Duration
		most  time.Duration // between two attempts
		total [2]int
	}{
		{"no word of the provider", 0, []time.Duration{2, 4, 8, 16, 32, 64, 128, 256, 300, 300}, 376 * time.Second, [2]int{80, 110}},
		{"ten minutes", 10 * time.Minute, []time.Duration{600, 600, 600}, 602 * time.Second, [2]int{44, 49}},
		{"a second", time.Second, []time.Duration{2, 4, 8}, 376 * time.Second, [2]int{80, 110}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBell()
				b.fails(&session.Unavailable{RetryAfter: tt.after, Err: errors.New("503")})
				r := newRoom(t, ringing(b))
				r.signOut(r.signIn("alice", nil))
				time.Sleep(9 * time.Hour)
				for i, at := range b.times[1:] {
					pause := at.Sub(b.times[i])
					if i < len(tt.least) && (pause < tt.least[i]*time.Second || pause > tt.least[i]*time.Second*5/4+time.Second) {
						t.Errorf("pause %d: got %v, want a little more than %v s", i, pause, int(tt.least[i]))
					}
					if pause > tt.most {
						t.Errorf("pause %d: got %v, want %v at most", i, pause, tt.most)
					}
				}
				if n := len(b.times); n < tt.total[0] || n > tt.total[1] {
					t.Errorf("attempts: got %d, want %v", n, tt.total)
				}
				want(t, "filed", len(r.queued()), 0)
				want(t, "failed", len(r.log.events(session.EventRevokeFailed)), 1)
				want(t, "revoked", len(r.log.events(session.EventRevoked)), 0)
			})
		})
	}
}

// I2: nobody is told of a token that has run out by itself, and of an access
// token only while it is good.
func TestRevocationEndsWithItsToken(t *testing.T) {
	tests := []struct {
		name   string
		change func(*session.Tokens)
		wait   time.Duration // until the provider answers
		told   bool
	}{
		{"refresh token, in time", func(t *session.Tokens) { t.RefreshExpires = t.Obtained.Add(10 * time.Minute) }, 9 * time.Minute, true},
		{"refresh token, late", func(t *session.Tokens) { t.RefreshExpires = t.Obtained.Add(10 * time.Minute) }, 15 * time.Minute, false},
		{"access token alone, in time", func(t *session.Tokens) { t.Refresh = "" }, 2 * time.Minute, true},
		{"access token alone, late", func(t *session.Tokens) { t.Refresh = "" }, 6 * time.Minute, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBell()
				b.fails(errDown)
				r := newRoom(t, ringing(b))
				in := b.signIn("alice")
				tt.change(&in.Tokens)
				ticket, err := r.Start(t.Context(), in, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.signOut(ticket)
				synctest.Wait()
				r.close() // the next process finds it
				time.Sleep(tt.wait)
				before := len(b.told())
				b.fails(nil)
				r.open()
				time.Sleep(20 * time.Minute)
				want(t, "told", len(b.told())-before == 1, tt.told)
				want(t, "revoked", len(r.log.events(session.EventRevoked)) == 1, tt.told)
				want(t, "failed", len(r.log.events(session.EventRevokeFailed)) == 1, !tt.told)
				want(t, "filed", len(r.queued()), 0)
			})
		})
	}
}

// I2: a provider that is not to be told, or is not there any more, leaves
// nothing behind.
func TestRevocationForNobody(t *testing.T) {
	tests := []struct {
		name   string
		answer error
		config func(*session.Config) // of the second process
		failed int
	}{
		{"not to be told", session.ErrNoRevocation, nil, 0},
		{"gone from the configuration", errDown, func(c *session.Config) { delete(c.Providers, "main") }, 1},
		{"another client", errDown, func(c *session.Config) {
			p := c.Providers["main"]
			p.ClientID = "other"
			c.Providers["main"] = p
		}, 1},
		{"another issuer", errDown, func(c *session.Config) {
			p := c.Providers["main"]
			p.Issuer = "https://other.test"
			c.Providers["main"] = p
		}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBell()
				b.fails(tt.answer)
				r := newRoom(t, ringing(b))
				r.signOut(r.signIn("alice", nil))
				synctest.Wait()
				told := len(b.told())
				if tt.config != nil {
					r.config = func(c *session.Config) { tt.config(c) }
					r.restart()
				}
				time.Sleep(time.Minute)
				want(t, "told", len(b.told()), told)
				want(t, "filed", len(r.queued()), 0)
				want(t, "failed", len(r.log.events(session.EventRevokeFailed)), tt.failed)
				want(t, "revoked", len(r.log.events(session.EventRevoked)), 0)
			})
		})
	}
}

// I1, I2: whatever the store refuses, and in whatever order it and the provider
// come back: the session stays over, the provider is told in the end, and
// neither is asked in a hurry.
func TestRevocationWithSickStore(t *testing.T) {
	methods := []string{"Delete", "PutRevocation", "DropRevocation", "Revocations"}
	for bits := range 1 << len(methods) {
		for _, down := range []time.Duration{0, time.Minute, 10 * time.Minute} { // the provider
			var sick []string
			for i, m := range methods {
				if bits&(1<<i) != 0 {
					sick = append(sick, m)
				}
			}
			t.Run(fmt.Sprintf("%v fail, provider down for %v", sick, down), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBell()
					b.fails(errDown)
					r := newRoom(t, ringing(b))
					ticket := r.signIn("alice", nil)
					for _, m := range sick {
						r.store.set(m, errors.New("disk full"))
					}
					if down == 0 {
						b.fails(nil)
					}
					r.signOut(ticket)
					r.wantOver(ticket)
					time.Sleep(time.Minute)
					b.fails(nil)
					if down > time.Minute {
						b.fails(errDown)
					}
					time.Sleep(4 * time.Minute)
					r.wantOver(ticket)
					for _, m := range sick {
						r.store.set(m, nil)
					}
					time.Sleep(5 * time.Minute)
					b.fails(nil)
					time.Sleep(11 * time.Minute)
					if n := len(b.told()); n < 1 || n > 25 {
						t.Errorf("the provider was told %d times", n)
					}
					if len(r.log.events(session.EventRevoked)) == 0 {
						t.Error("not revoked")
					}
					want(t, "given up", len(r.log.events(session.EventRevokeFailed)), 0)
					want(t, "filed", len(r.queued()), 0)
					r.wantOver(ticket)
					r.restart()
					r.wantOver(ticket)
				})
			})
		}
	}
}

// I2: of ten thousand who sign out at once the provider hears from sixteen at a
// time, of each once.
func TestManyLogouts(t *testing.T) {
	const users = 10_000
	synctest.Test(t, func(t *testing.T) {
		b := newBell()
		b.takes = 300 * time.Millisecond
		r := newRoom(t, ringing(b))
		tickets := r.crowd(users)
		var all sync.WaitGroup
		for _, ticket := range tickets {
			all.Go(func() { r.signOut(ticket) })
		}
		all.Wait()
		time.Sleep(10 * time.Minute)
		want(t, "most at a time", b.most, 16)
		tokens := b.told()
		slices.Sort(tokens)
		want(t, "told, and of whom", [2]int{len(tokens), len(slices.Compact(tokens))}, [2]int{users, users})
		want(t, "filed", len(r.queued()), 0)
	})
}

// I2: what was done while the queue was being read is not done again.
func TestQueueReadMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBell()
		b.takes = 700 * time.Millisecond
		r := newRoom(t, ringing(b))
		r.store.after = func(method string) {
			if method == "Revocations" {
				time.Sleep(900 * time.Millisecond)
			}
		}
		for _, ticket := range r.crowd(64) {
			r.signOut(ticket)
		}
		time.Sleep(time.Minute)
		want(t, "told", len(b.told()), 64)
		want(t, "revoked", len(r.log.events(session.EventRevoked)), 64)
	})
}

// I2: one provider that hangs keeps no other from being told.
func TestRevocationAtAnotherProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, c := newBell(), newBell()
		b.takes = time.Hour
		r := newRoom(t, func(r *room) {
			r.provider = b.provider
			r.config = func(conf *session.Config) {
				conf.Providers["main"] = session.Provider{Renewer: b, Issuer: "https://id.test", ClientID: "spa"}
				conf.Providers["other"] = session.Provider{Renewer: c, Issuer: "https://other.test", ClientID: "spa"}
			}
		})
		for _, ticket := range r.crowd(40) {
			r.signOut(ticket)
		}
		ticket, err := r.Start(t.Context(), elsewhere(c.provider, "other", "carol"), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.signOut(ticket)
		time.Sleep(time.Second)
		want(t, "told the other", len(c.told()), 1)
	})
}

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
