package oidc_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// A14, C5: documents that are not this issuer's, or lead astray.
func TestMetadataRefused(t *testing.T) {
	member := func(name string, value any) demo.Fault {
		return demo.Fault{EditMetadata: func(m map[string]any) { m[name] = value }}
	}
	tests := []struct {
		name  string
		fault demo.Fault
		want  string // in the error
	}{
		{"another issuer", member("issuer", "https://evil.example"), "issuer"},
		{"issuer with a slash", demo.Fault{EditMetadata: func(m map[string]any) { m["issuer"] = m["issuer"].(string) + "/" }}, "issuer"},
		{"no issuer", member("issuer", nil), "issuer"},
		{"issuer in capitals", demo.Fault{EditMetadata: func(m map[string]any) { m["ISSUER"] = m["issuer"]; delete(m, "issuer") }}, "issuer"},
		{"plain http", member("token_endpoint", "http://id.example/token"), "token_endpoint"},
		{"plain http for keys", member("jwks_uri", "http://id.example/jwks"), "jwks_uri"},
		{"another scheme", member("authorization_endpoint", "javascript:alert(1)"), "authorization_endpoint"},
		{"userinfo in the URL", member("token_endpoint", "https://a:b@id.example/token"), "token_endpoint"},
		{"a fragment", member("authorization_endpoint", "https://id.example/auth#x"), "authorization_endpoint"},
		{"a path only", member("token_endpoint", "/token"), "token_endpoint"},
		{"no token endpoint", member("token_endpoint", nil), "token_endpoint"},
		{"a token endpoint that is a number", member("token_endpoint", 1), "token_endpoint"},
		{"a bad endpoint that may be missing", member("end_session_endpoint", "ftp://id.example"), "end_session_endpoint"},
		{"HTML", demo.Fault{Reply: &demo.Reply{Body: []byte("<html>")}}, "JSON"},
		{"a list", demo.Fault{Reply: demo.JSONReply(200, "[]")}, "JSON"},
		{"null", demo.Fault{Reply: demo.JSONReply(200, "null")}, "JSON"},
		{"404", demo.Fault{Reply: demo.JSONReply(404, "{}")}, "status 404"},
		{"a redirect", demo.Fault{Reply: demo.RedirectReply(302, "/elsewhere")}, "status 302"},
		{"no end", demo.Fault{Reply: &demo.Reply{Body: []byte("{"), Fill: 1 << 40}}, "too big"},
		{"cut off", demo.Fault{DropAfter: true}, "connection closed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.idp.SetFaults(demo.Faults{Discovery: tt.fault})
			err := b.rp.Probe(t.Context())
			unavailable(t, err, "provider_unreachable")
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want it to name %s", err, tt.want)
			}
		})
	}
}

// A14: an https issuer may not have http endpoints, not even on loopback.
// C5: and its certificate must be good.
func TestMetadataOverTLS(t *testing.T) {
	var token string
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := "https://" + r.Host
		_, _ = w.Write([]byte(`{"issuer":"` + at + `","authorization_endpoint":"` + at + `/a","jwks_uri":"` + at + `/j","token_endpoint":"` + token + `"}`))
	}))
	defer srv.Close()
	cfg := oidc.Config{Name: "main", Issuer: srv.URL, ClientID: clientID, ClientSecret: secret, RedirectURL: redirectURL}

	token = srv.URL + "/t"
	err := newClient(t, cfg).Probe(t.Context())
	unavailable(t, err, "provider_unreachable")
	if !strings.Contains(err.Error(), "certificate") {
		t.Errorf("error = %v, want the certificate's", err)
	}
	cfg.RootCAs = srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	if err := newClient(t, cfg).Probe(t.Context()); err != nil {
		t.Errorf("Probe with the right roots: %v", err)
	}
	token = "http://127.0.0.1/t"
	unavailable(t, newClient(t, cfg).Probe(t.Context()), "provider_unreachable")
}

// A4: a provider that is silent about PKCE is used, and warned of.
func TestMetadataWithoutPKCE(t *testing.T) {
	b := newBench(t)
	b.idp.SetFaults(demo.Faults{Discovery: demo.Fault{EditMetadata: func(m map[string]any) { delete(m, "code_challenge_methods_supported") }}})
	b.signIn()
	if n := strings.Count(b.log.String(), "PKCE"); n != 1 {
		t.Errorf("warnings = %d, want 1", n)
	}
}

// The document is fetched again after an hour, while the old one serves.
func TestMetadataRefresh(t *testing.T) {
	b := newBench(t)
	b.signIn()
	b.advance(time.Hour - time.Second)
	b.signIn()
	if n := len(b.idp.Calls("discovery")); n != 1 {
		t.Errorf("fetches within the hour = %d, want 1", n)
	}
	b.advance(time.Second)
	gate := make(chan struct{})
	b.idp.SetFaults(demo.Faults{Discovery: demo.Fault{Gate: gate}})
	for range 10 {
		b.signIn()
	}
	if err := b.idp.Wait("discovery", 2, 10*time.Second); err != nil {
		t.Error(err)
	}
	if n := len(b.idp.Calls("discovery")); n != 2 {
		t.Errorf("fetches = %d, want 2", n)
	}
	close(gate)
}

// H4: a document that sends tokens elsewhere is not adopted.
func TestMetadataMoves(t *testing.T) {
	for _, name := range []string{"token_endpoint", "revocation_endpoint", "userinfo_endpoint"} {
		t.Run(name, func(t *testing.T) {
			var hits int
			thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits++ }))
			defer thief.Close()
			b := newBench(t)
			s := b.signIn()
			b.idp.SetFaults(demo.Faults{Discovery: demo.Fault{EditMetadata: func(m map[string]any) { m[name] = thief.URL }}})
			b.advance(2 * time.Hour)
			if err := b.rp.Probe(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.log.waitFor(t, "moved to another origin")
			if _, err := b.renew(s); err != nil {
				t.Errorf("Renew: %v, want the old endpoint to serve", err)
			}
			if err := b.rp.Revoke(t.Context(), s.Tokens); err != nil {
				t.Errorf("Revoke: %v", err)
			}
			if hits != 0 {
				t.Errorf("the new place got %d calls, want none", hits)
			}
		})
	}
}

func TestOrigins(t *testing.T) {
	b := newBench(t)
	b.idp.SetFaults(demo.Faults{Discovery: demo.Fault{EditMetadata: func(m map[string]any) { m["end_session_endpoint"] = "https://bye.example/x" }}})
	if got, want := b.rp.Origins(), []string{b.idp.URL}; !slices.Equal(got, want) {
		t.Errorf("origins before the metadata = %v, want %v", got, want)
	}
	if err := b.rp.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := b.rp.Origins(), []string{b.idp.URL, "https://bye.example"}; !slices.Equal(got, want) {
		t.Errorf("origins = %v, want %v", got, want)
	}
}
