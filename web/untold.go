package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

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

	// Reported tells of a report that a page's Content-Security-Policy was broken, by
	// its directive.
	Reported(directive string)
}

// noCount counts nothing.
type noCount struct{}

func (noCount) Refused(string)       {}
func (noCount) SignInRefused(string) {}
func (noCount) Reported(string)      {}

// tellEvery is how often the log hears of what is alike.
const tellEvery = time.Minute

// untold is what the log has not heard of. A flood must not become one in the
// log, nor an outage: of lines that are alike the first is written at once, and
// those of the next minute are counted and told with the one that follows it, or
// by [Server.Run] (N3). It is safe for concurrent use.
type untold struct {
	now func() time.Time

	mu    sync.Mutex
	heard *lru.Cache[source, *heard] // what is forgotten there is written at once, when it comes again; its values are guarded by mu
	sums  map[kind]sum               // guarded by mu
	round int                        // how often sums were collected; guarded by mu
}

// kind is what lines have in common that are told of together. Its words are of
// the source and of the configuration, so there are not many.
type kind struct {
	line  string       // an audit event, or one of those below
	code  string       // of the problem
	about string       // the limit, the reason or the provider; empty: nothing further
	route http.Handler // whose upstream failed; nil: none
}

// The lines that are no audit events.
const (
	lineFailed = "request failed"
	lineHeld   = "calls were refused: no renewal was tried, because of failures before"
	linePage   = "a page was not found, or asks to sign in"
)

// source is where lines of a kind come from.
type source struct {
	kind
	client netip.Addr // zero: whoever it was
}

// heard is what the log knows of one source.
type heard struct {
	at     time.Time // of the last line
	under  string    // the last line's reference
	untold int       // since then, in this round
	round  int       // of untold
}

// sum is what the log has not heard of a kind, and what the last of them was.
type sum struct {
	times int
	last  []slog.Attr
}

func newUntold(now func() time.Time) *untold {
	return &untold{now: now, heard: newCounters[source, *heard](), sums: map[kind]sum{}}
}

// tell counts a line, and returns how many it is to tell of if it is written now:
// 0 if the log heard of that source within the minute.
func (u *untold) tell(from source, line []slog.Attr) (times int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	h, ok := u.heard.Get(from)
	if !ok {
		h = &heard{}
		u.heard.Add(from, h)
	}
	if h.round != u.round {
		h.untold, h.round = 0, u.round // the log has heard of them, with all others
	}
	now := u.now()
	if now.Sub(h.at) < tellEvery {
		h.untold++
		u.add(from.kind, line)
		return 0
	}
	times = h.untold + 1
	s := u.sums[from.kind]
	if s.times -= h.untold; s.times > 0 {
		u.sums[from.kind] = s
	} else {
		delete(u.sums, from.kind)
	}
	h.at, h.untold, h.under = now, 0, ""
	for _, attr := range line {
		if attr.Key == "reference" {
			h.under = attr.Value.String()
		}
	}
	return times
}

// lastLine returns the reference of the last line of that source; empty if there is
// none.
func (u *untold) lastLine(from source) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	if h, ok := u.heard.Peek(from); ok {
		return h.under
	}
	return ""
}

// count counts a line that is never written by itself.
func (u *untold) count(k kind, line ...slog.Attr) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.add(k, line)
}

// add is for whoever holds mu.
func (u *untold) add(k kind, line []slog.Attr) {
	u.sums[k] = sum{u.sums[k].times + 1, line}
}

// collect returns what the log has not heard of: now it does.
func (u *untold) collect() map[kind]sum {
	u.mu.Lock()
	defer u.mu.Unlock()
	sums := u.sums
	u.sums = map[kind]sum{}
	u.round++
	return sums
}

// Run tells the log every minute of what had no line of its own, until ctx ends,
// and then of the last of it. Whoever makes a Server runs it beside; a Server
// serves without it, and those lines are told of only as far as another follows
// them.
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

// tellUntold writes a line for each kind. It names no client: they may have been
// many. What else it says is of the last one.
func (s *Server) tellUntold() {
	for k, sum := range s.untold.collect() {
		attrs := slices.DeleteFunc(slices.Clone(sum.last), func(a slog.Attr) bool {
			return a.Key == "client" || a.Key == "reference"
		})
		s.write(context.Background(), k.line, append(attrs, slog.Int("times", sum.times)))
	}
}

// write writes a line, an audit event or one of ours, and reports whether the log
// takes it.
func (s *Server) write(ctx context.Context, line string, attrs []slog.Attr) bool {
	level := levelOf(line)
	switch line {
	case lineFailed, lineHeld, linePage, lineReport:
		s.log.LogAttrs(ctx, level, line, attrs...)
	default:
		session.Audit(ctx, s.log, session.Event(line), attrs...)
	}
	return s.log.Enabled(ctx, level)
}

// levelOf is the level of a line; that of the audit events here is warn.
func levelOf(line string) slog.Level {
	switch line {
	case lineFailed:
		return slog.LevelError
	case linePage:
		return slog.LevelInfo
	}
	return slog.LevelWarn
}
