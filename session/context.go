package session

import (
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"unique"
)

// maxAgent bounds what is kept of a user agent.
const maxAgent = 256

// maxContexts bounds the audit events about one session's changes.
const maxContexts = 8

// network returns the part of an address that a client keeps for longer: /24 of
// IPv4, /48 of IPv6; "" if there is no address.
func network(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	a = a.Unmap().WithZone("")
	bits := 48
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}

// origin is what is kept of a UserContext.
type origin struct {
	agent   common
	network string
}

// common is a string that many sessions have in common: memory holds it once.
type common struct{ handle unique.Handle[string] }

func newCommon(s string) common {
	if s == "" {
		return common{}
	}
	return common{unique.Make(s)}
}

func (c common) String() string {
	if c == (common{}) {
		return ""
	}
	return c.handle.Value()
}

// lastFrom is the last UserContext that a session was asked from.
type lastFrom struct {
	agent   common
	address netip.Addr
}

func (c UserContext) origin() origin {
	agent := c.UserAgent[:min(len(c.UserAgent), maxAgent)]
	// Written and read again it must be the same: JSON holds text only.
	return origin{newCommon(strings.ToValidUTF8(agent, "\ufffd")), network(c.Address)}
}

// From holds a request's user context against that of the sign-in. With BindLog
// a change is an audit event, once for each; with BindStrict it ends the
// session: ErrNotFound.
func (s *Session) From(c UserContext) error {
	if s.m.bind == BindOff {
		return nil
	}
	if last := s.lastFrom.Load(); last != nil && last.address == c.Address && last.agent.String() == c.UserAgent {
		return nil
	}
	now := c.origin()
	changed := ""
	switch agent, net := now.agent != s.origin.agent, now.network != s.origin.network && now.network != "" && s.origin.network != ""; {
	case agent && net:
		changed = "user_agent, network"
	case agent:
		changed = "user_agent"
	case net:
		changed = "network"
	}
	attrs := []slog.Attr{
		slog.String("changed", changed), slog.String("from", now.network), slog.String("before", s.origin.network),
		slog.String("user_agent", now.agent.String()), slog.String("user_agent_before", s.origin.agent.String()),
	}
	if changed != "" && s.m.bind == BindStrict {
		s.m.end(s, ReasonContext, attrs...)
		return ErrNotFound
	}
	if len(c.UserAgent) <= maxAgent { // no browser's is longer, and whoever sends one shall fill no memory
		s.lastFrom.Store(&lastFrom{newCommon(c.UserAgent), c.Address})
	}
	if changed != "" && s.newOrigin(now) {
		s.m.audit(EventContext, s.key, s.who, attrs...)
	}
	return nil
}

// newOrigin reports whether o is seen for the first time, as far as the session
// remembers.
func (s *Session) newOrigin(o origin) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.origins) >= maxContexts || slices.Contains(s.origins, o) {
		return false
	}
	s.origins = append(s.origins, o)
	return true
}
