package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

var errDown = &session.Unavailable{Err: errors.New("503")}

// meter is a Renewer that notes when it is called and how many calls there are
// at a time, before it hands them on.
type meter struct {
	*provider
	answer func(t session.Tokens) (session.Tokens, error) // nil: the provider's
	takes  time.Duration

	mu     sync.Mutex
	calls  []time.Time
	inside int
	levels []int // inside, with each call
	done   int   // calls that are over
	before []int // done, as each call found it
}

func (m *meter) Renew(ctx context.Context, who session.Identity, t session.Tokens) (session.Tokens, error) {
	m.mu.Lock()
	m.calls = append(m.calls, time.Now())
	m.inside++
	m.levels, m.before = append(m.levels, m.inside), append(m.before, m.done)
	answer := m.answer
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		m.inside--
		m.done++
		m.mu.Unlock()
	}()
	time.Sleep(m.takes)
	if answer != nil {
		return answer(t)
	}
	return m.provider.Renew(ctx, who, t)
}

func (m *meter) set(answer func(session.Tokens) (session.Tokens, error)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answer = answer
}

// fails makes every call fail with err; nil: none.
func (m *meter) fails(err error) {
	if err == nil {
		m.set(nil)
		return
	}
	m.set(func(session.Tokens) (session.Tokens, error) { return session.Tokens{}, err })
}

// since returns the calls from then on.
func (m *meter) since(then time.Time) (out []time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, at := range m.calls {
		if !at.Before(then) {
			out = append(out, at)
		}
	}
	return out
}

func (m *meter) count() int { return len(m.since(time.Time{})) }

// reachable is a meter that can be asked something harmless.
type reachable struct {
	*meter
	reach func() error
	asked int
}

func (r *reachable) Reach(context.Context) error {
	r.meter.mu.Lock()
	r.asked++
	reach := r.reach
	r.meter.mu.Unlock()
	if reach != nil {
		return reach()
	}
	return nil
}

// behind puts w in front of the room's provider.
func behind(w session.Renewer) func(*room) {
	return func(r *room) {
		r.config = func(c *session.Config) {
			p := c.Providers["main"]
			p.Renewer = w
			c.Providers["main"] = p
		}
	}
}

// crowd signs in n users, all at once: the store takes them in few commits.
func (r *room) crowd(n int) []session.Ticket {
	r.t.Helper()
	tickets := make([]session.Ticket, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			var err error
			if tickets[i], err = r.Start(context.Background(), r.provider.signIn(fmt.Sprintf("user-%d", i)), nil); err != nil {
				r.t.Errorf("Start: %v", err)
			}
		})
	}
	all.Wait()
	return tickets
}

// try is one call on the ticket.
func (r *room) try(ticket session.Ticket) (string, error) {
	s, err := r.Resume(context.Background(), ticket)
	if err != nil {
		return "", err
	}
	token, err := s.Access(context.Background())
	return token.Reveal(), err
}

// retryAfter returns what err tells a caller to wait; false if it is no
// Unavailable.
func retryAfter(err error) (time.Duration, bool) {
	var wait *session.Unavailable
	if !errors.As(err, &wait) {
		return 0, false
	}
	return wait.RetryAfter, true
}

// elsewhere is a sign-in at another provider than "main".
func elsewhere(p *provider, name, subject string) session.SignIn {
	in := p.signIn(subject)
	in.Identity = session.Identity{Provider: name, Issuer: "https://" + name + ".test", ClientID: "spa", Subject: subject, SID: "sid-" + subject}
	in.Claims = json.RawMessage(`{}`)
	return in
}
