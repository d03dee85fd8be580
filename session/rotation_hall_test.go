package session_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// hall is a Manager on a store in memory and a clock of its own, which makes a
// history of hours a matter of microseconds. What it leaves out of the real thing
// (the file, the ticker) the tests on a room have.
type hall struct {
	t       testing.TB
	now     time.Time
	m       *session.Manager
	shelf   *shelf
	every   time.Duration
	ended   *ends
	first   session.Ticket
	tick    time.Time // the next tick of the upkeep
	life    int       // one more after each restart
	evicted time.Time // when memory was last swept
}

var hallKeys = func() *session.Keyring {
	k, err := session.ParseKeyring([]byte(session.NewKey()))
	if err != nil {
		panic(err)
	}
	return k
}()

// hallLimits let a session be idle for hours.
var hallLimits = session.Limits{Idle: 47 * time.Hour, Absolute: 48 * time.Hour}

func newHall(t testing.TB, every time.Duration) *hall {
	h := &hall{
		t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), every: every,
		shelf: &shelf{records: map[session.Key]session.Record{}}, ended: &ends{},
	}
	h.open()
	ticket, err := h.m.Start(context.Background(), h.signIn(), nil)
	if err != nil {
		t.Fatal(err)
	}
	h.first = ticket
	return h
}

func (h *hall) signIn() session.SignIn {
	return session.SignIn{
		Identity: session.Identity{Provider: "main", Issuer: "https://id.test", ClientID: "spa", Subject: "alice"},
		Tokens:   session.Tokens{Access: "access", Refresh: "refresh", Obtained: h.now, Expires: h.now.Add(time.Hour)},
		Claims:   json.RawMessage(`{}`),
	}
}

func (h *hall) open() {
	limits := hallLimits
	limits.RotateEvery = h.every
	h.m = session.NewManager(session.Config{
		Store: h.shelf, Keys: hallKeys, Limits: limits, Log: slog.New(h.ended), Now: func() time.Time { return h.now },
		Providers: map[string]session.Provider{"main": {Renewer: nobody{}, Issuer: "https://id.test", ClientID: "spa"}},
	})
	h.tick, h.evicted = h.now.Add(time.Second), h.now
}

// restart ends the process, in order or by a kill, and starts it again.
func (h *hall) restart(kill bool) {
	if !kill {
		if err := h.m.Close(context.Background()); err != nil {
			h.t.Fatal(err)
		}
	}
	h.life++
	h.open()
}

// until lets time pass. Of the ticks in a long silence it does only those that
// may have something to do.
func (h *hall) until(then time.Time) {
	for i := 0; i < 3 && !h.tick.After(then); i++ {
		h.now = h.tick
		h.m.Upkeep()
		h.tick = h.now.Add(time.Second)
		if i == 1 {
			h.tick = h.now.Add(61 * time.Second) // activity is held back for a minute
		}
	}
	h.now = then
	if h.now.Sub(h.evicted) >= time.Minute {
		h.m.Evict()
		h.evicted = h.now
	}
	if next := h.now.Add(time.Second); h.tick.Before(h.now) || h.tick.After(next) {
		h.tick = next
	}
}

func (h *hall) pass(d time.Duration) { h.until(h.now.Add(d)) }

// resume presents a ticket.
func (h *hall) resume(t session.Ticket) (*session.Session, bool) {
	s, err := h.m.Resume(context.Background(), t)
	if err != nil {
		return nil, false
	}
	s.Touch()
	return s, true
}

// call is a request that is answered at once. It returns the ticket of the
// answer, or the same one.
func (h *hall) call(t session.Ticket) (next session.Ticket, served bool) {
	s, ok := h.resume(t)
	if !ok {
		return t, false
	}
	if s.Due(t) {
		if next, ok := s.Reissue(t); ok {
			return next, true
		}
	}
	return t, true
}

// nobody is a provider that is never asked anything that matters.
type nobody struct{}

func (nobody) Renew(_ context.Context, _ session.Identity, t session.Tokens) (session.Tokens, error) {
	return t, nil
}
func (nobody) Revoke(context.Context, session.Tokens) error { return nil }

// ends notes the reasons of the ends that the log tells of.
type ends struct {
	mu      sync.Mutex
	reasons []string
}

func (e *ends) Enabled(context.Context, slog.Level) bool { return true }
func (e *ends) WithAttrs([]slog.Attr) slog.Handler       { return e }
func (e *ends) WithGroup(string) slog.Handler            { return e }
func (e *ends) Handle(_ context.Context, r slog.Record) error {
	if r.Message != string(session.EventEnded) {
		return nil
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "reason" {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.reasons = append(e.reasons, a.Value.String())
		}
		return true
	})
	return nil
}

func (e *ends) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.reasons)
}

// shelf is the part of a store that a hall needs.
type shelf struct {
	session.Store
	mu      sync.Mutex
	records map[session.Key]session.Record
	writes  int // heads written
}

func (s *shelf) Create(_ context.Context, k session.Key, r session.Record, _ session.Filing) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records[k] = r
	return nil
}

func (s *shelf) Load(_ context.Context, k session.Key) (session.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.records[k]
	if !ok {
		return r, session.ErrNotFound
	}
	return r, nil
}

func (s *shelf) UpdateHeads(_ context.Context, updates []session.HeadUpdate) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range updates {
		if r, ok := s.records[u.Key]; ok {
			r.Head = u.Head
			s.records[u.Key] = r
			s.writes++
		}
	}
	return nil
}

func (s *shelf) Delete(_ context.Context, k session.Key, _ *session.Revocation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, k)
	return nil
}

func (s *shelf) PutRevocation(context.Context, session.Revocation) error { return nil }
func (s *shelf) DropRevocation(context.Context, [16]byte) error          { return nil }
