package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// Refusal is an error as the browser is told of it. Code is stable; what it means
// to a person stands in the texts, under its name. Err, if any, is the cause, for
// the log only.
type Refusal struct {
	Status int
	Code   string
	Allow  []string // for 405: the methods there are
	texts  string   // the name of its texts; empty: Code

	retryAfter int // seconds; 0: not told
	Err        error
}

// Error gives the code and the cause.
func (r *Refusal) Error() string {
	if r.Err != nil {
		return r.Code + ": " + r.Err.Error()
	}
	return r.Code
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// Problem is the body of every refusal: RFC 9457, with a stable Code.
type Problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"` // for a person, in a language of theirs
	Status    int    `json:"status"`
	Code      string `json:"code"`
	LoginURL  string `json:"login_url,omitempty"` // where signing in helps
	Reference string `json:"reference"`           // also in the log, at whatever level

	shown      string // the reference that leads to a line in the log as it is kept here; empty: none does
	texts      string // the name of its texts
	retryAfter int    // seconds; 0: not told
	allow      []string
}

// problem maps an error to what the browser is told. It is the only place where
// errors become HTTP; nothing of a cause gets through it.
func (s *Server) problem(err error) Problem {
	var (
		own  *Refusal
		step *session.StepUp
		wait *session.Unavailable
		over *overrun
		auth *oidc.AuthError
		he   *echo.HTTPError
	)
	switch {
	case errors.As(err, &own):
		return s.newProblem(own)
	case errors.As(err, &step):
		p := s.newProblem(errStepUp)
		p.LoginURL = s.stepUpURL(step, "")
		return p
	case errors.Is(err, session.ErrCurrent):
		return s.newProblem(errCurrent)
	case errors.Is(err, session.ErrNotPermitted):
		return s.newProblem(errPermission)
	case errors.Is(err, session.ErrSignedOut):
		return s.newProblem(errMeanwhile)
	case errors.Is(err, session.ErrNotFound):
		return s.newProblem(errSignedOut)
	case errors.As(err, &wait):
		p := s.newProblem(errUnavailable)
		p.retryAfter = wholeSeconds(wait.RetryAfter)
		return p
	case errors.As(err, &over):
		p := s.newProblem(errTooMany)
		p.retryAfter = wholeSeconds(over.wait)
		return p
	case errors.Is(err, session.ErrTooManyStreams):
		return s.newProblem(errStreams)
	case errors.As(err, &auth):
		p := s.newProblem(&Refusal{Status: 403, Code: "sign_in_" + auth.Code})
		p.LoginURL = s.base + "/login"
		return p
	case errors.Is(err, oidc.ErrParams):
		return s.newProblem(errParameter)
	case errors.Is(err, oidc.ErrState):
		return s.newProblem(errTransaction)
	case errors.Is(err, oidc.ErrToken):
		return s.newProblem(errSignIn)
	case errors.As(err, &he) && he.Code == http.StatusNotFound:
		return s.newProblem(errNotFound)
	case errors.As(err, &he):
		return s.newProblem(&Refusal{Status: he.Code, Code: snake(http.StatusText(he.Code))})
	}
	return s.newProblem(errInternal)
}

// wholeSeconds is d for Retry-After: at least 1, and not before d is over.
func wholeSeconds(d time.Duration) int {
	return max(1, int((d+time.Second-1)/time.Second))
}

func (s *Server) newProblem(r *Refusal) Problem {
	p := Problem{Type: "urn:cloakroom:" + r.Code, Status: r.Status, Code: r.Code, texts: cmp.Or(r.texts, r.Code), retryAfter: r.retryAfter, allow: r.Allow}
	switch r {
	case errSignedOut, errMeanwhile, errTransaction, errInterrupted, errSignIn, errStepUp:
		p.LoginURL = s.base + "/login"
	}
	return p
}

// stepUpURL returns the login that satisfies step, at the provider that the session
// is from, and leads to returnTo, if that is not empty.
func (s *Server) stepUpURL(step *session.StepUp, returnTo string) string {
	q := url.Values{}
	add := func(name, value string) {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(s.Providers) > 1 {
		add("provider", step.Provider)
	}
	add("acr_values", step.ACRValues)
	add("max_age", step.MaxAge)
	add("return_to", returnTo)
	if len(q) == 0 {
		return s.base + "/login"
	}
	return s.base + "/login?" + q.Encode()
}

func snake(text string) string {
	return strings.ReplaceAll(strings.ToLower(text), " ", "_")
}

// Fail answers r with the problem that err stands for: a page to navigations,
// problem+json to everything else. It logs the cause once, under the reference
// that the answer shows.
func (s *Server) Fail(w http.ResponseWriter, r *http.Request, err error) {
	w, err = ofApp(w, err)
	answer := func() error { s.fail(w, r, err); return nil }
	var late *Refusal
	if errors.As(err, &late) && late.Status == http.StatusRequestTimeout {
		_ = answer() // the body was waited for
		return
	}
	_ = s.own(w, r, answer)
}

// fail is Fail for a request whose body has its time already.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && errors.Is(err, r.Context().Err()) {
		return // the browser has left: nobody reads an answer
	}
	p := s.logged(r, err)
	s.Count.Refused(p.Code)
	var own audited
	if errors.As(err, &own) && own.returnTo != "" && p.LoginURL != "" {
		p.LoginURL = withQuery(p.LoginURL, "return_to", own.returnTo)
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if len(p.allow) > 0 {
		h.Set("Allow", strings.Join(p.allow, ", "))
	}
	if p.Status == http.StatusUnauthorized {
		// RFC 9110, 11.6.1 wants a challenge; no browser prompts for this scheme.
		h.Set("WWW-Authenticate", `Cloakroom realm="session"`)
	}
	t := s.language(r, own.language)
	if wantsPage(r) {
		s.errorPage(w, r, p, t)
		return
	}
	title, advice := t.problem(p.texts)
	p.Title = strings.TrimSpace(title + " " + advice)
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Language", t.tag.String())
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_ = json.NewEncoder(w).Encode(p)
	}
}
