package web_test

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/web"
)

// tally is a Counter.
type tally struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *tally) add(word string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[word]++
}

func (c *tally) Refused(code string)         { c.add(code) }
func (c *tally) SignInRefused(reason string) { c.add("sign-in: " + reason) }
func (c *tally) Reported(directive string)   { c.add("report: " + directive) }

// stopped runs s to the end at once: what is untold is told.
func stopped(s *stand) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s.server.Run(ctx)
}

// N3: the log hears how many a flood was though nothing comes after it; the
// counts have every one.
func TestFloodIsToldToItsEnd(t *testing.T) {
	count := &tally{n: map[string]int{}}
	o := limited(web.Rates{SignIns: 1}, options{})
	edit := o.web
	o.web = func(c *web.Config) { edit(c); c.Count = count }
	s := newStand(t, o)
	for range 31 {
		s.browser(t).navigate(ourOrigin, "/bff/login", at("192.0.2.7")...)
	}
	s.browser(t).navigate(crossSite, "/bff/callback?state=x")
	stopped(s)
	stopped(s)
	if n := s.events("request_refused", `"error":"limits.rates.sign_ins","times":29`); n != 1 {
		t.Errorf("%d events tell of the 29 that had no line, want 1", n)
	}
	if n := s.events("request_refused", `"times":`); n != 2 {
		t.Errorf("%d events of the flood, want the first refusal's and one for all others", n)
	}
	want := map[string]int{"too_many_requests": 30, "login_expired": 1, "sign-in: login_expired": 1}
	if !maps.Equal(count.n, want) {
		t.Errorf("counted %v, want %v", count.n, want)
	}
}

// K3, N3: calls that are refused without an attempt in an outage are told of
// together, not each as an error.
func TestOutageInTheLog(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	down := demo.Fault{Reply: demo.JSONReply(503, "")}
	s.providers[0].SetFaults(demo.Faults{Refresh: down, Discovery: down})
	s.sleep(6 * time.Minute)
	for range 20 {
		b.fetch("GET", "/api/whoami").problem(http.StatusServiceUnavailable, "unavailable")
	}
	stopped(s)
	log := s.log.String()
	if n := strings.Count(log, `"level":"ERROR"`); n > 5 {
		t.Errorf("%d errors for one session and 20 calls, want those of its attempts", n)
	}
	if m := regexp.MustCompile(`"level":"WARN","msg":"calls were refused[^"]*","provider":"main","times":(\d+)}`).FindStringSubmatch(log); m == nil || len(m[1]) < 2 {
		t.Errorf("no line tells how many were refused: %v", m)
	}
	if strings.Contains(log, "unavailable: session: unavailable") {
		t.Error("an error says twice what it is")
	}
}

// The reference on a page is in the log at the usual level, too, and what is alike
// within a minute shows that of its first line (N5). What a call is told all the
// time stays out of the log.
func TestPageReference(t *testing.T) {
	s := newStand(t, options{web: func(c *web.Config) {
		c.Log = slog.New(levelled{c.Log.Handler(), slog.LevelInfo})
	}})
	b := s.browser(t)
	a := b.fetch("GET", "/x.js")
	if reference, _ := a.json()["reference"].(string); len(reference) != 12 || strings.Contains(s.log.String(), reference) {
		t.Errorf("the problem's reference is %q, want one that is not in the log", reference)
	}
	for path, line := range map[string]string{"/x.js": "a page was not found, or asks to sign in", "/bff/login?max_age=x": "request_refused"} {
		first, again := b.navigate(ourOrigin, path).reference(), b.navigate(ourOrigin, path).reference()
		if first == "" || again != first {
			t.Errorf("%s shows the references %q and %q, want one that both have", path, first, again)
		}
		found := regexp.MustCompile(`"msg":"`+line+`".*"reference":"`+first+`"`).FindAllString(s.log.String(), -1)
		if len(found) != 1 {
			t.Errorf("%s: the log has %d lines %q with its reference, want 1:\n%s", path, len(found), line, s.log)
		}
	}
}

// A page shows no reference that the log lacks.
func TestPageReferenceOfAQuietLog(t *testing.T) {
	s := newStand(t, options{web: func(c *web.Config) {
		c.Log = slog.New(levelled{c.Log.Handler(), slog.LevelWarn})
	}})
	b := s.browser(t)
	for range 2 {
		if got := b.navigate(ourOrigin, "/x.js").reference(); got != "" {
			t.Errorf("the page shows the reference %q, which is not in the log", got)
		}
	}
}

// levelled is a handler at a level.
type levelled struct {
	slog.Handler
	least slog.Level
}

func (h levelled) Enabled(_ context.Context, l slog.Level) bool { return l >= h.least }
