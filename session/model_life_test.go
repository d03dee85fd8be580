package session_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// life is what a session's life should be, as plainly as it can be said.
type life struct {
	ticket  session.Ticket
	subject string
	sid     string
	refresh string // as it was at sign-in
	started time.Time
	touched []time.Time // activities, the sign-in first
	ends    time.Time   // replaced by its own user; zero: not
	over    string      // why it was ended; "": it was not
}

const (
	lives = iota
	dead
	either // a kill may have taken the last activity
)

func (l *life) state(now time.Time, limits session.Limits, lost time.Duration) int {
	last, sure := l.touched[len(l.touched)-1], l.touched[0]
	for _, at := range l.touched {
		if !at.After(last.Add(-lost)) {
			sure = at
		}
	}
	if lost == 0 {
		sure = last
	}
	switch {
	case l.over != "", !now.Before(l.started.Add(limits.Absolute)), !l.ends.IsZero() && !now.Before(l.ends):
		return dead
	case now.Before(sure.Add(limits.Idle)):
		return lives
	case !now.Before(last.Add(limits.Idle)):
		return dead
	}
	return either
}

// user is one of those who work with a room at the same time: a model of the
// sessions of two subjects that nobody else touches.
type user struct {
	r     *room
	rand  *rand.Rand
	name  string
	all   []*life
	lost  time.Duration // what the last kills may have taken of each activity
	calls int
}

func (u *user) live(subject string) (live []*life) {
	for _, l := range u.all {
		if l.subject == subject && l.ends.IsZero() && u.state(l) != dead {
			live = append(live, l)
		}
	}
	return live
}

func (u *user) state(l *life) int { return l.state(time.Now(), u.r.limits, u.lost) }

func (u *user) start(subject string, previous *life) {
	in := u.r.provider.signIn(subject)
	in.SID = fmt.Sprintf("sid-%s-%d", subject, len(u.all))
	var old *session.Ticket
	if previous != nil {
		old = &previous.ticket
	}
	ticket, err := u.r.Start(u.r.t.Context(), in, old)
	if err != nil {
		u.r.t.Errorf("%s: Start: %v", u.name, err)
		return
	}
	if previous != nil && u.state(previous) == lives {
		switch {
		case previous.subject != subject:
			previous.over = session.ReasonReplaced
		case previous.ends.IsZero():
			previous.ends = time.Now().Add(30 * time.Second)
		}
	}
	u.all = append(u.all, &life{
		ticket: ticket, subject: subject, sid: in.SID, refresh: in.Tokens.Refresh.Reveal(), started: time.Now(), touched: []time.Time{time.Now()},
	})
	for live := u.live(subject); len(live) > u.r.limits.PerUser; live = live[1:] {
		live[0].over = session.ReasonPerUser
	}
}

// act does one random thing and compares what comes of it.
func (u *user) act() {
	u.calls++
	subject := u.name + []string{"-a", "-b"}[u.rand.IntN(2)]
	if len(u.all) == 0 {
		u.start(subject, nil)
		return
	}
	l := u.all[max(0, len(u.all)-1-u.rand.IntN(5))]
	ctx := u.r.t.Context()
	was := u.state(l)
	var err error
	switch u.rand.IntN(12) {
	case 0:
		u.start(subject, nil)
		return
	case 1:
		if was != either {
			u.start(subject, l)
		}
		return
	case 2:
		_, err = u.r.End(ctx, l.ticket, session.ReasonLogout)
		u.ended(l, session.ReasonLogout)
	case 3:
		err = u.logout(session.Logout{SID: l.sid})
		u.ended(l, session.ReasonBackchannel)
		was = either // none is no error
	case 4:
		err = u.logout(session.Logout{Subject: l.subject})
		for _, other := range u.all {
			if other.subject == l.subject {
				u.ended(other, session.ReasonBackchannel)
			}
		}
		was = either
	case 5:
		err = u.r.EndByKey(ctx, l.ticket.Key(), session.ReasonOperator)
		u.ended(l, session.ReasonOperator)
		if was == dead {
			was = either // it may not have been noticed yet
		}
	default:
		u.use(l, was)
		return
	}
	u.compare("end", was, err)
}

func (u *user) logout(l session.Logout) error {
	l.Provider, l.Reason = "main", session.ReasonBackchannel
	_, err := u.r.Logout(context.WithoutCancel(u.r.t.Context()), l)
	return err
}

func (u *user) ended(l *life, why string) {
	if u.state(l) != dead {
		l.over = why
	}
}

func (u *user) use(l *life, was int) {
	s, err := u.r.Resume(u.r.t.Context(), l.ticket)
	u.compare("resume", was, err)
	if err != nil {
		if was == either {
			l.over = session.ReasonIdle
		}
		return
	}
	s.Touch()
	l.touched = append(l.touched, time.Now())
	_, err = s.Access(u.r.t.Context())
	if l.ends.IsZero() && err != nil {
		u.r.t.Errorf("%s: no access token: %v", u.name, err)
	}
}

func (u *user) compare(what string, was int, err error) {
	u.r.t.Helper()
	if was == lives && err != nil || was == dead && !errors.Is(err, session.ErrNotFound) {
		u.r.t.Errorf("%s: %s: got %v, the model says %v", u.name, what, err, []string{"it lives", "it is over", "either"}[was])
	}
}

// settle presents every ticket, so that nothing is left to be noticed, and
// compares who is signed in.
func (u *user) settle() {
	for _, l := range u.all {
		was := u.state(l)
		_, err := u.r.Resume(u.r.t.Context(), l.ticket)
		u.compare("read back", was, err)
		if was == either && err != nil {
			l.over = session.ReasonIdle
		}
	}
}

// TestLifeAgainstModel plays random lives of the sessions of several users at
// the same time, on a real file, with restarts and kills, and reads them back
// (D12, E6, E11, E13, I2, I6).
func TestLifeAgainstModel(t *testing.T) {
	seeds := uint64(6)
	if testing.Short() {
		seeds = 2
	}
	calls := 0
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) { calls += playLives(t, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d histories of 6 users, %d calls", seeds, calls)
}

func playLives(t *testing.T, seed uint64) (calls int) {
	r := newRoom(t, func(r *room) {
		r.limits.Idle, r.limits.Absolute, r.limits.PerUser = 20*time.Minute, 2*time.Hour, 3
	})
	after := noteSuccessors(r.provider)
	random := rand.New(rand.NewPCG(seed, 3))
	users := make([]*user, 6)
	for i := range users {
		users[i] = &user{r: r, rand: rand.New(rand.NewPCG(seed, uint64(10+i))), name: fmt.Sprint("user", i)}
	}
	for range 5 {
		var working sync.WaitGroup
		for _, u := range users {
			working.Go(func() {
				for range 25 {
					u.act()
					time.Sleep(time.Duration(1+u.rand.IntN(90_000)) * time.Millisecond)
				}
			})
		}
		working.Wait()
		switch random.IntN(3) {
		case 0:
			r.restart()
		case 1:
			roomDesk{r}.restart(true)
			for _, u := range users {
				u.lost = 62 * time.Second // activity is written once a minute
			}
		}
		for _, u := range users {
			u.settle()
		}
	}
	time.Sleep(10 * time.Second)
	told := map[string]int{}
	for _, token := range r.provider.revocations() {
		told[token]++
	}
	for _, u := range users {
		calls += u.calls
		for _, l := range u.all {
			n, last := told[after.last(l.refresh)], l.refresh
			replaced := l.over == "" && !l.ends.IsZero()
			switch {
			case (u.state(l) == lives || replaced) && n > 0:
				t.Errorf("%s: %s of a session that lives, or was replaced by its own user, was revoked", u.name, last)
			case l.over != "" && l.ends.IsZero() && n == 0 && l.over != session.ReasonIdle:
				t.Errorf("%s: %s of a session that ended (%s) was not revoked", u.name, last, l.over)
			}
		}
	}
	return calls
}

// successors says which refresh token came after which.
type successors struct {
	mu   sync.Mutex
	next map[string]string
}

func noteSuccessors(p *provider) *successors {
	c := &successors{next: map[string]string{}}
	p.answer = func(_ int, old session.Tokens) (session.Tokens, error) {
		t := p.next()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.next[old.Refresh.Reveal()] = t.Refresh.Reveal()
		return t, nil
	}
	return c
}

func (c *successors) last(token string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.next[token] != "" {
		token = c.next[token]
	}
	return token
}
