package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/session"
)

// The times of an event stream.
const (
	heartbeat  = 20 * time.Second // a line at least, so that nobody on the way takes it for dead
	warnBefore = 2 * time.Minute  // the end of a session; a fifth of the limit if that is shorter
	warnedLook = time.Second      // from then on it is looked whether the user is back
	eventWrite = 10 * time.Second // for the browser to take an event

	// A browser comes back after this time, and up to as long again: after a restart
	// not all of them come at once.
	retryAfter = 2 * time.Second
	busyRetry  = 30 // seconds, for who finds no room
)

// The events of GET /bff/events (HTML, 9.2). Their data is a JSON object.
const (
	eventExpiring = "session.expiring"
	eventRenewed  = "session.renewed"
	eventChanged  = "session.changed"
	eventEnded    = "session.ended"
)

type expiringEvent struct {
	Limit     string `json:"limit"` // idle or absolute
	ExpiresIn int64  `json:"expires_in"`
}

type endedEvent struct {
	Reason   string `json:"reason"`
	LoginURL string `json:"login_url"`
}

// streams counts the event streams of a server.
type streams struct {
	mu   sync.Mutex
	open int // guarded by mu
	most int // 0: no limit

	closing chan struct{} // ends them all
	close   func()
}

func newStreams(most int) *streams {
	s := &streams{most: most, closing: make(chan struct{})}
	s.close = sync.OnceFunc(func() { close(s.closing) })
	return s
}

// enter reports whether there is room for one more; leave makes it again.
func (s *streams) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.most > 0 && s.open >= s.most {
		return false
	}
	s.open++
	return true
}

func (s *streams) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
}

// EventStreams returns how many event streams are open.
func (s *Server) EventStreams() int {
	s.streams.mu.Lock()
	defer s.streams.mu.Unlock()
	return s.streams.open
}

// events answers GET /bff/events: a stream that tells a page what becomes of its
// session. It never extends that (E8), and carries no new issue of the ticket. A
// browser gives up at any status but 200: it stays away when it is signed out or
// has streams enough.
func (s *Server) events(c echo.Context) error {
	w, r := c.Response(), c.Request()
	current, _, err := s.resume(r)
	if err != nil {
		return err
	}
	if !s.streams.enter() {
		return errBusy
	}
	defer s.streams.leave()
	watch, err := current.Watch()
	if errors.Is(err, session.ErrTooManyStreams) {
		return c.NoContent(http.StatusNoContent)
	}
	if err != nil {
		return err
	}
	defer watch.Close()
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events until it has a few kB
	w.WriteHeader(http.StatusOK)
	e := &eventStream{server: s, w: w, control: http.NewResponseController(w), watch: watch}
	e.renewals = watch.State().Renewals
	wait := retryAfter + time.Duration(rand.Int64N(int64(retryAfter)))
	if e.write(fmt.Sprintf("retry: %d\n: connected\n\n", wait.Milliseconds())) {
		e.run(r)
	}
	return nil
}

// eventStream is one page that listens.
type eventStream struct {
	server   *Server
	w        http.ResponseWriter
	control  *http.ResponseController
	watch    *session.Watch
	renewals uint64 // told of
	warned   string // of which limit; empty: of none
}

// run sends what happens until the session is over, or somebody leaves.
func (e *eventStream) run(r *http.Request) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		next, ok := e.look()
		if !ok {
			return
		}
		timer := time.NewTimer(next)
		select {
		case <-e.watch.Changed():
		case <-timer.C:
		case <-beat.C:
			ok = e.write(":\n\n")
		case <-e.server.streams.closing:
			ok = false
		case <-r.Context().Done():
			ok = false
		}
		timer.Stop()
		if !ok {
			return
		}
	}
}

// look sends what is new and returns when to look again, though nothing happens. It
// reports false if there is nothing more to send.
func (e *eventStream) look() (next time.Duration, ok bool) {
	state := e.watch.State()
	switch {
	case state.Over:
		e.send(eventEnded, endedEvent{toldReason(state.Reason), e.server.base + "/login"})
		return 0, false
	case state.Replaced:
		e.send(eventChanged, struct{}{})
		return 0, false
	}
	end := e.nextEnd(state.Info)
	left := end.at.Sub(e.server.Manager.Now()) - end.warn
	expiring := left <= 0 && e.warned != end.limit
	renewed := left > 0 && e.warned != "" || state.Renewals != e.renewals
	e.renewals = state.Renewals
	if left > 0 {
		e.warned = ""
	} else {
		e.warned, left = end.limit, warnedLook
	}
	if expiring && !e.send(eventExpiring, expiringEvent{end.limit, int64(wholeSeconds(end.at.Sub(e.server.Manager.Now())))}) {
		return 0, false
	}
	if renewed && !e.send(eventRenewed, e.server.sessionAnswer(state.Info)) {
		return 0, false
	}
	return left, true
}

// sessionEnd is an end that a session comes to.
type sessionEnd struct {
	limit string // idle or absolute
	at    time.Time
	warn  time.Duration // how long before it pages are warned
}

// nextEnd returns the end that is to be warned of first.
func (e *eventStream) nextEnd(info session.Info) sessionEnd {
	limits := e.server.Manager.Limits()
	idle := sessionEnd{"idle", info.Idle, min(warnBefore, limits.Idle/5)}
	absolute := sessionEnd{"absolute", info.Absolute, min(warnBefore, limits.Absolute/5)}
	if absolute.at.Add(-absolute.warn).After(idle.at.Add(-idle.warn)) {
		return idle
	}
	return absolute
}

// toldReason is the reason of an end as pages are told of it. Which of our checks
// found a ticket suspect is for the log alone.
func toldReason(reason string) string {
	switch reason {
	case session.ReasonLogout, session.ReasonIdle, session.ReasonAbsolute, session.ReasonReplaced, session.ReasonOperator:
		return reason
	case session.ReasonBackchannel, session.ReasonFrontchannel:
		return "provider_logout"
	case session.ReasonDevice, session.ReasonPerUser:
		return "ended_elsewhere"
	case session.ReasonReplay, session.ReasonContext, session.ReasonIdentity:
		return "security"
	case session.ReasonRefused, session.ReasonOwnCrash, session.ReasonNoRenew:
		return "renewal_failed"
	}
	return "other"
}

// send writes one event. It reports false if the browser does not take it.
func (e *eventStream) send(name string, data any) bool {
	b, err := json.Marshal(data)
	if err != nil {
		e.server.log.Error("an event can't be written", "event", name, "error", err)
		return false
	}
	return e.write("event: " + name + "\ndata: " + string(b) + "\n\n")
}

// write sends text at once. No deadline is left over: with HTTP/2 it would cut a
// stream that is merely quiet.
func (e *eventStream) write(text string) bool {
	_ = e.control.SetWriteDeadline(time.Now().Add(eventWrite))
	_, err := e.w.Write([]byte(text))
	if err == nil {
		err = e.control.Flush()
	}
	_ = e.control.SetWriteDeadline(time.Time{})
	return err == nil
}
