package web

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// Counter is told what was refused, to count it. Implementations are safe for
// concurrent use and return at once. What they are told are words of the source
// and of the specifications, never what a client chose.
type Counter interface {
	// Refused tells of an answer that is a problem, by its code.
	Refused(code string)

	// SignInRefused tells of a sign-in that came back and gave no session, by the
	// reason of [session.EventSignInRefused].
	SignInRefused(reason string)
}

// noCount counts nothing.
type noCount struct{}

func (noCount) Refused(string)       {}
func (noCount) SignInRefused(string) {}

// untold counts calls that were refused because renewals at a provider are held
// back, until the log hears of them. The providers are those of the
// configuration: it does not grow.
type untold struct{ held map[string]*atomic.Int64 }

func newUntold(providers []Provider) *untold {
	u := &untold{map[string]*atomic.Int64{}}
	for _, p := range providers {
		u.held[p.Name()] = &atomic.Int64{}
	}
	return u
}

// Run tells the log every minute of refusals that had no line of their own, until
// ctx ends, and then of the last ones. Whoever makes a Server runs it beside; a
// Server serves without it, and those refusals are told of only as far as the same
// client is refused again.
func (s *Server) Run(ctx context.Context) {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.tellUntold()
		case <-ctx.Done():
			s.tellUntold()
			return
		}
	}
}

func (s *Server) tellUntold() {
	l := &s.limits
	for name, n := range map[string]int{
		l.signIns.name(): l.signIns.collect(), l.callbacks.name(): l.callbacks.collect() + l.strays.collect(),
		l.refusedTickets.name(): l.refusedTickets.collect(), l.renewals.name(): l.renewals.collect(),
	} {
		if n > 0 {
			session.Audit(context.Background(), s.log, session.EventRefused, slog.String("code", errTooMany.Code),
				slog.Int("status", errTooMany.Status), slog.String("error", (&overrun{limit: name}).Error()), slog.Int("times", n))
		}
	}
	for provider, n := range s.untold.held {
		if n := n.Swap(0); n > 0 {
			s.log.Warn("calls were refused: no renewal was tried, because of failures before", "provider", provider, "times", n)
		}
	}
}
