package demo

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// logoutType is the type of logout tokens (OpenID Connect Back-Channel
	// Logout 1.0, 2.4).
	logoutType = "logout+jwt"

	backchannelEvent = "http://schemas.openid.net/event/backchannel-logout"
	logoutTTL        = 2 * time.Minute
	noticeTimeout    = 5 * time.Second
)

// Logout says which logout token to make, honest or not.
type Logout struct {
	Client       string // its ID, the audience
	Subject, SID string // empty: left out

	// Edit changes what is signed, and Forge how.
	Edit  func(claims, header map[string]any)
	Forge Forgery
}

// LogoutToken makes a logout token (OpenID Connect Back-Channel Logout 1.0, 2.4)
// without sending it anywhere.
func (p *Provider) LogoutToken(l Logout) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.logoutToken(l)
}

// logoutToken is LogoutToken for callers that hold p.mu.
func (p *Provider) logoutToken(l Logout) string {
	now := p.now()
	claims := map[string]any{
		"iss": p.cfg.Issuer, "aud": l.Client, "iat": now.Unix(), "exp": now.Add(logoutTTL).Unix(),
		"jti": secret("lt"), "events": map[string]any{backchannelEvent: map[string]any{}},
	}
	if l.Subject != "" {
		claims["sub"] = l.Subject
	}
	if l.SID != "" {
		claims["sid"] = l.SID
	}
	f := Fault{Forge: l.Forge}
	if l.Edit != nil {
		f.EditHeader = func(header map[string]any) { l.Edit(claims, header) }
	}
	token := p.signFor(p.clients[l.Client], f, logoutType, claims)
	p.issue("logout_token", token)
	return token
}

// notice is a logout token on its way to a client.
type notice struct{ client, uri, token string }

// notices makes a logout token for each client that has a session of those that
// are over. Callers hold p.mu.
func (p *Provider) notices(ended []*ssoSession) []notice {
	var out []notice
	for _, s := range ended {
		for _, c := range p.clientsOf(s) {
			if c.BackchannelLogoutURI == "" {
				continue
			}
			out = append(out, notice{c.ID, c.BackchannelLogoutURI, p.logoutToken(Logout{Client: c.ID, Subject: s.user.Subject, SID: s.sid})})
		}
	}
	return out
}

// clientsOf returns the clients that a user signed in to in one session.
// Callers hold p.mu.
func (p *Provider) clientsOf(s *ssoSession) []Client {
	var out []Client
	for _, f := range p.families {
		c, ok := p.clients[f.client]
		if ok && f.sid == s.sid && !slices.ContainsFunc(out, func(o Client) bool { return o.ID == c.ID }) {
			out = append(out, c)
		}
	}
	return out
}

// Logout ends sessions at the provider: the one with that sid, or with an empty
// sid all of subject, and with both empty everybody's. Then it tells the clients
// by back-channel, each once, and returns when all have answered: an error for
// those that did not answer 200, or 204.
func (p *Provider) Logout(ctx context.Context, subject, sid string) error {
	p.mu.Lock()
	sids := map[string]bool{}
	for _, s := range p.sso {
		if (subject == "" || s.user.Subject == subject) && (sid == "" || s.sid == sid) {
			sids[s.sid] = true
		}
	}
	var list []notice
	if ended := p.endSSO(sids, ""); sid != "" || subject == "" {
		list = p.notices(ended)
	} else {
		list = p.noticesOf(ended, subject)
	}
	p.mu.Unlock()
	return p.tell(ctx, list)
}

// noticesOf makes one logout token for each client, of the user and no session
// in particular, except for clients that want to know the session. Callers hold
// p.mu.
func (p *Provider) noticesOf(ended []*ssoSession, subject string) []notice {
	var out []notice
	told := map[string]bool{}
	for _, n := range p.notices(ended) {
		if !p.clients[n.client].BackchannelSessionRequired {
			if told[n.client] {
				continue
			}
			n.token = p.logoutToken(Logout{Client: n.client, Subject: subject})
		}
		told[n.client] = true
		out = append(out, n)
	}
	return out
}

// tell posts the tokens, all at once. The journal shows each as a call to
// "backchannel_logout" with the status that the client answered, 0 for none.
func (p *Provider) tell(ctx context.Context, list []notice) error {
	ctx, cancel := context.WithTimeout(ctx, noticeTimeout)
	defer cancel()
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	for i, n := range list {
		wg.Go(func() { errs[i] = p.post(ctx, n) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (p *Provider) post(ctx context.Context, n notice) error {
	call := Call{Endpoint: "backchannel_logout", Time: p.now(), ClientID: n.client, TokenHash: Hash(n.token)}
	entry := p.arrive(call)
	defer func() { p.finish(entry, call) }()
	body := strings.NewReader(url.Values{"logout_token": {n.token}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, n.uri, body)
	if err != nil {
		return fmt.Errorf("demo: back-channel logout: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := p.cfg.Backchannel.Do(req)
	if err != nil {
		return fmt.Errorf("demo: back-channel logout: %w", err)
	}
	_ = res.Body.Close()
	call.Status = res.StatusCode
	if res.StatusCode != http.StatusOK && res.StatusCode != http.StatusNoContent {
		return fmt.Errorf("demo: back-channel logout: client %s answers %s", n.client, res.Status)
	}
	return nil
}

// frames are the front-channel logout URLs of the clients that have one of these
// sessions (OpenID Connect Front-Channel Logout 1.0, 3). Callers hold p.mu.
func (p *Provider) frames(ended []*ssoSession) []string {
	var out []string
	for _, s := range ended {
		for _, c := range p.clientsOf(s) {
			if c.FrontchannelLogoutURI != "" {
				out = append(out, addQuery(addQuery(c.FrontchannelLogoutURI, "iss", p.cfg.Issuer), "sid", s.sid))
			}
		}
	}
	return out
}

// framesPage loads the clients' front-channel logout pages, and goes on to next
// if there is one.
func framesPage(frames []string, next string) answer {
	a := page(http.StatusOK, "frames.html", struct {
		Frames []string
		Next   template.URL // checked against the client's registration
	}{frames, template.URL(next)})
	sources := make([]string, 0, len(frames))
	for _, f := range frames {
		if u, err := url.Parse(f); err == nil {
			sources = append(sources, u.Scheme+"://"+u.Host)
		}
	}
	a.header.Set("Content-Security-Policy", pagePolicy+"; frame-src "+strings.Join(sources, " "))
	return a
}
