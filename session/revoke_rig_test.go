package session_test

import (
	"context"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// bell is a Renewer that notes when it is told to revoke what, and how many such
// calls there are at a time.
type bell struct {
	*provider
	takes time.Duration

	mu     sync.Mutex
	answer func(n int) error // nil: done
	tokens []string
	times  []time.Time
	inside int
	most   int
}

func (b *bell) Revoke(_ context.Context, t session.Tokens) error {
	b.mu.Lock()
	token := t.Refresh.Reveal()
	if token == "" {
		token = t.Access.Reveal()
	}
	b.tokens, b.times = append(b.tokens, token), append(b.times, time.Now())
	b.inside++
	b.most = max(b.most, b.inside)
	n, answer := len(b.tokens), b.answer
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.inside--
		b.mu.Unlock()
	}()
	time.Sleep(b.takes)
	if answer != nil {
		return answer(n)
	}
	return nil
}

func (b *bell) fails(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = func(int) error { return err }
}

func (b *bell) told() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string{}, b.tokens...)
}

// signOut ends the session of ticket as its user does.
func (r *room) signOut(ticket session.Ticket) {
	r.t.Helper()
	if _, err := r.End(context.Background(), ticket, session.ReasonLogout); err != nil {
		r.t.Errorf("End: %v", err)
	}
}
