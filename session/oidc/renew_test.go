package oidc_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// renew renews what s holds.
func (b *bench) renew(s session.SignIn) (session.Tokens, error) {
	b.t.Helper()
	return b.rp.Renew(b.t.Context(), s.Identity, s.Tokens)
}

// D1, D2, D3: under every mode of rotation, ten times in a row.
func TestRenew(t *testing.T) {
	tests := []struct {
		name    string
		mode    demo.RefreshMode
		omit    bool
		rotates bool
	}{
		{"rotating", demo.RefreshRotate, false, true},
		{"with a grace window", demo.RefreshGrace, false, true},
		{"same token within a window", demo.RefreshSame, false, true},
		{"by count", demo.RefreshCount, false, true},
		{"never rotating", demo.RefreshStatic, false, false},
		{"no refresh token in the answer", demo.RefreshRotate, true, false}, // R21
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, func(p *demo.ProviderConfig, _ *oidc.Config) { p.Refresh = tt.mode })
			s := b.signIn()
			b.idp.SetFaults(demo.Faults{Refresh: demo.Fault{OmitRefresh: tt.omit}})
			for i := range 10 {
				b.advance(time.Minute)
				next, err := b.renew(s)
				if err != nil {
					t.Fatalf("renewal %d: %v", i, err)
				}
				if next.Access == s.Tokens.Access || (next.Refresh != s.Tokens.Refresh) != tt.rotates {
					t.Errorf("renewal %d: rotated %v, want %v, and a new access token", i, next.Refresh != s.Tokens.Refresh, tt.rotates)
				}
				if want := b.clock().Add(30 * time.Second); !next.Expires.Equal(want) {
					t.Errorf("expires = %v, want %v", next.Expires, want)
				}
				s.Tokens = next
			}
			if got, want := len(b.idp.Calls("refresh")), 10; got != want {
				t.Errorf("refresh calls = %d, want %d", got, want)
			}
			// R5: nothing but the token call.
			if got, want := len(b.idp.Calls("jwks"))+len(b.idp.Calls("userinfo")), 1; got != want {
				t.Errorf("key and UserInfo calls = %d, want the sign-in's %d", got, want)
			}
		})
	}
}

// reply returns a fault that answers without acting, after one that answers
// once the provider has acted.
func reply(status int, body string) demo.Fault {
	return demo.Fault{Reply: demo.JSONReply(status, body)}
}

func after(status int, body string) demo.Fault {
	return demo.Fault{ReplyAfter: demo.JSONReply(status, body)}
}

// refreshEnds are the ways a refresh can end other than well, and what each
// means for the session.
var refreshEnds = []struct {
	name    string
	fault   demo.Fault
	kind    error // nil: try again later
	reason  string
	salvage session.Secret
}{
	{"invalid_grant", demo.Fault{Error: "invalid_grant", ErrorDescription: "<b>"}, session.ErrRefused, "invalid_grant", ""},
	{"invalid_grant with 403", reply(403, `{"error":"invalid_grant"}`), session.ErrRefused, "invalid_grant", ""},
	{"invalid_grant with 401", reply(401, `{"error":"invalid_grant"}`), session.ErrRefused, "invalid_grant", ""},
	{"invalid_grant with 500", reply(500, `{"error":"invalid_grant"}`), nil, "provider_failed", ""},
	{"invalid_grant with 429", reply(429, `{"error":"invalid_grant"}`), nil, "provider_busy", ""},
	{"invalid_client", demo.Fault{Error: "invalid_client"}, nil, "client_refused", ""},
	{"unauthorized_client", demo.Fault{Error: "unauthorized_client"}, nil, "client_refused", ""},
	{"401 without a body", reply(401, ""), nil, "client_refused", ""},
	{"invalid_scope", demo.Fault{Error: "invalid_scope"}, nil, "request_refused", ""},
	{"invalid_request", demo.Fault{Error: "invalid_request"}, nil, "request_refused", ""},
	{"unsupported_grant_type", demo.Fault{Error: "unsupported_grant_type"}, nil, "request_refused", ""},
	{"an error nobody knows", reply(400, `{"error":"<script>"}`), nil, "request_refused", ""},
	{"400 of a proxy", reply(400, `<html>invalid_grant</html>`), nil, "request_refused", ""},
	{"404", reply(404, ``), nil, "request_refused", ""},
	{"temporarily_unavailable", demo.Fault{Error: "temporarily_unavailable"}, nil, "provider_failed", ""},
	{"500", reply(500, ``), nil, "provider_failed", ""},
	{"502", reply(502, ``), nil, "provider_failed", ""},
	{"503 after it acted", after(503, ``), nil, "provider_failed", ""},
	{"504", after(504, ``), session.ErrAmbiguous, "gateway_timeout", ""},
	{"504 that says invalid_grant", reply(504, `{"error":"invalid_grant"}`), session.ErrAmbiguous, "gateway_timeout", ""},
	{"429", reply(429, ``), nil, "provider_busy", ""},
	{"302", demo.Fault{Reply: demo.RedirectReply(302, "/login")}, nil, "provider_redirected", ""},

	{"connection cut before it acted", demo.Fault{DropBefore: true}, session.ErrAmbiguous, "no_answer", ""},
	{"connection cut after it acted", demo.Fault{DropAfter: true}, session.ErrAmbiguous, "no_answer", ""},
	{"HTML", after(200, `<html>`), session.ErrAmbiguous, "malformed_answer", ""},
	{"nothing", after(200, ``), session.ErrAmbiguous, "malformed_answer", ""},
	{"null", after(200, `null`), session.ErrAmbiguous, "malformed_answer", ""},
	{"a list", after(200, `[{"refresh_token":"rt"}]`), session.ErrAmbiguous, "malformed_answer", ""},
	{"an error with 200", after(200, `{"error":"invalid_grant"}`), session.ErrAmbiguous, "malformed_answer", ""},
	{"tokens with 201", after(201, `{"access_token":"a","token_type":"Bearer","refresh_token":"rt"}`), session.ErrAmbiguous, "malformed_answer", "rt"},
	{"no access token", after(200, `{"refresh_token":"rt","token_type":"Bearer"}`), session.ErrAmbiguous, "malformed_answer", "rt"},
	{"empty access token", after(200, `{"access_token":"","refresh_token":"rt","token_type":"Bearer"}`), session.ErrAmbiguous, "malformed_answer", "rt"},
	{"another token type", after(200, `{"access_token":"a","refresh_token":"rt","token_type":"mac"}`), session.ErrAmbiguous, "malformed_answer", "rt"},
	{"access token with a line break", after(200, `{"access_token":"a\nb","refresh_token":"rt","token_type":"Bearer"}`), session.ErrAmbiguous, "malformed_answer", "rt"},
	{"cut off behind the refresh token", after(200, `{"refresh_token":"rt","access_token":"a`), session.ErrAmbiguous, "malformed_answer", "rt"},
	{"cut off within the refresh token", after(200, `{"access_token":"a","refresh_token":"rt`), session.ErrAmbiguous, "malformed_answer", ""},
	{"refresh token one level down", after(200, `{"x":{"refresh_token":"rt"}`), session.ErrAmbiguous, "malformed_answer", ""},
	{"connection cut in the body", demo.Fault{ReplyAfter: &demo.Reply{Body: []byte(`{"refresh_token":"rt","acc`), Truncate: true}}, session.ErrAmbiguous, "malformed_answer", "rt"},
	{"endless", demo.Fault{ReplyAfter: &demo.Reply{Body: []byte(`{"refresh_token":"rt"`), Fill: 1 << 40}}, session.ErrAmbiguous, "malformed_answer", "rt"},
	{"compressed without being asked", demo.Fault{ReplyAfter: &demo.Reply{Body: []byte(`{}`), Fill: 8 << 20, Gzip: true}}, session.ErrAmbiguous, "malformed_answer", ""},
}

// R2, R3, R9, R15–R17, R19, R20, C6, C7, D7
func TestRenewEnds(t *testing.T) {
	for _, tt := range refreshEnds {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			s := b.signIn()
			b.idp.SetFaults(demo.Faults{Refresh: tt.fault})
			got, err := b.renew(s)
			if tt.kind != nil {
				refused(t, err, tt.kind, tt.reason)
			} else {
				unavailable(t, err, tt.reason)
			}
			if got.Refresh != tt.salvage || got.Access != "" {
				t.Errorf("salvaged %q, want %q, and no access token", got.Refresh.Reveal(), tt.salvage.Reveal())
			}
			if n := len(b.idp.Calls("refresh")); n != 1 {
				t.Errorf("refresh calls = %d, want 1", n)
			}
			b.noSecrets("error", err.Error())
		})
	}
}

// R2: the provider is gone between two renewals.
func TestRenewUnreachable(t *testing.T) {
	b := newBench(t)
	s := b.signIn()
	b.idp.Close()
	_, err := b.renew(s)
	unavailable(t, err, "provider_unreachable")
	b.noSecrets("error", err.Error())
}

// R3: no answer within the timeout.
func TestRenewTimeout(t *testing.T) {
	b := newBench(t, func(_ *demo.ProviderConfig, cfg *oidc.Config) { cfg.TokenTimeout = 100 * time.Millisecond })
	s := b.signIn()
	gate := make(chan struct{})
	defer close(gate)
	b.idp.SetFaults(demo.Faults{Refresh: demo.Fault{GateAfter: gate}})
	_, err := b.renew(s)
	refused(t, err, session.ErrAmbiguous, "no_answer")
}

// D6, R8: the browser leaves while the provider thinks.
func TestRenewOutlivesTheBrowser(t *testing.T) {
	b := newBench(t)
	s := b.signIn()
	gate := make(chan struct{})
	b.idp.SetFaults(demo.Faults{Refresh: demo.Fault{GateAfter: gate}})
	ctx, cancel := context.WithCancel(t.Context())
	type result struct {
		tokens session.Tokens
		err    error
	}
	done := make(chan result, 1)
	go func() {
		tokens, err := b.rp.Renew(ctx, s.Identity, s.Tokens)
		done <- result{tokens, err}
	}()
	if err := b.idp.Wait("refresh", 1, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	cancel()
	close(gate)
	if got := <-done; got.err != nil || got.tokens.Refresh == s.Tokens.Refresh {
		t.Errorf("Renew: %v, want the new tokens", got.err)
	}
}

// R15, R16: Retry-After is honoured, within reason.
func TestRenewRetryAfter(t *testing.T) {
	b := newBench(t)
	s := b.signIn()
	tests := []struct {
		header string
		want   time.Duration
	}{
		{"", 0},
		{"7", 7 * time.Second},
		{"-7", 0},
		{"999999999", 10 * time.Minute},
		{"99999999999999999999999", 0},
		{"soon", 0},
		{b.clock().Add(time.Minute).UTC().Format(http.TimeFormat), time.Minute},
		{b.clock().Add(-time.Minute).UTC().Format(http.TimeFormat), 0},
		{b.clock().Add(24 * time.Hour).UTC().Format(http.TimeFormat), 10 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.header, func(t *testing.T) {
			b.idp.SetFaults(demo.Faults{Refresh: demo.Fault{Reply: &demo.Reply{Status: 503, Header: http.Header{"Retry-After": {tt.header}}}}})
			_, err := b.renew(s)
			if got := unavailable(t, err, "provider_failed").RetryAfter; got != tt.want {
				t.Errorf("RetryAfter = %v, want %v", got, tt.want)
			}
		})
	}
}

// D14: tokens of another registration are not sent, whoever asks.
func TestRenewPinsIssuerAndClient(t *testing.T) {
	b := newBench(t)
	s := b.signIn()
	for name, change := range map[string]func(*session.SignIn){
		"another issuer":   func(s *session.SignIn) { s.Issuer = "https://old.example" },
		"another client":   func(s *session.SignIn) { s.ClientID = "old" },
		"no refresh token": func(s *session.SignIn) { s.Tokens.Refresh = "" },
	} {
		t.Run(name, func(t *testing.T) {
			other := s
			change(&other)
			if _, err := b.renew(other); !errors.Is(err, session.ErrRefused) {
				t.Errorf("Renew: %v, want %v", err, session.ErrRefused)
			}
		})
	}
	if n := len(b.idp.Calls("refresh")); n != 0 {
		t.Errorf("refresh calls = %d, want 0", n)
	}
}
