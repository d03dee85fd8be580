package session

import (
	"log/slog"
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
