package session

import (
	"context"
	"encoding/json"
	"net/netip"
	"time"
)

// Identity is who a session belongs to, and where that is known from. The user
// is the pair of Issuer and Subject, never a name or an e-mail address.
type Identity struct {
	Provider string // the provider's name in the configuration
	Issuer   string // iss
	ClientID string // the client the tokens were issued to
	Subject  string // sub
	SID      string // sid, the provider's own session; may be empty
}

// Same reports whether a and b are the same user at the same issuer.
func (a Identity) Same(b Identity) bool { return a.Issuer == b.Issuer && a.Subject == b.Subject }

// Tokens is a token set as the provider issued it.
type Tokens struct {
	Access   Secret
	Refresh  Secret // empty: the provider gave none, and nothing can be renewed
	ID       Secret // the last ID token, as a JWT
	Scope    string // what was granted, space-separated
	Obtained time.Time
	Expires  time.Time // of Access; never zero

	// RefreshExpires is when Refresh runs out, if the provider said so.
	RefreshExpires time.Time
}

// SignIn is the result of a finished authentication: everything a session is
// made from.
type SignIn struct {
	Identity
	Tokens   Tokens
	Began    time.Time       // when the browser was sent to the provider; zero: when Tokens were obtained
	From     UserContext     // who came back from there
	Claims   json.RawMessage // a JSON object: what the browser may know of the user, and what rules need
	ACR      string          // acr of the ID token
	AuthTime time.Time       // auth_time of the ID token; zero if it had none
}

// Limits bounds the life of a session and says when its tokens are renewed.
type Limits struct {
	Idle     time.Duration // longest pause between two activities
	Absolute time.Duration // longest time since sign-in, however busy

	// RenewBefore is how long before its expiry an access token is renewed, or a
	// third of its life if that is shorter.
	RenewBefore time.Duration

	// RenewSpread is the part of that time, from 0 to 1, over which the renewals of
	// many sessions are spread: each begins its own part later. Users who signed in
	// together, or whose provider came back for all at once, would otherwise renew
	// together for ever.
	RenewSpread float64

	// RenewYield is how long a renewal that nobody waits for lets the call go first
	// that caused it: on a busy machine it takes more of it than the call does.
	RenewYield time.Duration

	// RenewTimeout is how long a call waits for a renewal that it depends on.
	RenewTimeout time.Duration

	// RotateEvery is how often the browser's ticket gets a new issue, by which a
	// copy of it is noticed; 0 is never.
	RotateEvery time.Duration

	// PerUser is how many sessions one user (issuer and sub) may have: a sign-in
	// beyond it ends the oldest. 0 is no limit.
	PerUser int

	// Streams is how many streams (WebSockets, event streams) one session may
	// hold open; 0 is no limit.
	Streams int

	// Watches is how many Watches one session may have; 0 is no limit.
	Watches int

	// InMemory is how many sessions are held in memory, about: beyond it those
	// least recently used are read from the store when they are next used. 0 is no
	// limit.
	InMemory int
}

// Info is what may be told about a session: who, since when, for how long.
type Info struct {
	Identity
	Claims   json.RawMessage
	Scope    string
	ACR      string
	AuthTime time.Time

	Started  time.Time
	Idle     time.Time // when it ends if nothing more happens
	Absolute time.Time // when it ends in any case

	TokenExpires time.Time // of the access token
	Renewable    bool      // whether there is a refresh token
}

// UserContext is where a request came from: a signal that a ticket may have
// changed hands, never an identity.
type UserContext struct {
	UserAgent string
	Address   netip.Addr // of the client; invalid if unknown
}

// Bind says what a change of a session's user context leads to.
type Bind string

// The values of Bind. What counts as a change of address is another network:
// /24 of IPv4, /48 of IPv6.
const (
	BindOff    Bind = "off"
	BindLog    Bind = "log"    // an audit event
	BindStrict Bind = "strict" // the end of the session
)

type contextKey struct{}

// NewContext returns a context that carries s.
func NewContext(ctx context.Context, s *Session) context.Context {
	return context.WithValue(ctx, contextKey{}, s)
}

// FromContext returns the session that ctx carries, or false.
func FromContext(ctx context.Context) (*Session, bool) {
	s, ok := ctx.Value(contextKey{}).(*Session)
	return s, ok
}
