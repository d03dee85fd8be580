package main_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// pair is a site with a second provider, at which we have another name and secret.
type pair struct {
	*site
	partner *demo.Server
}

const partnerSecret = "canary-partner-2b7d"

func newPair(t *testing.T) *pair {
	t.Helper()
	s := newSite(t, demo.ProviderConfig{AccessTTL: 2 * time.Second})
	return &pair{s, startPartner(t, s)}
}

func startPartner(t *testing.T, s *site) *demo.Server {
	t.Helper()
	p, err := demo.StartProvider(demo.ProviderConfig{AccessTTL: 2 * time.Second, Clients: []demo.Client{{
		ID: "cloakroom", Secret: partnerSecret, AuthMethod: "client_secret_post",
		RedirectURIs: []string{s.origin + "/bff/callback/partner"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// entries are the providers in the configuration.
func (p *pair) entries() (main, partner string) {
	main = fmt.Sprintf("  - {name: main, issuer: %q, client_id: spa, client_secret: %s, token_timeout: 5s}\n", p.provider.URL, canary)
	partner = fmt.Sprintf("  - {name: partner, issuer: %q, client_id: cloakroom, client_secret: %s, auth: client_secret_post, token_timeout: 5s}\n",
		p.partner.URL, partnerSecret)
	return main, partner
}

// configure replaces the list of providers.
func (p *pair) configure(entries ...string) {
	p.Helper()
	head, rest, _ := strings.Cut(p.config(), "providers:\n")
	_, tail, ok := strings.Cut(rest, "routes:\n")
	if !ok {
		p.Fatal("the configuration has no routes")
	}
	write(p.T, p.dir, "config.yaml", head+"providers:\n"+strings.Join(entries, "")+"routes:\n"+tail)
}

// signInAt signs alice in there.
func (p *pair) signInAt(name string) *user {
	p.Helper()
	u, at := p.user(), p.provider
	if name == "partner" {
		at = p.partner
	}
	callback, err := at.SignIn(u.hc, p.origin+"/bff/login?provider="+name, "alice")
	if err != nil {
		p.Fatal(err)
	}
	path := strings.TrimPrefix(callback.String(), p.origin)
	if status, body := u.send("GET", path, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"); status != http.StatusSeeOther {
		p.Fatalf("the callback %s answers %d %s", strings.Split(path, "?")[0], status, body)
	}
	return u
}

// at is the provider of the user's session, "" when signed out.
func (u *user) at() string {
	var body struct{ Provider string }
	_, text := u.send("GET", "/bff/session")
	_ = json.Unmarshal([]byte(text), &body) // what is no JSON names none
	return body.Provider
}

// renew asks for a new access token until at was asked for one, as there is a
// cooldown, and returns the last answer's status.
func (u *user) renew(at *demo.Server) int {
	u.Helper()
	before := len(at.Calls("refresh"))
	for {
		status, body := u.send("POST", "/bff/session/renew")
		switch {
		case status != http.StatusOK && status != http.StatusUnauthorized:
			u.Fatalf("the renewal answers %d %s", status, body)
		case status != http.StatusOK, len(at.Calls("refresh")) > before:
			return status
		}
		_ = at.Wait("refresh", before+1, 50*time.Millisecond) // a pause
	}
}

// saw is all that a provider was ever sent, Basic credentials decoded.
func saw(p *demo.Server) string {
	var b strings.Builder
	for _, c := range p.Journal() {
		fmt.Fprintln(&b, c.Form, c.Header)
		plain, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(c.Header.Get("Authorization"), "Basic "))
		b.Write(plain)
	}
	return b.String()
}

// apart fails the test if a provider was sent anything that is another's.
func apart(t *testing.T, providers ...*demo.Server) {
	t.Helper()
	for i, p := range providers {
		text := saw(p)
		for j, other := range providers {
			for _, secret := range other.Secrets() {
				if i != j && strings.Contains(text, secret.Value) {
					t.Errorf("provider %d saw a %s of provider %d", i, secret.Kind, j)
				}
			}
		}
	}
	for i, secret := range []string{canary, partnerSecret} {
		if strings.Contains(saw(providers[1-i]), secret) {
			t.Errorf("provider %d saw our secret at provider %d", 1-i, i)
		}
	}
}

// D14, H2: refresh tokens go where they came from, in whatever order the providers
// stand after a restart; and with callback: plain so do the answers to sign-ins.
func TestProvidersSwapped(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	main, partner := p.entries()
	p.configure(main, partner)
	run := p.serve()
	atMain, atPartner := p.signInAt("main"), p.signInAt("partner")
	run.stop()
	run.wait()

	p.configure(partner, strings.Replace(main, "name: main", "name: main, callback: plain", 1))
	p.serve()
	users := map[string]*user{"main": atMain, "partner": atPartner}
	for name, at := range map[string]*demo.Server{"main": p.provider, "partner": p.partner} {
		if u := users[name]; u.at() != name || u.renew(at) != http.StatusOK {
			t.Errorf("after the restart the session at %s is at %q, or its tokens can't be renewed", name, u.at())
		}
		if n := len(at.Calls("refresh")); n != 1 {
			t.Errorf("%s got %d renewals, want 1", name, n)
		}
		if got := p.signInAt(name).at(); got != name {
			t.Errorf("a sign-in at %s leads to %q", name, got)
		}
	}
	apart(t, p.provider, p.partner)
}

// D14: sessions of a provider that is no longer there, or that is another one now,
// are over, and nobody gets their tokens.
func TestProviderGoes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		replace func(p *pair, partner string) string
	}{
		{"it is removed", func(*pair, string) string { return "" }},
		{"its issuer is another", func(p *pair, partner string) string {
			other := startPartner(p.T, p.site)
			partner = strings.Replace(partner, p.partner.URL, other.URL, 1)
			p.Cleanup(func() { apart(p.T, p.provider, p.partner, other) })
			return partner
		}},
		{"its name is another's", func(p *pair, _ string) string {
			return "" // and main, below, is called partner
		}},
		{"our name there is another", func(p *pair, partner string) string {
			p.partner.SetClient(demo.Client{ID: "new", Secret: partnerSecret, RedirectURIs: []string{p.origin + "/bff/callback/partner"}})
			return strings.Replace(partner, "client_id: cloakroom", "client_id: new", 1)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPair(t)
			main, partner := p.entries()
			p.configure(main, partner)
			run := p.serve()
			gone, stays := p.signInAt("partner"), p.signInAt("main")
			run.stop()
			run.wait()

			if tt.name == "its name is another's" {
				p.configure(strings.Replace(main, "name: main", "name: partner", 1))
			} else {
				p.configure(main, tt.replace(p, partner))
			}
			p.serve()
			if status, body := gone.send("GET", "/api/whoami"); status != http.StatusUnauthorized || gone.at() != "" || gone.renew(p.partner) != http.StatusUnauthorized {
				t.Errorf("its session answers %d %s, and is at %q", status, body, gone.at())
			}
			if status, body := gone.send("POST", "/bff/logout"); status != http.StatusOK && status != http.StatusSeeOther {
				t.Errorf("its logout = %d %s", status, body)
			}
			if n := len(p.partner.Calls("refresh")) + len(p.partner.Calls("revocation")); n != 0 {
				t.Errorf("%d calls went where it was", n)
			}
			if tt.name != "its name is another's" && stays.renew(p.provider) != http.StatusOK {
				t.Error("the session at the other can't go on")
			}
			apart(t, p.provider, p.partner)
		})
	}
}

// H4: what the file says of endpoints reaches whoever fetches the metadata.
func TestEndpointOriginsOption(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.provider.SetFaults(demo.Faults{Discovery: demo.Fault{EditMetadata: func(doc map[string]any) {
		doc["token_endpoint"] = p.partner.URL + "/token"
	}}})
	main, _ := p.entries()
	for option, want := range map[string]int{
		"": http.StatusFound, ", endpoint_origins: ['" + p.provider.URL + "']": http.StatusServiceUnavailable,
		", endpoint_origins: ['" + p.partner.URL + "']": http.StatusFound,
	} {
		p.configure(strings.Replace(main, "}", option+"}", 1))
		run := p.serve()
		if status, body := p.user().send("GET", "/bff/login", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "none"); status != want {
			t.Errorf("with %q a sign-in begins with %d %s, want %d", option, status, body, want)
		}
		run.stop()
		run.wait()
	}
}
