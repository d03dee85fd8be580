package oidc_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// H4: with endpoint_origins a document that sends secrets elsewhere is not used,
// not even the first after a start.
func TestEndpointOrigins(t *testing.T) {
	for _, name := range []string{"token_endpoint", "revocation_endpoint", "userinfo_endpoint"} {
		for _, tt := range []struct {
			name    string
			origins func(issuer, elsewhere string) []string
			want    bool // it is used
		}{
			{"none named", func(string, string) []string { return nil }, true},
			{"the issuer's own", func(issuer, _ string) []string { return []string{issuer} }, false},
			{"another", func(string, string) []string { return []string{"https://id.example.com"} }, false},
			{"this one", func(_, elsewhere string) []string { return []string{elsewhere} }, true},
		} {
			t.Run(name+"/"+tt.name, func(t *testing.T) {
				elsewhere := httptest.NewServer(http.NotFoundHandler())
				defer elsewhere.Close()
				b := newBench(t)
				b.idp.SetFaults(demo.Faults{Discovery: demo.Fault{EditMetadata: func(m map[string]any) { m[name] = elsewhere.URL + "/x" }}})
				c := b.another(t, tt.origins(b.idp.URL, elsewhere.URL))
				_, _, err := c.Begin(t.Context(), oidc.Params{})
				if !tt.want {
					unavailable(t, err, "provider_unreachable")
					if want := name + " is at "; !strings.Contains(err.Error(), want) {
						t.Errorf("error %q does not say %q", err, want)
					}
				} else if err != nil {
					t.Errorf("Begin: %v", err)
				}
			})
		}
	}
}

// A move to an origin that is named needs no restart: the operator knows of it.
func TestEndpointMovesToNamedOrigin(t *testing.T) {
	calls := make(chan string, 8)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { calls <- r.URL.Path }))
	defer elsewhere.Close()
	b := newBench(t)
	b.rp = b.another(t, []string{elsewhere.URL})
	s := b.signIn()
	b.idp.SetFaults(demo.Faults{Discovery: demo.Fault{EditMetadata: func(m map[string]any) { m["revocation_endpoint"] = elsewhere.URL + "/revoke" }}})
	fetched := len(b.idp.Calls("discovery"))
	b.advance(2 * time.Hour)
	if err := b.rp.Reach(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(b.idp.Calls("discovery")) - fetched; n != 1 {
		t.Fatalf("%d fetches, want 1", n)
	}
	if err := b.rp.Revoke(t.Context(), s.Tokens); err != nil {
		t.Errorf("Revoke: %v", err)
	}
	if len(calls) != 1 {
		t.Errorf("%d calls at the new place, want 1", len(calls))
	}
}

// another returns a second client for the provider, as after a start.
func (b *bench) another(t *testing.T, origins []string) *oidc.Client {
	t.Helper()
	return newClient(t, oidc.Config{
		Name: "main", Issuer: b.idp.URL, ClientID: clientID, ClientSecret: secret, RedirectURL: redirectURL,
		Now: b.clock, EndpointOrigins: origins,
	})
}
