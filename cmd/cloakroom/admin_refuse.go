package main

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// adminRefusals are what the admin listener refuses.
type adminRefusals struct{ token, host, site folded }

// refuse answers with p, counts that, and writes a line of the log unless one that
// is folded with it has been written in the last minute.
func (a *app) refuse(w http.ResponseWriter, r *http.Request, lines *folded, p adminProblem) {
	a.metrics.Refused(p.Code)
	if times := lines.add(time.Now()); times > 0 {
		client, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			client = r.RemoteAddr
		}
		session.Audit(r.Context(), a.log, session.EventRefused, slog.String("code", p.Code), slog.String("listener", "admin"),
			slog.String("method", fmt.Sprintf("%.20s", r.Method)), slog.String("path", fmt.Sprintf("%.100s", r.URL.Path)),
			slog.String("host", fmt.Sprintf("%.100s", r.Host)), slog.String("client", client), slog.Int("times", times))
	}
	answerProblem(w, p)
}

// foldedFor is how long one line stands for all of its kind.
const foldedFor = time.Minute

// folded keeps a flood out of the log. The zero value is ready; it is safe for
// concurrent use.
type folded struct {
	mu    sync.Mutex
	until time.Time
	times int
}

// add counts one more, and returns how many a line that is written now tells of; 0 if
// none is to be written.
func (f *folded) add(now time.Time) (times int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.times++
	if now.Before(f.until) {
		return 0
	}
	times, f.times, f.until = f.times, 0, now.Add(foldedFor)
	return times
}
