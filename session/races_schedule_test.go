package session_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// jitterStore makes its calls take random times, before and after they work.
// Heads are left alone: they are written under a lock, and whoever waits for a
// lock stops a fake clock.
type jitterStore struct{ session.Store }

func jitter() { time.Sleep(rand.N(2 * time.Millisecond)) }

func (j jitterStore) Create(ctx context.Context, k session.Key, r session.Record, f session.Filing) error {
	jitter()
	defer jitter()
	return j.Store.Create(ctx, k, r, f)
}

func (j jitterStore) Load(ctx context.Context, k session.Key) (session.Record, error) {
	jitter()
	defer jitter()
	return j.Store.Load(ctx, k)
}

func (j jitterStore) SwapTokens(ctx context.Context, k session.Key, u session.TokensUpdate) error {
	jitter()
	defer jitter()
	return j.Store.SwapTokens(ctx, k, u)
}

func (j jitterStore) Delete(ctx context.Context, k session.Key, r *session.Revocation) error {
	jitter()
	defer jitter()
	return j.Store.Delete(ctx, k, r)
}

func (j jitterStore) Bury(ctx context.Context, b session.Burial) ([]session.Key, error) {
	jitter()
	defer jitter()
	return j.Store.Bury(ctx, b)
}

func (j jitterStore) Find(ctx context.Context, ix session.IndexKey) ([]session.Key, error) {
	jitter()
	defer jitter()
	return j.Store.Find(ctx, ix)
}

// chain is a provider that rotates and knows which refresh token followed which.
type chain struct {
	*provider
	mu    sync.Mutex
	after map[string]string
	told  map[string]int
}

func (c *chain) Renew(_ context.Context, _ session.Identity, t session.Tokens) (session.Tokens, error) {
	time.Sleep(rand.N(4 * time.Millisecond))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.after[t.Refresh.Reveal()] != "" {
		return session.Tokens{}, session.ErrRefused
	}
	next := c.next()
	c.after[t.Refresh.Reveal()] = next.Refresh.Reveal()
	return next, nil
}

func (c *chain) Revoke(_ context.Context, t session.Tokens) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told[t.Refresh.Reveal()]++
	return nil
}

// last returns the newest refresh token that came from first.
func (c *chain) last(first string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.after[first] != "" {
		first = c.after[first]
	}
	return first
}

// schedule is one user's share of a race: a session, ends, calls, a renewal and a
// second sign-in, each at a random moment.
type schedule struct {
	t      *testing.T
	r      *room
	c      *chain
	user   string
	ticket session.Ticket
	first  string      // refresh token
	over   atomic.Bool // an end has returned nil

	mu    sync.Mutex
	late  session.Ticket // of the second sign-in, if it gave one
	began time.Time
	said  time.Time // when a logout of the sid was called that returned nil
}

func (s *schedule) run() {
	var all sync.WaitGroup
	at := func(f func()) { all.Go(func() { time.Sleep(rand.N(6 * time.Millisecond)); f() }) }
	for range 1 + rand.N(2) {
		at(s.end)
	}
	for range 3 {
		at(func() {
			for range 3 {
				s.call()
				time.Sleep(rand.N(2 * time.Millisecond))
			}
		})
	}
	if rand.N(2) == 0 {
		at(s.signInAgain)
	}
	all.Wait()
	s.call()
}

// end is one way to end the session. That it is not there any more is as good.
func (s *schedule) end() {
	ctx, say := context.Background(), session.Logout{Provider: "main", Subject: s.user, Reason: session.ReasonBackchannel}
	var err error
	called := time.Now()
	switch rand.N(4) {
	case 0:
		_, err = s.r.End(ctx, s.ticket, session.ReasonLogout)
	case 1:
		err = s.r.EndByKey(ctx, s.ticket.Key(), session.ReasonOperator)
	case 2:
		_, err = s.r.Logout(ctx, say)
	default:
		say.SID = "sid-" + s.user
		if _, err = s.r.Logout(ctx, say); err == nil {
			s.mu.Lock()
			s.said = called
			s.mu.Unlock()
		}
	}
	switch {
	case err == nil:
		s.over.Store(true)
	case !errors.Is(err, session.ErrNotFound):
		s.t.Errorf("%s: end: %v", s.user, err)
	}
}

// call resumes the session and asks for a token: after the end, in vain.
func (s *schedule) call() {
	over := s.over.Load()
	held, err := s.r.Resume(context.Background(), s.ticket)
	if over && !errors.Is(err, session.ErrNotFound) {
		s.t.Errorf("%s: Resume after the end: %v", s.user, err)
	}
	if err != nil {
		return
	}
	over = s.over.Load()
	if _, err = held.Access(context.Background()); over && !errors.Is(err, session.ErrNotFound) {
		s.t.Errorf("%s: Access after the end: %v", s.user, err)
	}
}

// signInAgain is a sign-in in the same session of the provider, begun a little
// while ago.
func (s *schedule) signInAgain() {
	in := s.c.signIn(s.user)
	in.Began = time.Now().Add(-rand.N(3 * time.Millisecond))
	ticket, err := s.r.Start(context.Background(), in, nil)
	if err != nil {
		if !errors.Is(err, session.ErrSignedOut) {
			s.t.Errorf("%s: Start: %v", s.user, err)
		}
		return
	}
	s.mu.Lock()
	s.late, s.began = ticket, in.Began
	s.mu.Unlock()
}

// check looks at what is left, after a restart too.
func (s *schedule) check(when string) {
	if _, err := s.r.Resume(context.Background(), s.ticket); !errors.Is(err, session.ErrNotFound) {
		s.t.Errorf("%s %s: resurrected: %v", s.user, when, err)
	}
	if s.late == (session.Ticket{}) || s.said.IsZero() || s.began.UnixMilli() > s.said.UnixMilli() {
		return
	}
	if _, err := s.r.Resume(context.Background(), s.late); !errors.Is(err, session.ErrNotFound) {
		s.t.Errorf("%s %s: a sign-in begun before the logout lives: %v", s.user, when, err)
	}
}

// I8, D12, R22, experiment 24: logouts of all kinds against loads, renewals,
// sign-ins and upkeep in thousands of random orders. Once one has returned, no
// later call on the session succeeds, nothing brings it back, and the newest
// refresh token it ever had is revoked. CLOAKROOM_SCHEDULES sets how many.
func TestRandomSchedules(t *testing.T) {
	total := 300
	if n, err := strconv.Atoi(os.Getenv("CLOAKROOM_SCHEDULES")); err == nil {
		total = n
	}
	const users = 100
	for round := range total / users {
		synctest.Test(t, func(t *testing.T) {
			c := &chain{provider: &provider{lifetime: 5 * time.Minute}, after: map[string]string{}, told: map[string]int{}}
			r := newRoom(t, func(r *room) {
				r.provider = c.provider
				r.config = func(conf *session.Config) {
					p := conf.Providers["main"]
					p.Renewer = c
					conf.Providers["main"], conf.Store = p, jitterStore{conf.Store}
				}
			})
			all := make([]*schedule, users)
			each := func(f func(*schedule)) {
				var group sync.WaitGroup
				for _, s := range all {
					group.Go(func() { f(s) })
				}
				group.Wait()
			}
			for i := range all {
				all[i] = &schedule{t: t, r: r, c: c, user: fmt.Sprintf("%d-%d", round, i)}
			}
			each(func(s *schedule) {
				in := c.signIn(s.user)
				s.first = in.Tokens.Refresh.Reveal()
				in.Tokens.Expires = in.Tokens.Expires.Add(rand.N(10 * time.Minute)) // half of them are to be renewed
				var err error
				if s.ticket, err = r.Start(t.Context(), in, nil); err != nil {
					t.Fatal(err)
				}
			})
			time.Sleep(9*time.Minute + 59*time.Second)
			switch round % 3 { // in memory; evicted by upkeep while they race; only in the file
			case 1:
				time.Sleep(time.Minute)
			case 2:
				r.restart()
			}
			time.Sleep(time.Second - 3*time.Millisecond - time.Duration(time.Now().Nanosecond())%time.Second + time.Second)
			each((*schedule).run)
			each(func(s *schedule) { s.check("at the end") })
			r.restart()
			each(func(s *schedule) { s.check("after a restart") })
			time.Sleep(10 * time.Second)
			c.mu.Lock()
			told := c.told
			c.told = nil
			c.mu.Unlock()
			for _, s := range all {
				if n := told[c.last(s.first)]; n != 1 {
					t.Errorf("%s: its newest refresh token was revoked %d times, want once", s.user, n)
				}
			}
		})
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
}
