package web

import (
	"net/netip"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/cloakroom/cloakroom/session"
)

// Rates bounds how often a client may cause what costs more than its own
// request (K2): events a minute, and as many at once after a pause. 0 is no
// limit. All but Renewals are counted per address: IPv4 by itself, IPv6 by its
// /64, which is what one customer gets.
type Rates struct {
	SignIns        int // sign-ins begun
	Callbacks      int // sign-ins that come back to their browser, and as many others: see strays
	Renewals       int // renewals asked for by the app, per session
	RefusedTickets int // tickets that opened no session, each counted once
	Reports        int // of browsers about the Content-Security-Policy, many in one request
}

// maxCounters bounds what one allowance remembers, and what the log does, at some
// 15 MB each. Whoever has more addresses than that makes the oldest counters begin
// anew: a counter that is forgotten refuses nobody.
const maxCounters = 50_000

// allowances are the limits of one server.
type allowances struct {
	signIns, callbacks, refusedTickets *allowance[netip.Addr]
	reports                            *allowance[netip.Addr]
	renewals                           *allowance[string]

	// strays has what anybody can send: callbacks to a browser that has no sign-in
	// they belong to, and logouts that are refused. They are counted apart from
	// callbacks, so that nobody keeps others at an address from signing in by them.
	strays *allowance[netip.Addr]

	// gone remembers tickets that opened no session: a page that is left open with
	// one comes again and again, and must not use up what others at its address
	// have.
	gone *lru.Cache[session.Key, struct{}]
}

func newAllowances(r Rates, now func() time.Time) allowances {
	return allowances{
		signIns:        newAllowance[netip.Addr]("sign_ins", r.SignIns, now),
		callbacks:      newAllowance[netip.Addr]("callbacks", r.Callbacks, now),
		strays:         newAllowance[netip.Addr]("callbacks", r.Callbacks, now),
		refusedTickets: newAllowance[netip.Addr]("refused_tickets", r.RefusedTickets, now),
		reports:        newAllowance[netip.Addr]("csp_reports", r.Reports, now),
		renewals:       newAllowance[string]("renewals", r.Renewals, now),
		gone:           newCounters[session.Key, struct{}](),
	}
}

func newCounters[K comparable, V any]() *lru.Cache[K, V] {
	c, err := lru.New[K, V](maxCounters)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return c
}

// allowance counts one kind of event for each client. It is safe for concurrent
// use; nil allows everything.
type allowance[K comparable] struct {
	limit     string // in limits.rates
	perMinute int
	counters  *lru.Cache[K, *rate.Limiter] // what is left to each
	now       func() time.Time

	// lowUntil is until when some client may have nothing left, in ns. Outside of
	// that a call looks at nothing that all calls share.
	lowUntil atomic.Int64
}

func newAllowance[K comparable](name string, perMinute int, now func() time.Time) *allowance[K] {
	if perMinute <= 0 {
		return nil
	}
	return &allowance[K]{limit: name, perMinute: perMinute, counters: newCounters[K, *rate.Limiter](), now: now}
}

// take uses up one of k's events. The error is an *overrun if none is left.
func (a *allowance[K]) take(k K) error {
	if a == nil {
		return nil
	}
	if c := a.counter(k); !a.use(c) {
		return a.refuse(c)
	}
	return nil
}

// spent returns k's counter if nothing is left of it, else nil. It uses nothing
// up, and takes no memory for a client that is not counted yet.
func (a *allowance[K]) spent(k K) *rate.Limiter {
	if a == nil || a.now().UnixNano() > a.lowUntil.Load() {
		return nil
	}
	if c, ok := a.counters.Peek(k); ok && c.TokensAt(a.now()) < 1 {
		return c
	}
	return nil
}

// count uses up one of k's events, if one is left.
func (a *allowance[K]) count(k K) {
	if a != nil {
		a.use(a.counter(k))
	}
}

// use takes one event from c, and reports whether there was one.
func (a *allowance[K]) use(c *rate.Limiter) bool {
	now := a.now()
	granted := c.AllowN(now, 1)
	if c.TokensAt(now) < 1 { // for no longer than it takes to get one back
		a.lowUntil.Store(now.Add(time.Minute / time.Duration(a.perMinute)).UnixNano())
	}
	return granted
}

func (a *allowance[K]) counter(k K) *rate.Limiter {
	if c, ok := a.counters.Get(k); ok {
		return c
	}
	c := rate.NewLimiter(rate.Limit(a.perMinute)/60, a.perMinute)
	if other, ok, _ := a.counters.PeekOrAdd(k, c); ok {
		return other
	}
	return c
}

// refuse returns the error for a client whose counter has nothing left.
func (a *allowance[K]) refuse(c *rate.Limiter) error {
	missing := max(0, 1-c.TokensAt(a.now()))
	return &overrun{a.limit, time.Duration(missing * float64(time.Minute) / float64(a.perMinute))}
}

// overrun is the error of a request that is beyond its client's allowance.
type overrun struct {
	limit string        // in limits.rates
	wait  time.Duration // until there is something left
}

// Error names the limit.
func (o *overrun) Error() string { return "limits.rates." + o.limit }

// byAddress is the key of a client's counters.
func byAddress(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

// mayOpen refuses a ticket that would be looked for in the store, if its
// client's allowance for tickets that open nothing is used up. Sessions in
// memory are served whoever else is at that address.
func (s *Server) mayOpen(t session.Ticket, client netip.Addr) error {
	spent := s.limits.refusedTickets.spent(client)
	switch {
	case spent == nil || s.Manager.Open(t):
		return nil
	case s.limits.gone.Contains(t.Key()):
		return session.ErrNotFound
	}
	return s.limits.refusedTickets.refuse(spent)
}

// opensNothing counts a ticket that opened no session, once.
func (s *Server) opensNothing(t session.Ticket, client netip.Addr) {
	if known, _ := s.limits.gone.ContainsOrAdd(t.Key(), struct{}{}); !known {
		s.limits.refusedTickets.count(client)
	}
}
