package session

import "time"

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

	// Loaded counts sessions that were read from the store into memory.
	Loaded(provider string)

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

// noMetrics counts nothing.
type noMetrics struct{}

func (noMetrics) Renewal(string, string, time.Duration) {}
func (noMetrics) Rotation(string, bool)                 {}
func (noMetrics) Reuse(string, bool)                    {}
func (noMetrics) Breaker(string, bool)                  {}
func (noMetrics) Loaded(string)                         {}
func (noMetrics) Began(string)                          {}
func (noMetrics) Ended(string, string)                  {}
func (noMetrics) Revocations(int, time.Time)            {}
