package web_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
)

// mixup is a stand with an honest provider and a hostile one, which wants the
// honest one's codes and tokens (RFC 9700, 4.4).
type mixup struct {
	*several
	honest, evil       *demo.Server
	honestAt, evilAt   registration
	honestURI, evilURI string // redirect URIs
}

func newMixup(t *testing.T, names ...string) *mixup {
	t.Helper()
	m := &mixup{several: newSeveral(t, options{}, names...)}
	for i, r := range m.regs {
		uri := m.origin + "/bff/callback"
		if i > 0 {
			uri += "/" + r.name
		}
		if r.name == "evil" {
			m.evil, m.evilAt, m.evilURI = m.providers[i], r, uri
		} else {
			m.honest, m.honestAt, m.honestURI = m.providers[i], r, uri
		}
	}
	return m
}

// divert makes the hostile provider send browsers on to the honest one, with our
// name there, and the state, nonce and challenge of the sign-in that was begun at
// the hostile one.
func (m *mixup) divert(redirectURI string) {
	m.evil.FailNext("authorize", demo.Fault{Divert: func(request url.Values) string {
		q := url.Values{}
		for name, values := range request {
			q[name] = values
		}
		q.Set("client_id", m.honestAt.id)
		q.Set("redirect_uri", redirectURI)
		return m.honest.URL + "/authorize?" + q.Encode()
	}})
}

// silent makes a provider one that knows nothing of RFC 9207.
func silent(p *demo.Server) {
	p.SetFaults(demo.Faults{
		Discovery: demo.Fault{EditMetadata: func(m map[string]any) { delete(m, "authorization_response_iss_parameter_supported") }},
		Authorize: demo.Fault{EditCallback: func(q url.Values) { q.Del("iss") }},
		Login:     demo.Fault{EditCallback: func(q url.Values) { q.Del("iss") }},
	})
}

// misregister lets the honest provider send browsers to the hostile one's
// redirect URI too.
func (m *mixup) misregister(id string) {
	m.honest.SetClient(demo.Client{ID: id, Secret: m.honestAt.secret, AuthMethod: m.honestAt.auth, RedirectURIs: []string{m.honestURI, m.evilURI}})
}

// announce changes the hostile provider's metadata.
func (m *mixup) announce(name, value string) {
	m.evil.SetFaults(demo.Faults{Discovery: demo.Fault{EditMetadata: func(doc map[string]any) { doc[name] = value }}})
}

// reply changes the hostile provider's next answer to the browser.
func (m *mixup) reply(edit func(url.Values)) {
	m.evil.FailNext("login", demo.Fault{EditCallback: edit})
}

// honestIDToken is one that the honest provider made for us.
func (m *mixup) honestIDToken(t *testing.T) string {
	t.Helper()
	m.signedInAt(t, "main", "alice")
	token := ""
	for _, secret := range m.honest.Secrets() {
		if secret.Kind == "id_token" {
			token = secret.Value
		}
	}
	return token
}

// follow goes through the providers to wherever that leads.
func (b *browser) follow(at *url.URL, user string) *url.URL {
	b.Helper()
	for range 5 {
		at = b.approve(at, user)
		if !slices.ContainsFunc(b.s.providers, func(p *demo.Server) bool { return strings.HasPrefix(at.String(), p.URL+"/") }) {
			return at
		}
	}
	b.Fatal("the providers send each other the browser for ever")
	return nil
}

// refusals returns the sign_in_refused events so far, as "provider: reason".
func (s *stand) refusals() []string {
	var out []string
	for _, line := range strings.Split(s.log.String(), "\n") {
		var e struct {
			Msg, Provider, Reason string
			Audit                 bool
		}
		if json.Unmarshal([]byte(line), &e) == nil && e.Audit && e.Msg == string(session.EventSignInRefused) {
			out = append(out, e.Provider+": "+e.Reason)
		}
	}
	return out
}

// A sign-in begun at a hostile provider gives it nothing of the honest one, and
// gives nobody a session (B3, H1, H2, H5; RFC 9700, 4.4). What it may see is looked
// at at the end of each: see apart.
func TestMixUp(t *testing.T) {
	honestIss := func(m *mixup) func(url.Values) { return func(q url.Values) { q.Set("iss", m.honest.URL) } }
	tests := []struct {
		name   string
		arm    func(*testing.T, *mixup)
		reason string
		calls  int // to token endpoints
	}{
		{"the honest one's code", func(_ *testing.T, m *mixup) { m.divert(m.honestURI) }, "callback_mismatch", 0},
		{"the code of one without iss", func(_ *testing.T, m *mixup) { silent(m.honest); m.divert(m.honestURI) }, "callback_mismatch", 0},
		{"nobody has iss", func(_ *testing.T, m *mixup) {
			silent(m.honest)
			silent(m.evil)
			m.divert(m.honestURI)
		}, "callback_mismatch", 0},
		{"the code where it wants it, by a wrong registration", func(_ *testing.T, m *mixup) {
			silent(m.evil)
			m.misregister(m.honestAt.id)
			m.divert(m.evilURI)
		}, "iss_mismatch", 0},
		{"metadata that leads to the honest one, by a wrong registration", func(_ *testing.T, m *mixup) {
			m.announce("authorization_endpoint", m.honest.URL+"/authorize")
			m.misregister(m.evilAt.id)
		}, "iss_mismatch", 0},
		{"it says that it is the honest one", func(_ *testing.T, m *mixup) { m.reply(honestIss(m)) }, "iss_mismatch", 0},
		{"it says not who it is", func(_ *testing.T, m *mixup) { m.reply(func(q url.Values) { q.Del("iss") }) }, "iss_missing", 0},
		{"it says nothing for a name", func(_ *testing.T, m *mixup) { m.reply(func(q url.Values) { q.Set("iss", "") }) }, "iss_mismatch", 0},
		{"it says who it is twice", func(_ *testing.T, m *mixup) { m.reply(func(q url.Values) { q.Add("iss", m.evil.URL) }) }, "duplicate_parameter", 0},
		{"it is both", func(_ *testing.T, m *mixup) { m.reply(func(q url.Values) { q.Add("iss", m.honest.URL) }) }, "duplicate_parameter", 0},
		{"an error of the honest one", func(_ *testing.T, m *mixup) {
			m.evil.FailNext("login", demo.Fault{Error: "access_denied", EditCallback: honestIss(m)})
		}, "iss_mismatch", 0},
		{"an error of nobody", func(_ *testing.T, m *mixup) {
			m.evil.FailNext("login", demo.Fault{Error: "access_denied", EditCallback: func(q url.Values) { q.Del("iss") }})
		}, "iss_missing", 0},
		{"the honest one's ID token", func(t *testing.T, m *mixup) {
			token := m.honestIDToken(t)
			m.evil.FailNext("code", demo.Fault{EditToken: func(a map[string]any) { a["id_token"] = token }})
		}, "unknown_key", 1},
		{"the honest one's ID token and keys", func(t *testing.T, m *mixup) {
			m.announce("jwks_uri", m.honest.URL+"/jwks")
			token := m.honestIDToken(t)
			m.evil.FailNext("code", demo.Fault{EditToken: func(a map[string]any) { a["id_token"] = token }})
		}, "iss_mismatch", 1},
		{"an ID token in the honest one's name", func(_ *testing.T, m *mixup) {
			m.evil.FailNext("code", demo.Fault{EditIDToken: func(c map[string]any) { c["iss"] = m.honest.URL }})
		}, "iss_mismatch", 1},
		{"the honest one's token endpoint", func(_ *testing.T, m *mixup) {
			m.traitor = "evil"
			m.announce("token_endpoint", m.honest.URL+"/token")
		}, "client_refused", 1},
	}
	for _, tt := range tests {
		for _, names := range [][]string{{"main", "evil"}, {"evil", "main"}} {
			t.Run(tt.name+"/"+names[0]+" first", func(t *testing.T) {
				m := newMixup(t, names...)
				tt.arm(t, m)
				before := m.tokenCalls()
				b := m.browser(t)
				callback := b.follow(b.begin("?provider=evil&return_to=/orders"), "alice")
				a := b.navigate(crossSite, callback.String()).leads("")
				if a.StatusCode < 400 || a.set("__Host-session") != nil || b.provider() != "" {
					t.Errorf("answer %d, cookies %v, signed in at %q", a.StatusCode, a.Cookies(), b.provider())
				}
				if got := m.tokenCalls() - before; got != tt.calls {
					t.Errorf("%d calls to token endpoints, want %d", got, tt.calls)
				}
				if got := m.refusals(); !slices.Equal(got, []string{"evil: " + tt.reason}) {
					t.Errorf("audit events %q, want one: evil: %s", got, tt.reason)
				}
				b.signIn("alice", "?provider=main").want(http.StatusSeeOther)
				if got := b.provider(); got != "main" {
					t.Errorf("after that the honest provider signs in at %q", got)
				}
			})
		}
	}
}

func (m *mixup) tokenCalls() int { return len(m.honest.Calls("token")) + len(m.evil.Calls("token")) }

// A document that claims the honest issuer is not used at all, and the honest
// provider is not asked to sign in whom the hostile one sends without a redirect
// URI that it knows.
func TestMixUpBeforeTheSignIn(t *testing.T) {
	m := newMixup(t, "main", "evil")
	m.announce("issuer", m.honest.URL)
	b := m.browser(t)
	b.navigate(ourOrigin, "/bff/login?provider=evil").problem(http.StatusServiceUnavailable, "unavailable").leads("")

	m = newMixup(t, "main", "evil")
	m.announce("authorization_endpoint", m.honest.URL+"/authorize")
	m.honest.SetClient(demo.Client{ID: m.evilAt.id, Secret: "another's", RedirectURIs: []string{m.honestURI}})
	b = m.browser(t)
	if to, err := m.honest.SignIn(b.idp, b.begin("?provider=evil").String(), "alice"); err == nil {
		t.Errorf("the honest provider answers to %s", to)
	}
}

// H4: what says that the honest provider's token endpoint is now the hostile one's
// is not believed: neither codes nor refresh tokens go there.
func TestTokenEndpointMovesToAnother(t *testing.T) {
	m := newMixup(t, "main", "evil")
	b := m.signedInAt(t, "main", "alice")
	m.honest.SetFaults(demo.Faults{Discovery: demo.Fault{EditMetadata: func(doc map[string]any) {
		doc["token_endpoint"], doc["revocation_endpoint"] = m.evil.URL+"/token", m.evil.URL+"/revoke"
	}}})
	asked := len(m.honest.Calls("discovery"))
	for range 4 { // over the hour for which a document is good
		m.sleep(20 * time.Minute)
		b.fetch("GET", "/api/orders").want(http.StatusOK)
	}
	if err := m.honest.WaitDone("discovery", asked+1, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	m.log.until(func(text string) bool { return strings.Contains(text, "token_endpoint has moved to another origin") })
	m.sleep(20 * time.Minute)
	b.fetch("GET", "/api/orders").want(http.StatusOK)
	m.signedInAt(t, "main", "bob")
	b.fetch("POST", "/bff/logout").want(http.StatusOK)
	if err := m.honest.WaitDone("revocation", 1, 5*time.Second); err != nil {
		t.Error(err)
	}
	if n := len(m.evil.Calls("token")) + len(m.evil.Calls("revocation")); n != 0 {
		t.Errorf("the hostile provider got %d calls", n)
	}
}

// H1, H2: the hostile provider, or whoever else, brings the answer to a sign-in at
// the honest one to the wrong place.
func TestAnswerInTheWrongPlace(t *testing.T) {
	m := newMixup(t, "main", "evil")
	b := m.browser(t)
	callback := b.approve(b.begin("?provider=main"), "alice")
	b.navigate(crossSite, m.evilURI+"?"+callback.RawQuery).problem(http.StatusBadRequest, "login_expired").leads("")
	if got, want := m.refusals(), []string{"main: callback_mismatch"}; !slices.Equal(got, want) || m.tokenCalls() != 0 {
		t.Errorf("audit events %q and %d token calls, want %q and none", got, m.tokenCalls(), want)
	}
	b.navigate(crossSite, callback.String()).want(http.StatusSeeOther)
}
