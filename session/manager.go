package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Provider is one provider as the Manager needs it.
type Provider struct {
	Renewer

	// Issuer and ClientID pin the sessions: tokens that were issued elsewhere are
	// never sent to this provider, even if it took over the name in the
	// configuration (D14).
	Issuer, ClientID string

	// Reuse is what the provider does when a refresh token is sent a second time.
	Reuse Reuse

	// Blocking makes calls wait for a renewal that is due, instead of going on
	// with the old access token: some providers kill it when they rotate.
	Blocking bool
}

// ReuseMode is how a provider treats a refresh token that it has exchanged
// already.
type ReuseMode string

// The values of ReuseMode.
const (
	ReuseNone      ReuseMode = "none"      // as theft: the grant is gone
	ReuseGrace     ReuseMode = "grace"     // answers with a new one for a while
	ReuseSame      ReuseMode = "same"      // answers with the same successor for a while
	ReuseCount     ReuseMode = "count"     // answers a few more times
	ReuseUnlimited ReuseMode = "unlimited" // answers always: it does not rotate, or old ones stay good
)

// Reuse decides when a refresh token whose use had no known end is sent again.
// The zero value is that of a provider of which nothing is known: ReuseNone.
type Reuse struct {
	Mode   ReuseMode
	Window time.Duration // of ReuseGrace and ReuseSame
}

// Config is what a Manager is made from. All of it is required but Bind,
// Metrics and Now.
type Config struct {
	Store     Store
	Keys      *Keyring
	Limits    Limits
	Bind      Bind                // empty: BindOff
	Providers map[string]Provider // by name
	Log       *slog.Logger
	Metrics   Metrics // nil: nobody counts

	// Now tells the time; nil is a clock that follows the machine's at the start
	// and from then on only what has elapsed: setting the machine's clock neither
	// ends sessions nor revives them.
	Now func() time.Time
}

// Metrics is told what happens, to count it. Implementations are safe for
// concurrent use and return at once.
type Metrics interface {
	// Renewal tells how a call to the provider ended: OutcomeRenewed and so on.
	Renewal(provider, outcome string, took time.Duration)

	// Rotation tells whether a renewal brought another refresh token.
	Rotation(provider string, rotated bool)

	// Reuse tells whether the provider honoured a refresh token that it was sent
	// for the second time: what Provider.Reuse should say.
	Reuse(provider string, honoured bool)

	// Breaker tells whether renewals at the provider are held back.
	Breaker(provider string, open bool)

	// Began and Ended count sessions; reason is one of Reason….
	Began(provider string)
	Ended(provider, reason string)

	// Revocations tells how many are waiting (at most a thousand are counted), and since when the
	// oldest; zero if there is none.
	Revocations(pending int, oldest time.Time)
}

// Outcomes of a renewal, as Metrics is told.
const (
	OutcomeRenewed     = "renewed"
	OutcomeRefused     = "refused"     // the session is over
	OutcomeIdentity    = "identity"    // the session is over
	OutcomeUnknown     = "unknown"     // the refresh token may be spent
	OutcomeUnavailable = "unavailable" // it is not
)

// Logout is a provider's word that sessions are over: OpenID Connect
// Back-Channel Logout 1.0, 2.7, and Front-Channel Logout 1.0, 3.
type Logout struct {
	Provider string    // its name in the configuration
	Subject  string    // sub; with an empty SID, all sessions of that user
	SID      string    // sid: that session alone
	ID       string    // jti: the same one counts once; empty: it has none
	IDUntil  time.Time // when ID may be forgotten: no later message with it would be accepted
	Reason   string    // ReasonBackchannel or ReasonFrontchannel
}

// Manager begins, resumes, renews and ends sessions. It is safe for concurrent
// use. Sessions in use are held in memory, so that a call on one touches
// neither the store nor a lock shared with others; whoever makes a Manager runs
// [Manager.Run] beside it and calls [Manager.Close] at the end.
type Manager struct {
	store     Store
	keys      *Keyring
	limits    Limits
	providers map[string]Provider
	log       *slog.Logger
	now       func() time.Time

	open sync.Map // Key → *Session: the sessions in memory

	// ended remembers the keys of sessions that ended lately (Key → *burial), so
	// that a load which read the record before it was deleted cannot bring the
	// session back, and a deletion that the store refused still holds.
	ended sync.Map

	heads sync.Mutex // held while heads are sealed and written

	mu        sync.Mutex
	dirty     map[*Session]struct{} // activity not yet written; guarded by mu
	streaming map[*Session]struct{} // with open streams or downloads; guarded by mu
	closing   chan struct{}         // closed under mu
	work      sync.WaitGroup        // renewals, revocations; Add under mu while not closing
}

// NewManager returns a Manager for c.
func NewManager(c Config) *Manager {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Manager{
		store: c.Store, keys: c.Keys, limits: c.Limits, providers: c.Providers, log: c.Log, now: c.Now,
		closing: make(chan struct{}), dirty: map[*Session]struct{}{}, streaming: map[*Session]struct{}{},
	}
}

// Start begins a session for in and returns its ticket; both are durable when
// it returns. The ticket that the browser presented before, if any, is replaced
// (nil: there was none): a session of the same user serves 30 s more, so that
// its other tabs do not break, and renews nothing; a session of another user
// ends at once.
func (m *Manager) Start(ctx context.Context, in SignIn, previous *Ticket) (Ticket, error) {
	now := m.now()
	t := NewTicket(now)
	s := m.newSession(t, head{Identity: in.Identity, Started: now, Seen: now})
	s.content.Store(&version{
		content: content{Identity: in.Identity, Tokens: in.Tokens, Claims: in.Claims, ACR: in.ACR, AuthTime: in.AuthTime}, number: 1,
	})
	record, filing, err := s.file()
	if err != nil {
		return Ticket{}, fmt.Errorf("session: start: %w", err)
	}
	if err := m.store.Create(ctx, s.key, record, filing); err != nil {
		// Nobody will ever hold this session: its tokens must not outlive it.
		m.revoke(s.key, in.Identity, in.Tokens)
		return Ticket{}, &Unavailable{Err: fmt.Errorf("start: %w", err)}
	}
	m.open.Store(s.key, s)
	m.audit(EventSignIn, s.key, in.Identity)
	if previous != nil {
		m.replace(ctx, *previous, in.Identity)
	}
	return t, nil
}

// Resume returns the live session that t opens, or ErrNotFound. An *Unavailable
// means that the store can't be asked. Resume is no activity.
func (m *Manager) Resume(ctx context.Context, t Ticket) (*Session, error) {
	key := t.Key()
	var s *Session
	if v, ok := m.open.Load(key); ok {
		s = v.(*Session)
	} else {
		loaded, err := m.load(ctx, key, t)
		if err != nil {
			return nil, err
		}
		s = loaded
	}
	now := m.now()
	if reason := s.expired(now); reason != "" {
		m.end(s, reason)
		return nil, ErrNotFound
	}
	s.used.Store(now.UnixMilli())
	return s, nil
}

// Once reports whether value is presented for the first time until the given
// time; kind keeps different uses apart. The answer true is durable: it is given
// once, whatever crashes. Only a digest of value is kept.
func (m *Manager) Once(ctx context.Context, kind string, value Secret, until time.Time) (bool, error) {
	first, err := m.store.MarkUsed(ctx, mark(kind, []byte(value.Reveal())), until)
	if err != nil {
		return false, &Unavailable{Err: err}
	}
	return first, nil
}

// Ready reports whether sessions can be begun and renewed now: an error names
// what is wrong with the store.
func (m *Manager) Ready(ctx context.Context) error { return m.store.Ping(ctx) }

// load reads a session from the store into memory.
func (m *Manager) load(ctx context.Context, key Key, t Ticket) (*Session, error) {
	record, err := m.store.Load(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, &Unavailable{Err: fmt.Errorf("load: %w", err)}
	}
	if !record.Live() {
		m.buryLate(key, t, record)
		return nil, ErrNotFound
	}
	s, err := m.unseal(key, t, record)
	if err != nil {
		m.audit(EventUnreadable, key, Identity{}, slog.String("error", err.Error()))
		return nil, ErrNotFound
	}
	if _, ok := m.provider(s.who); !ok {
		m.audit(EventUnreadable, key, s.who, slog.String("error", "its provider is no longer configured with this issuer and client_id"))
		return nil, ErrNotFound
	}
	v, _ := m.open.LoadOrStore(key, s)
	if _, over := m.ended.Load(key); over {
		m.open.CompareAndDelete(key, v)
		return nil, ErrNotFound
	}
	s = v.(*Session)
	if in := s.content.Load().Intent; in != nil && in.Attempt >= maxAttempts && s.content.Load().found {
		m.end(s, ReasonOwnCrash)
		return nil, ErrNotFound
	}
	return s, nil
}

// provider returns the provider that issued who's tokens, if it is configured
// with the same issuer and client still.
func (m *Manager) provider(who Identity) (Provider, bool) {
	p, ok := m.providers[who.Provider]
	return p, ok && p.Issuer == who.Issuer && p.ClientID == who.ClientID
}

// unseal opens both values of a record.
func (m *Manager) unseal(key Key, t Ticket, r Record) (*Session, error) {
	plain, err := m.keys.open(slot{bucketHead, key, 0}, nil, r.Head)
	if err != nil {
		return nil, err
	}
	h, err := unmarshalHead(plain)
	if err != nil {
		return nil, err
	}
	c, err := m.unsealContent(key, t, r)
	if err != nil {
		return nil, err
	}
	s := m.newSession(t, h)
	s.content.Store(&version{content: c, number: r.Version, found: true})
	return s, nil
}

func (m *Manager) unsealContent(key Key, t Ticket, r Record) (content, error) {
	plain, err := m.keys.open(slot{bucketTokens, key, r.Version}, &t, r.Tokens)
	if err != nil {
		return content{}, err
	}
	return unmarshalContent(plain)
}

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
