package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Manager begins, resumes, renews and ends sessions. It is safe for concurrent
// use. Sessions in use are held in memory, so that a call on one touches
// neither the store nor a lock shared with others; whoever makes a Manager runs
// [Manager.Run] beside it and calls [Manager.Close] at the end.
type Manager struct {
	store     Store
	keys      atomic.Pointer[Keyring]
	limits    Limits
	bind      Bind
	providers map[string]Provider
	gates     map[string]*gate // by provider
	log       *slog.Logger
	metrics   Metrics
	now       func() time.Time
	clock     *clock // behind now; nil if now is the caller's

	open openSessions

	// ended remembers the keys of sessions that ended lately (Key → *burial), so
	// that a load which read the record before it was deleted cannot bring the
	// session back, and a deletion that the store refused still holds.
	ended sync.Map

	// revoking holds what is known of revocations that the store may not know yet
	// (ID → stage).
	revoking sync.Map
	inHand   atomic.Int64             // how many are
	revokers map[string]chan struct{} // by provider; has room for as many as it may be told at a time

	heads  sync.Mutex // held while heads are sealed and written
	probe  probe      // guarded by heads
	probed time.Time  // when the probe was last written; guarded by heads

	flushing, sweeping pace

	lost once // sessions that cannot be read, as far as that was told

	mu        sync.Mutex
	dirty     map[*Session]struct{}      // activity not yet written; guarded by mu
	streaming map[*Session]struct{}      // with open streams, downloads or watches; guarded by mu
	burying   map[chan struct{}]struct{} // burials in the store, until memory follows; guarded by mu
	closing   chan struct{}              // closed under mu
	work      sync.WaitGroup             // renewals, revocations; Add under mu while not closing
}

// NewManager returns a Manager for c.
func NewManager(c Config) *Manager {
	m := &Manager{
		store: c.Store, limits: c.Limits, bind: cmp.Or(c.Bind, BindOff), providers: c.Providers,
		log: c.Log, metrics: c.Metrics, now: c.Now,
		closing: make(chan struct{}), dirty: map[*Session]struct{}{}, streaming: map[*Session]struct{}{}, burying: map[chan struct{}]struct{}{},
		gates: map[string]*gate{}, revokers: map[string]chan struct{}{},
	}
	if m.now == nil {
		m.clock = newClock()
		m.now = m.clock.now
	}
	if m.metrics == nil {
		m.metrics = noMetrics{}
	}
	m.keys.Store(c.Keys)
	for name, p := range c.Providers {
		m.gates[name], m.revokers[name] = m.newGate(name, p), make(chan struct{}, mostRevokers)
	}
	return m
}

// Start begins a session for in and returns its ticket; both are durable when
// it returns. The ticket that the browser presented before, if any, is replaced
// (nil: there was none): a session of the same user serves 30 s more, so that
// its other tabs do not break, and renews nothing; a session of another user
// ends at once. So does the oldest session of a user who has too many.
//
// ErrSignedOut means that the provider said meanwhile that it is over; an
// *Unavailable that the store refused. There is no session then, and the tokens
// are being revoked.
func (m *Manager) Start(ctx context.Context, in SignIn, previous *Ticket) (Ticket, error) {
	now := m.now()
	t := NewTicket(now)
	in.Tokens, in.Began = m.oursAll(in.Tokens, Tokens{}), m.ours(in.Began)
	s := m.newSession(t, head{
		Identity: in.Identity, Started: now, Seen: now, Origin: in.From.origin(),
		Issues: lineage{confirmed: t.issue, confirmedAt: t.issue},
	})
	s.content.Store(&version{
		content: content{Tokens: in.Tokens, Claims: in.Claims, ACR: in.ACR, AuthTime: in.AuthTime}, number: 1,
	})
	record, filing, err := s.file()
	if err != nil {
		return Ticket{}, fmt.Errorf("session: start: %w", err)
	}
	filing.SubjectSince, filing.SIDSince = in.Tokens.Obtained, in.Began
	if in.Began.IsZero() {
		filing.SIDSince = in.Tokens.Obtained
	}
	if err := m.store.Create(ctx, s.key, record, filing); err != nil {
		// Nobody will ever hold this session: its tokens must not outlive it.
		m.revoke(s.key, in.Identity, in.Tokens)
		if errors.Is(err, ErrSignedOut) {
			return Ticket{}, ErrSignedOut
		}
		return Ticket{}, &Unavailable{Err: fmt.Errorf("start: %w", err)}
	}
	m.open.Store(s.key, s)
	if _, over := m.ended.Load(s.key); over { // a logout found it before this did
		m.open.CompareAndDelete(s.key, s)
		if s.shut("") {
			m.drop(s)
		}
		return Ticket{}, ErrSignedOut
	}
	attrs := []slog.Attr{slog.String("user_agent", s.origin.agent.String())}
	if in.From.Address.IsValid() {
		attrs = append(attrs, slog.String("client", in.From.Address.String()))
	}
	m.audit(EventSignIn, s.key, in.Identity, attrs...)
	m.metrics.Began(in.Provider)
	if previous != nil {
		m.replace(ctx, *previous, in.Identity)
	}
	m.capUser(ctx, in.Identity)
	return t, nil
}

// Resume returns the live session that t opens, or ErrNotFound. An *Unavailable
// means that the store can't be asked. Resume is no activity. A ticket that
// somebody else has gone on with ends the session.
func (m *Manager) Resume(ctx context.Context, t Ticket) (*Session, error) {
	return m.resume(ctx, t, retireAfter)
}

// ResumeBody is Resume for a request with a body. Some proxies pass such a one
// on only when the body is whole: its ticket may be as old as the upload took,
// and that it was retired minutes ago is no sign of theft.
func (m *Manager) ResumeBody(ctx context.Context, t Ticket) (*Session, error) {
	return m.resume(ctx, t, bodyAfter)
}

func (m *Manager) resume(ctx context.Context, t Ticket, grace time.Duration) (*Session, error) {
	s, err := m.find(ctx, t)
	if err != nil {
		return nil, err
	}
	if !s.present(t.issue, grace) {
		m.end(s, ReasonReplay)
		return nil, ErrNotFound
	}
	return s, nil
}

// find is Resume for a ticket that no browser presents at this moment: how old
// its issue is says nothing.
func (m *Manager) find(ctx context.Context, t Ticket) (*Session, error) {
	s, err := m.hold(ctx, t, nil)
	if err != nil {
		return nil, err
	}
	if reason := s.expired(m.now()); reason != "" {
		m.end(s, reason)
		return nil, ErrNotFound
	}
	return s, nil
}

// hold returns the session of t from memory or the store. It stays in memory for
// a while from now on: of two Sessions of one ticket, only one is ever in use.
// successor is who signs in again in its place, if anybody does.
func (m *Manager) hold(ctx context.Context, t Ticket, successor *Identity) (*Session, error) {
	key := t.Key()
	for {
		s, ok := m.open.Load(key)
		if !ok {
			var err error
			if s, err = m.load(ctx, key, t, successor); err != nil {
				return nil, err
			}
		}
		if s.loading.Load() {
			if _, over := m.ended.Load(key); over {
				return nil, ErrNotFound
			}
		}
		// Upkeep, which is about to drop it, sees the one or this sees the other.
		if s.used.Store(m.now().UnixMilli()); !s.gone() {
			return s, nil
		}
	}
}

// Now is the time by which sessions are begun, counted and ended.
func (m *Manager) Now() time.Time { return m.now() }

// Limits returns the limits that sessions have.
func (m *Manager) Limits() Limits { return m.limits }

// Open reports whether the session of t is in memory: resuming it asks no
// store.
func (m *Manager) Open(t Ticket) bool {
	_, ok := m.open.Load(t.Key())
	return ok
}

// Once reports whether value is presented for the first time until the given
// time; kind keeps different uses apart. The answer true is durable: it is given
// once, whatever crashes. Only a digest of value is kept.
func (m *Manager) Once(ctx context.Context, kind string, value Secret, until time.Time) (bool, error) {
	first, err := m.store.MarkUsed(ctx, mark(kind, []byte(value.Reveal())), m.ours(until))
	if err != nil {
		return false, &Unavailable{Err: err}
	}
	return first, nil
}

// Ready reports whether sessions can be begun and renewed now: an error names
// what is wrong with the store.
func (m *Manager) Ready(ctx context.Context) error { return m.store.Ping(ctx) }

// spawn runs f beside the caller unless the Manager is closing.
func (m *Manager) spawn(f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.isClosing() {
		return false
	}
	m.work.Go(f)
	return true
}

func (m *Manager) isClosing() bool {
	select {
	case <-m.closing:
		return true
	default:
		return false
	}
}
