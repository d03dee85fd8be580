package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// finishTimeout bounds what follows a callback: the code is redeemed, and keys
// and claims are fetched.
const finishTimeout = time.Minute

// outcome is how the sign-in of a probe ended.
type outcome struct {
	in  session.SignIn
	err error
}

// door is all that a probe serves: the way to the provider and back, once.
type door struct {
	*probe
	login  string // its path
	cookie http.Cookie
	done   chan outcome // gets one

	mu      sync.Mutex // guards what follows; never held during a call
	key     string     // the cookie of the browser that pending belongs to
	pending *oidc.AuthRequest
	closed  bool // a callback was accepted: there is no other sign-in
}

func newDoor(p *probe) *door {
	d := &door{probe: p, login: p.cfg.BasePath + "/login", done: make(chan outcome, 1)}
	d.cookie = http.Cookie{Name: "cloakroom-probe", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if p.cfg.PublicURL.Scheme == "https" {
		d.cookie.Name, d.cookie.Secure = "__Host-probe", true
	}
	return d
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("Referrer-Policy", "no-referrer") // the callback's address holds the code
	h.Set("X-Content-Type-Options", "nosniff")
	switch {
	case r.Method != http.MethodGet || !sameHost(d.cfg, r.Host):
	case r.URL.Path == d.login:
		d.begin(w, r)
		return
	case r.URL.Path == d.callback:
		d.finish(w, r)
		return
	}
	http.NotFound(w, r)
}

// begin sends the browser to the provider. Who begins again, in whatever
// browser, takes the place of who began before.
func (d *door) begin(w http.ResponseWriter, r *http.Request) {
	request, location, err := d.client.Begin(r.Context(), oidc.Params{})
	if err != nil {
		d.env.note("the provider can't be asked now: %v", err)
		page(w, http.StatusServiceUnavailable, "The provider can't be asked now; the terminal says why. Open this address again.")
		return
	}
	key := rand.Text()
	d.mu.Lock()
	closed := d.closed
	if !closed {
		d.key, d.pending = key, &request
	}
	d.mu.Unlock()
	if closed {
		http.NotFound(w, r)
		return
	}
	cookie := d.cookie
	cookie.Value, cookie.MaxAge = key, int(oidc.RequestLife/time.Second)
	http.SetCookie(w, &cookie)
	http.Redirect(w, r, location, http.StatusFound)
}

// finish redeems the callback of the browser that began, once.
func (d *door) finish(w http.ResponseWriter, r *http.Request) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		page(w, http.StatusBadRequest, "This is no answer of a provider.")
		return
	}
	request, err := d.take(r, q)
	switch {
	case errors.Is(err, oidc.ErrState):
		page(w, http.StatusBadRequest, "This does not belong to a sign-in of this browser. Open "+origin(d.cfg)+d.login+" again.")
		return
	case err != nil:
		d.env.note("%v; open the address again", err)
		page(w, http.StatusForbidden, "The provider refused. Open "+origin(d.cfg)+d.login+" again.")
		return
	}
	cookie := d.cookie
	cookie.MaxAge = -1
	http.SetCookie(w, &cookie)
	// The code is spent from here on, whether the browser waits or not.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), finishTimeout)
	defer cancel()
	in, err := d.client.Finish(ctx, request, q)
	d.done <- outcome{in, err}
	if err != nil {
		page(w, http.StatusBadGateway, "The sign-in failed; the terminal says why.")
		return
	}
	page(w, http.StatusOK, "Signed in. All else happens in the terminal; this page can be closed.")
}

// take returns the pending request if q answers it in the browser that it
// belongs to; the door is closed then. ErrState leaves it pending: nothing was
// sent, and somebody else must not be able to spoil it.
func (d *door) take(r *http.Request, q url.Values) (oidc.AuthRequest, error) {
	found := r.CookiesNamed(d.cookie.Name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pending == nil || len(found) != 1 || subtle.ConstantTimeCompare([]byte(found[0].Value), []byte(d.key)) != 1 {
		return oidc.AuthRequest{}, oidc.ErrState
	}
	request := *d.pending
	err := d.client.CheckCallback(request, q)
	if errors.Is(err, oidc.ErrState) {
		return oidc.AuthRequest{}, err
	}
	d.pending, d.closed = nil, err == nil
	return request, err
}

func page(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}
