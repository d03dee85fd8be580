package web_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// registration is what one provider of several knows us by.
type registration struct {
	name, id, auth, secret string
	key                    *ecdsa.PrivateKey
}

// several is a stand with several providers, at each of which we are somebody else
// and prove it in another way. All of them know the same users by the same sub.
type several struct {
	*stand
	regs     []registration
	traitor  string // gives away what is its own, which is nobody else's fault
	upstream *upstream
}

// upstream is an API that writes down who it is told a user is.
type upstream struct {
	mu   sync.Mutex
	last http.Header
}

func (u *upstream) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last = r.Header.Clone()
}

func (u *upstream) header(name string) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.last.Get(name)
}

// ways are those in which we prove who we are, each at one of three providers.
var ways = []string{oidc.AuthBasic, oidc.AuthPost, oidc.AuthPrivateKeyJWT}

func newSeveral(t *testing.T, o options, names ...string) *several {
	t.Helper()
	s := &several{upstream: &upstream{}}
	for i, name := range names {
		r := registration{name: name, id: "client-of-" + name, auth: ways[i%len(ways)], secret: "secret-of-" + name + "-5d1e"}
		if r.auth == oidc.AuthPrivateKeyJWT {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			r.secret, r.key = "", key
		}
		s.regs = append(s.regs, r)
	}
	next := 0
	o.providers = names
	o.provider = func(c *demo.ProviderConfig) {
		r := s.regs[next]
		client := &c.Clients[0]
		client.ID, client.Secret = r.id, r.secret
		client.AuthMethod = r.auth
		if r.key != nil {
			client.Keys = []jose.JSONWebKey{{Key: r.key.Public()}}
		}
	}
	o.client = func(c *oidc.Config) {
		r := s.regs[next]
		c.ClientID, c.ClientSecret, c.Auth = r.id, session.Secret(r.secret), r.auth
		if r.key != nil {
			c.PrivateKey = r.key
		}
		next++
	}
	api := plainServer(t, s.upstream.ServeHTTP)
	o.routes = func([]proxy.Config) []proxy.Config {
		return []proxy.Config{{
			Path: "/api/", Upstream: parse(api.URL), Demand: session.Demand{Auth: session.AuthRequired, Activity: true},
			Headers: map[string]string{"X-User": "sub", "X-Issuer": "iss", "X-Email": "email"},
		}}
	}
	s.stand = newStand(t, o)
	t.Cleanup(func() { s.apart(t) })
	return s
}

// apart fails the test if anything that belongs to one provider came to another:
// a code, token, verifier or assertion, our secret, or our name there. It runs at
// the end of every test with several.
func (s *several) apart(t *testing.T) {
	t.Helper()
	for i, p := range s.providers {
		seen := everything(t, p.Journal())
		for j, other := range s.providers {
			if i == j || s.regs[j].name == s.traitor {
				continue
			}
			for _, secret := range other.Secrets() {
				if strings.Contains(seen, secret.Value) {
					t.Errorf("%s saw a %s of %s", s.regs[i].name, secret.Kind, s.regs[j].name)
				}
			}
			if r := s.regs[j]; r.secret != "" && strings.Contains(seen, r.secret) {
				t.Errorf("%s saw our secret at %s", s.regs[i].name, r.name)
			}
		}
	}
}

// everything is all that calls brought, Basic credentials decoded.
func everything(t *testing.T, calls []demo.Call) string {
	t.Helper()
	var b strings.Builder
	for _, c := range calls {
		text, err := json.Marshal([]any{c.Form, c.Header})
		if err != nil {
			t.Fatal(err)
		}
		b.Write(text)
		if basic, ok := strings.CutPrefix(c.Header.Get("Authorization"), "Basic "); ok {
			plain, err := base64.StdEncoding.DecodeString(basic)
			if err != nil {
				t.Errorf("credentials %q: %v", basic, err)
			}
			b.Write(plain)
		}
	}
	return b.String()
}

// signedInAt returns a new browser with a session at the provider.
func (s *several) signedInAt(t *testing.T, provider, user string) *browser {
	t.Helper()
	b := s.browser(t)
	b.signIn(user, "?provider="+provider).want(http.StatusSeeOther)
	if got := b.provider(); got != provider {
		t.Fatalf("signed in at %q, want %q", got, provider)
	}
	return b
}

// provider is where the user signed in, "" when signed out.
func (b *browser) provider() string {
	b.Helper()
	name, _ := b.fetch("GET", "/bff/session").json()["provider"].(string)
	return name
}

// A registration, a redirect URI and a credential of its own for each provider
// (A11, H2, H3, L4), for all that is sent there: code, refresh and revocation.
func TestProvidersApart(t *testing.T) {
	s := newSeveral(t, options{}, "main", "partner", "bank")
	for i, r := range s.regs {
		b := s.signedInAt(t, r.name, "alice")
		s.sleep(2 * time.Minute)
		b.fetch("POST", "/bff/session/renew").want(http.StatusOK)
		b.fetch("POST", "/bff/logout").want(http.StatusOK)
		if err := s.providers[i].WaitDone("revocation", 1, 5*time.Second); err != nil {
			t.Error(err)
		}
	}
	for i, r := range s.regs {
		want := s.origin + "/bff/callback"
		if i > 0 {
			want += "/" + r.name
		}
		sent := map[string]int{}
		for _, c := range s.providers[i].Journal() {
			if c.ClientID != "" && c.ClientID != r.id {
				t.Errorf("%s: %s as client %s, want %s", r.name, c.Endpoint, c.ClientID, r.id)
			}
			if uri := c.Form.Get("redirect_uri"); uri != "" && uri != want {
				t.Errorf("%s: %s with redirect URI %s, want %s", r.name, c.Endpoint, uri, want)
			}
			if c.Endpoint == "token" || c.Endpoint == "revocation" {
				sent[c.Endpoint+" "+c.GrantType]++
				s.credential(t, i, c)
			}
		}
		for _, kind := range []string{"token authorization_code", "token refresh_token", "revocation "} {
			if sent[kind] != 1 {
				t.Errorf("%s: %d calls of kind %q, want 1", r.name, sent[kind], kind)
			}
		}
	}
}

// credential checks how the i-th provider was told who we are.
func (s *several) credential(t *testing.T, i int, c demo.Call) {
	t.Helper()
	r := s.regs[i]
	if c.AuthMethod != r.auth || c.Status != http.StatusOK {
		t.Errorf("%s: %s by %s = %d, want %s and 200", r.name, c.Endpoint, c.AuthMethod, c.Status, r.auth)
	}
	if r.key == nil {
		return
	}
	jws, err := jose.ParseSignedCompact(c.Form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify(r.key.Public())
	if err != nil {
		t.Fatalf("%s: the assertion is not signed by its key: %v", r.name, err)
	}
	var claims struct {
		Aud any    `json:"aud"`
		Iss string `json:"iss"`
		Sub string `json:"sub"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	if claims.Aud != s.providers[i].URL || claims.Iss != r.id || claims.Sub != r.id {
		t.Errorf("%s: assertion %+v, want aud %s and iss, sub %s", r.name, claims, s.providers[i].URL, r.id)
	}
}

// Every public key is there to be read, and each provider may read its own alone
// (H3).
func TestKeysOfSeveralProviders(t *testing.T) {
	s := newSeveral(t, options{}, "main", "partner", "bank", "a", "b", "c")
	b := s.browser(t)
	kids := func(path string) []string {
		var set jose.JSONWebKeySet
		if err := json.Unmarshal([]byte(b.fetch("GET", path).want(http.StatusOK).body), &set); err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, k := range set.Keys {
			if !k.IsPublic() {
				t.Fatal("a private key is shown")
			}
			out = append(out, k.KeyID)
		}
		return out
	}
	all, bank, c := kids("/bff/jwks"), kids("/bff/jwks/bank"), kids("/bff/jwks/c")
	if len(all) != 2 || len(bank) != 1 || len(c) != 1 || !slices.Equal(all, append(bank, c...)) || bank[0] == c[0] {
		t.Errorf("keys: all %v, bank's %v, c's %v", all, bank, c)
	}
	if none := kids("/bff/jwks/main"); len(none) != 0 {
		t.Errorf("main, which has a secret, has keys %v", none)
	}
	b.fetch("GET", "/bff/jwks/nobody").problem(http.StatusNotFound, "not_found")
}

// Who is signed in and is to prove more, or to be looked for without a page, is sent
// to the provider of the session; a plain login lets them choose. Nobody is
// shown a page that prompt=none forbids.
func TestLoginAtTheSessionsProvider(t *testing.T) {
	s := newSeveral(t, options{}, "main", "partner")
	in, out := s.signedInAt(t, "partner", "alice"), s.browser(t)
	for _, query := range []string{"?acr_values=2", "?max_age=0", "?prompt=none", "?prompt=none&return_to=/orders"} {
		if at := in.begin(query).String(); !strings.HasPrefix(at, s.providers[1].URL+"/") {
			t.Errorf("%s leads to %s, want partner", query, at)
		}
	}
	for _, query := range []string{"", "?prompt=login", "?return_to=/orders"} {
		if a := in.navigate(ourOrigin, "/bff/login"+query).want(http.StatusOK); !strings.Contains(a.body, "Sign in at main") {
			t.Errorf("%s shows no choice:\n%s", query, a.text())
		}
	}
	for _, query := range []string{"?acr_values=2", "?max_age=0"} {
		if a := out.navigate(ourOrigin, "/bff/login"+query).want(http.StatusOK); !strings.Contains(a.body, "Sign in at main") {
			t.Errorf("%s, signed out, shows no choice:\n%s", query, a.text())
		}
	}
	out.navigate(ourOrigin, "/bff/login?prompt=none&return_to=/orders").want(http.StatusSeeOther).leads("/orders")
	out.navigate(ourOrigin, "/bff/login?prompt=none&return_to=//evil.example").problem(http.StatusBadRequest, "invalid_return_to")
	out.navigate(ourOrigin, "/bff/login?prompt=none&provider=main").want(http.StatusFound)
}
