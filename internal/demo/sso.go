package demo

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

const ssoTTL = 12 * time.Hour

// ssoSession is the browser's session at the provider.
type ssoSession struct {
	user     User
	sid      string
	acr      string // how the user signed in
	authTime time.Time
}

// plainACR is the authentication context of who picked a name, no more.
const plainACR = "1"

// takes reports whether a sign-in with acr is good enough.
func (r authRequest) takes(acr string) bool { return len(r.acrs) == 0 || slices.Contains(r.acrs, acr) }

// level is the authentication context that a new sign-in for the request gets.
func (r authRequest) level() string {
	if len(r.acrs) == 0 {
		return plainACR
	}
	return r.acrs[0]
}

// signIn starts a session at the provider and returns its cookie. Callers
// hold p.mu.
func (p *Provider) signIn(user User, acr string) (*ssoSession, string) {
	p.sweep()
	id := secret("sso")
	s := &ssoSession{user: user, sid: secret("sid"), acr: acr, authTime: p.now()}
	p.sso[id] = s
	c := http.Cookie{Name: p.cookieName(), Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	return s, c.String()
}

// session returns the browser's session. Callers hold p.mu.
func (p *Provider) session(r *http.Request) (*ssoSession, bool) {
	c, err := r.Cookie(p.cookieName())
	if err != nil {
		return nil, false
	}
	s, ok := p.sso[c.Value]
	if !ok || p.now().Sub(s.authTime) > ssoTTL {
		return nil, false
	}
	return s, true
}

// cookieName differs between providers on one host: cookies ignore ports.
func (p *Provider) cookieName() string { return "demo-provider-" + Hash(p.cfg.Issuer)[:8] }

// Remembered returns the cookie of a browser in which the user has signed in at
// the provider before: with it a sign-in passes without a page. The error names a
// user that the provider does not know.
func (p *Provider) Remembered(username string) (*http.Cookie, error) {
	user, ok := p.user(username)
	if !ok {
		return nil, fmt.Errorf("demo: no user %q", username)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, line := p.signIn(user, plainACR)
	return http.ParseSetCookie(line)
}
