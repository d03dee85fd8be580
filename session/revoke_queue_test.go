package session_test

import (
	"errors"
	"fmt"
	"slices"
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
				synctest.Wait()
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
	const users = 4_000
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
		synctest.Wait()
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
