package session

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Renewer talks to the provider that issued a session's tokens. Implementations
// are safe for concurrent use, bound each call by a timeout of their own, never
// follow redirects, and send the refresh token at most once per call.
type Renewer interface {
	// Renew exchanges t.Refresh for a new token set. What the answer leaves out
	// (refresh token, ID token, scope) is taken over from t. The context carries
	// values only: it is not cancelled when a browser leaves.
	//
	// The error decides what becomes of the session:
	//
	//   - ErrRefused: the provider will not honour this refresh token again
	//     (invalid_grant), or the tokens are of another issuer or client and were
	//     not sent. The session is over.
	//   - ErrIdentity: the answer speaks of another user. The session is over; the
	//     returned Tokens are what was obtained, to be revoked.
	//   - ErrAmbiguous: the request was sent and no usable answer came, so the
	//     refresh token may be spent. If the answer at least held a new refresh
	//     token, it is the Refresh of the returned Tokens, otherwise that is empty.
	//   - anything else: the refresh token was certainly or very probably not
	//     consumed. Try again later; an *Unavailable says when.
	Renew(ctx context.Context, who Identity, t Tokens) (Tokens, error)

	// Revoke tells the provider to forget the tokens (RFC 7009). ErrNoRevocation
	// means that nobody was told, and that this is as it should be. An *Unavailable says that it is worth
	// trying again, other errors that it is not.
	Revoke(ctx context.Context, t Tokens) error
}

// Reacher is what a Renewer is too if it can find out whether its provider
// answers without sending it anything that matters.
type Reacher interface {
	// Reach asks the provider for something harmless; nil means that it answers.
	Reach(ctx context.Context) error
}

var (
	// ErrRefused means that the provider refused the refresh token for good.
	ErrRefused = errors.New("session: the provider refused the refresh token")

	// ErrIdentity means that renewed tokens belong to somebody else.
	ErrIdentity = errors.New("session: renewed tokens belong to another user")

	// ErrAmbiguous means that nobody can tell whether the refresh token was
	// consumed.
	ErrAmbiguous = errors.New("session: outcome of the renewal is unknown")

	// ErrNoRevocation means that the provider offers no revocation, or that none
	// is wanted.
	ErrNoRevocation = errors.New("session: the provider is not told of revocations")

	// ErrTooManyStreams means that the session holds as many streams as it may.
	ErrTooManyStreams = errors.New("session: too many streams")
)

// Unavailable means that something the session needs cannot be had now but may
// be had later: the provider is down, the store is full, a renewal takes too
// long. It never means that the session is over.
type Unavailable struct {
	RetryAfter time.Duration // when to try again; 0 if unknown
	Err        error         // the cause, for the log only
}

// Error describes the cause.
func (u *Unavailable) Error() string { return fmt.Sprintf("session: unavailable: %v", u.Err) }

// Unwrap returns the cause.
func (u *Unavailable) Unwrap() error { return u.Err }
