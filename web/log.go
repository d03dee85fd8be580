package web

import (
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"strings"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// audited is an error with an audit event of its own, and says where the sign-in
// was to lead, so that the next attempt leads there too.
type audited struct {
	error
	event            session.Event
	reason, provider string
	returnTo         string
	language         string // that the sign-in asked for; empty: none
}

func (a audited) Unwrap() error { return a.error }

// logged returns the problem that err stands for, and logs it under the reference
// that the answer shows.
func (s *Server) logged(r *http.Request, err error) Problem {
	p := s.problem(err)
	p.Reference = newReference()
	p.shown = s.logProblem(r, p, err)
	return p
}

// logProblem writes the line for p, and returns the reference under which the log
// tells of it; empty if it doesn't. What happens to calls all the time is for
// debugging only. What is alike within a minute is told of by its first line, so
// that is where its reference leads (N5).
func (s *Server) logProblem(r *http.Request, p Problem, err error) (reference string) {
	attrs := []slog.Attr{
		slog.String("code", p.Code), slog.Int("status", p.Status), slog.String("reference", p.Reference),
		slog.String("method", limit(r.Method)), slog.String("path", limit(r.URL.Path)), slog.String("client", s.ClientIP(r)),
	}
	var own audited
	var passing *session.Unavailable
	alone := errors.As(err, &own) && !errors.As(err, &passing)
	if own.error != nil {
		attrs = append(attrs, slog.String("reason", own.reason), slog.String("provider", own.provider))
	}
	if current, ok := session.FromContext(r.Context()); ok {
		info := current.Info()
		attrs = append(attrs, slog.String("session", current.Ref()), slog.String("provider", info.Provider), slog.String("sub", info.Subject))
	}
	attrs = append(attrs, slog.String("error", err.Error()))
	from := s.sourceOf(r, p, err)
	switch {
	case isUsual(p) && !wantsPage(r):
	case from.line == lineHeld:
		s.untold.count(from.kind, slog.String("provider", from.about))
	case alone: // there is an allowance for what anybody can send of these
		return shownIf(s.write(r.Context(), from.line, attrs), p.Reference)
	default:
		if times := s.untold.tell(from, attrs); times > 0 {
			return shownIf(s.write(r.Context(), from.line, s.hinted(r, err, append(attrs, slog.Int("times", times)))), p.Reference)
		}
		reference = shownIf(s.log.Enabled(r.Context(), levelOf(from.line)), s.untold.lastLine(from))
	}
	if s.log.Enabled(r.Context(), slog.LevelDebug) {
		s.log.LogAttrs(r.Context(), slog.LevelDebug, "request refused", attrs...)
		return p.Reference
	}
	return reference
}

// shownIf is reference if the log has it.
func shownIf(logged bool, reference string) string {
	if logged {
		return reference
	}
	return ""
}

// isUsual reports whether p is what calls are answered all the time.
func isUsual(p Problem) bool {
	return p.Status == http.StatusUnauthorized || p.Status == http.StatusNotFound
}

// sourceOf says with which lines p's is told of together. What rules refuse is
// told for each client, what is out of order here or elsewhere for all of them.
func (s *Server) sourceOf(r *http.Request, p Problem, err error) source {
	var own audited
	var passing *session.Unavailable
	var over *overrun
	from := source{kind: kind{line: string(session.EventRefused), code: p.Code}}
	switch {
	case p.Status >= 500:
		from.line = lineFailed
	case isUsual(p):
		from.line = linePage
	}
	if errors.As(err, &own) {
		from.line = string(own.event)
	}
	switch provider, held := session.HeldBack(err); {
	case held:
		return source{kind: kind{line: lineHeld, about: provider}}
	case errors.As(err, &passing):
		from.about = oidc.Reason(err) // of the provider; "internal" is the store's
		return from
	case strings.HasPrefix(p.Code, "upstream_"):
		// Some can't be a key of a map: these are told of together.
		if _, route := s.Route(r); route != nil && reflect.TypeOf(route).Comparable() {
			from.route = route
		}
		return from
	case from.line == lineFailed:
		return from
	case errors.As(err, &over):
		from.about = over.limit
	}
	from.client = byAddress(s.Client(r))
	return from
}

// hinted adds to a line about a limit what an operator may have to do about it.
func (s *Server) hinted(r *http.Request, err error, line []slog.Attr) []slog.Attr {
	var over *overrun
	if errors.As(err, &over) && r.Header.Get("X-Forwarded-For") != "" && s.Client(r) == peer(r) {
		return append(line, slog.String("hint", "this client speaks for others: if it is your proxy, name it in trusted_proxies"))
	}
	return line
}

// limit keeps what a client chose short in the log (N4).
func limit(text string) string {
	const most = 200
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
