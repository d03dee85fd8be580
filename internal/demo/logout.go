package demo

import (
	"net/http"
	"slices"
	"strings"
)

// endSession is the end-session endpoint (OpenID Connect RP-Initiated Logout).
// It asks nothing: a real provider would when the hint is missing. The other
// clients, and this one, are told by back- and front-channel.
func (p *Provider) endSession(x *exchange) answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	refuse := func(why string) answer {
		x.call.Error = "invalid_request"
		return messagePage(http.StatusBadRequest, "You are still signed in", why)
	}
	clientID := x.form.Get("client_id")
	sids := map[string]bool{}
	if hint := x.form.Get("id_token_hint"); hint != "" {
		// An expired ID token is a good hint: only the signature counts.
		claims, err := verify(p.keySet(), hint, "")
		if err != nil || claims["iss"] != p.cfg.Issuer {
			return refuse("The ID token hint is not one of ours.")
		}
		aud, _ := claims["aud"].(string)
		if clientID != "" && clientID != aud {
			return refuse("The ID token hint belongs to another client.")
		}
		clientID = aud
		if sid, ok := claims["sid"].(string); ok {
			sids[sid] = true
		}
	}
	x.call.ClientID = clientID
	target := x.form.Get("post_logout_redirect_uri")
	client := p.clients[clientID]
	if target != "" && !slices.Contains(client.PostLogoutRedirectURIs, target) {
		return refuse("The address to go on to is not registered for this client.")
	}
	if s, ok := p.session(x.r); ok {
		sids[s.sid] = true
	}
	ended := p.endSSO(sids, x.form.Get("logout_hint"))
	if list := p.notices(ended); len(list) > 0 {
		// The journal shows how it ended; the browser does not wait for it.
		go func() { _ = p.tell(p.life, list) }()
	}
	if state := x.form.Get("state"); target != "" && state != "" {
		target = addQuery(target, "state", state)
	}
	a := messagePage(http.StatusOK, "You are signed out", "You can close this page or go back to the application.")
	if frames := p.frames(ended); len(frames) > 0 {
		a = framesPage(frames, target)
	} else if target != "" {
		a = seeOther(target)
	}
	gone := http.Cookie{Name: p.cookieName(), Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	a.header.Add("Set-Cookie", gone.String())
	return a
}

// endSSO ends the sessions named by sid, or whose user the hint means, and
// the refresh tokens that hang on them: those with offline_access do not
// (OpenID Connect Core, 11). It returns the sessions. Callers hold p.mu.
func (p *Provider) endSSO(sids map[string]bool, hint string) []*ssoSession {
	var ended []*ssoSession
	for id, s := range p.sso {
		u := s.user
		if hint != "" && slices.Contains([]string{u.Subject, u.Username, u.Email, s.sid}, hint) {
			sids[s.sid] = true
		}
		if sids[s.sid] {
			delete(p.sso, id)
			ended = append(ended, s)
		}
	}
	for _, f := range p.families {
		if sids[f.sid] && !slices.Contains(strings.Fields(f.scope), "offline_access") {
			f.dead = true
		}
	}
	return ended
}
