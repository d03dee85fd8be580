package oidc_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session/oidc"
)

func begin(t *testing.T, rp *oidc.Client, p oidc.Params) (oidc.AuthRequest, url.Values) {
	t.Helper()
	req, to, err := rp.Begin(t.Context(), p)
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	return req, u.Query()
}

// A2, A3, A5, A11, A12: the whole authorization request.
func TestAuthorizationURL(t *testing.T) {
	b := newBench(t, func(_ *demo.ProviderConfig, cfg *oidc.Config) {
		cfg.Scopes = []string{"openid", "email"}
		cfg.Resource = []string{"https://api.example/a", "https://api.example/b"}
		cfg.Params = map[string]string{"audience": "x&y", "prompt": "consent"}
	})
	age := 60
	req, q := begin(t, b.rp, oidc.Params{LoginHint: "a@b", ACRValues: "1 2", UILocales: "de fr", MaxAge: &age, ReturnTo: "/x"})
	sum := sha256.Sum256([]byte(req.Verifier.Reveal()))
	want := url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirectURL}, "scope": {"openid email"},
		"state": {req.State.Reveal()}, "nonce": {req.Nonce.Reveal()},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
		"resource": {"https://api.example/a", "https://api.example/b"}, "audience": {"x&y"}, "prompt": {"consent"},
		"login_hint": {"a@b"}, "acr_values": {"1 2"}, "ui_locales": {"de fr"}, "max_age": {"60"},
	}
	if !reflect.DeepEqual(q, want) {
		t.Errorf("query has %v, want %v", slices.Sorted(maps.Keys(q)), slices.Sorted(maps.Keys(want)))
	}
}

// A3: nothing is ever used twice.
func TestBeginIsUnique(t *testing.T) {
	b := newBench(t)
	seen := map[string]bool{}
	for range 1000 {
		req, q := begin(t, b.rp, oidc.Params{})
		for _, v := range []string{req.State.Reveal(), req.Nonce.Reveal(), req.Verifier.Reveal(), q.Get("code_challenge")} {
			if len(v) != 43 || seen[v] {
				t.Fatalf("value of %d characters, seen before: %v", len(v), seen[v])
			}
			seen[v] = true
		}
	}
	if n := len(b.idp.Calls("discovery")); n != 1 {
		t.Errorf("metadata was fetched %d times, want 1", n)
	}
}

func TestBeginParams(t *testing.T) {
	number := func(n int) *int { return &n }
	tests := []struct {
		name   string
		params oidc.Params
		want   string // reason
	}{
		{"unknown prompt", oidc.Params{Prompt: "nonsense"}, "prompt"},
		{"prompt in capitals", oidc.Params{Prompt: "NONE"}, "prompt"},
		{"none and login", oidc.Params{Prompt: "none login"}, "prompt"},
		{"negative age", oidc.Params{MaxAge: number(-1)}, "max_age"},
		{"age without end", oidc.Params{MaxAge: number(1 << 30)}, "max_age"},
		{"acr values without end", oidc.Params{ACRValues: strings.Repeat("x", 257)}, "acr_values"},
		{"acr values with a line break", oidc.Params{ACRValues: "1\n2"}, "acr_values"},
		{"hint without end", oidc.Params{LoginHint: strings.Repeat("x", 257)}, "login_hint"},
		{"hint with a control character", oidc.Params{LoginHint: "a\x00b"}, "login_hint"},
		{"locales that are not ASCII", oidc.Params{UILocales: "dé"}, "ui_locales"},
		{"return_to without end", oidc.Params{ReturnTo: "/" + strings.Repeat("x", oidc.MaxReturnTo)}, "return_to"},
	}
	b := newBench(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := b.rp.Begin(t.Context(), tt.params)
			refused(t, err, oidc.ErrParams, tt.want)
		})
	}
	if n := len(b.idp.Journal()); n != 0 {
		t.Errorf("calls = %d, want none", n)
	}
	for _, prompt := range []string{"none", "login consent", "select_account", "create"} {
		if _, _, err := b.rp.Begin(t.Context(), oidc.Params{Prompt: prompt}); err != nil {
			t.Errorf("prompt %s: %v", prompt, err)
		}
	}
}

// The configured acr_values and max_age are enforced like asked-for ones.
func TestConfiguredAuthentication(t *testing.T) {
	b := newBench(t, func(_ *demo.ProviderConfig, cfg *oidc.Config) {
		cfg.Params = map[string]string{"acr_values": "9", "max_age": "5"}
	})
	req, q := begin(t, b.rp, oidc.Params{})
	if req.ACRValues != "9" || req.MaxAge == nil || *req.MaxAge != 5 || q.Get("max_age") != "5" {
		t.Errorf("request = %+v, want acr_values 9 and max_age 5", req)
	}
	req, q = begin(t, b.rp, oidc.Params{ACRValues: "1"})
	if req.ACRValues != "1" || q.Get("acr_values") != "1" {
		t.Errorf("acr_values = %s, want those asked for", req.ACRValues)
	}
}

func TestAuthRequestBinary(t *testing.T) {
	age, zero := 60, 0
	started := time.Unix(1_800_000_000, 0)
	full := oidc.AuthRequest{
		Provider: "main", Issuer: "https://id.example/" + strings.Repeat("x", 236), State: "s", Nonce: "n", Verifier: "v",
		ReturnTo: "/" + strings.Repeat("x", oidc.MaxReturnTo-1), Started: started, ACRValues: "1 2", MaxAge: &age, Fresh: true,
	}
	for _, want := range []oidc.AuthRequest{full, {Started: started}, {Started: started, MaxAge: &zero}} {
		b, err := want.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 1500 {
			t.Errorf("%d bytes, too many for a cookie", len(b))
		}
		var got oidc.AuthRequest
		if err := got.UnmarshalBinary(b); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("round trip = %+v, %v, want %+v", got, err, want)
		}
		for i := range b {
			if err := got.UnmarshalBinary(b[:i]); err == nil {
				t.Errorf("the first %d of %d bytes are taken for a request", i, len(b))
			}
		}
		if err := got.UnmarshalBinary(append(b, 0)); err == nil {
			t.Error("a byte too many is taken for a request")
		}
	}
	for _, s := range []string{fmt.Sprint(full), fmt.Sprintf("%+v %#v", full, full)} {
		if strings.Contains(s, `"s"`) || strings.Contains(s, `State:s`) {
			t.Error("printing shows the state")
		}
	}
}

// The provider is down when a user wants to sign in, and up a moment later.
func TestBeginHeals(t *testing.T) {
	b := newBench(t)
	b.idp.SetFaults(demo.Faults{Discovery: demo.Fault{Reply: demo.JSONReply(503, "{}")}})
	for range 5 {
		_, _, err := b.rp.Begin(t.Context(), oidc.Params{})
		if u := unavailable(t, err, "provider_unreachable"); u.RetryAfter <= 0 || u.RetryAfter > time.Second {
			t.Errorf("RetryAfter = %v, want at most a second", u.RetryAfter)
		}
	}
	if n := len(b.idp.Calls("discovery")); n != 1 {
		t.Errorf("probes within a second = %d, want 1", n)
	}
	if err := b.rp.Probe(t.Context()); err == nil || errors.Is(err, oidc.ErrState) {
		t.Errorf("Probe = %v, want the provider's failure", err)
	}
	b.idp.SetFaults(demo.Faults{})
	b.advance(time.Second)
	if err := b.rp.Probe(t.Context()); err != nil {
		t.Errorf("Probe: %v", err)
	}
	b.signIn()
}
