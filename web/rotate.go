package web

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/session"
)

// privateAnswer is the Cache-Control of proxied answers that no cache keeps. No
// other answer of a route may carry a ticket.
const privateAnswer = "private, no-store"

// presented returns the session of a guarded request, and sees to it that the
// answer carries a new issue of its ticket if it is time (E10). Refusals carry
// none.
func (s *Server) presented(c echo.Context) (*session.Session, error) {
	current, t, err := s.resume(c.Request())
	if err != nil {
		return nil, err
	}
	if current.Due(t) {
		w := c.Response()
		w.Before(func() {
			if w.Status == http.StatusOK {
				s.reissue(w, current, t)
			}
		})
	}
	return current, nil
}

// reissue puts a new issue of t on the answer whose header is being written, if
// the session still wants that at this moment. One that never arrives does no
// harm.
func (s *Server) reissue(w http.ResponseWriter, current *session.Session, t session.Ticket) {
	next, ok := current.Reissue(t)
	if !ok {
		return
	}
	if err := s.cookies.setTicket(w, next); err != nil {
		s.log.Error("a ticket can't be sealed", "session", current, "error", err)
	}
}

// reissuing is the writer of a proxied answer that may carry a new issue. Only
// the header that is really written decides: neither an informational one, nor
// that of an answer which never came about.
type reissuing struct {
	http.ResponseWriter
	s       *Server
	session *session.Session
	ticket  session.Ticket
	decided bool
}

// WriteHeader implements http.ResponseWriter.
func (w *reissuing) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		w.decide(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *reissuing) Write(b []byte) (int, error) {
	w.decide(http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// FlushError is for http.ResponseController: a flush may be what writes the
// header.
func (w *reissuing) FlushError() error {
	w.decide(http.StatusOK)
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (w *reissuing) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *reissuing) decide(status int) {
	if w.decided {
		return
	}
	w.decided = true
	cache := w.Header()["Cache-Control"]
	private := len(cache) == 1 && cache[0] == privateAnswer && !overruled(w.Header())
	if status >= http.StatusOK && private {
		w.s.reissue(w.ResponseWriter, w.session, w.ticket)
	}
}
