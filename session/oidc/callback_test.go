package oidc_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// A6, B1, B3, B4, H1, H5: one row per refusal, and no token call for any.
func TestCallbackRefused(t *testing.T) {
	tests := []struct {
		name   string
		change func(*oidc.AuthRequest, url.Values)
		reason string
	}{
		{"no state", func(_ *oidc.AuthRequest, q url.Values) { q.Del("state") }, "state_mismatch"},
		{"another state", func(_ *oidc.AuthRequest, q url.Values) { q.Set("state", "x") }, "state_mismatch"},
		{"state and a tail", func(_ *oidc.AuthRequest, q url.Values) { q.Set("state", q.Get("state")+"x") }, "state_mismatch"},
		{"two empty states", func(r *oidc.AuthRequest, q url.Values) { r.State = ""; q.Set("state", "") }, "state_mismatch"},
		{"no request pending", func(r *oidc.AuthRequest, q url.Values) { *r = oidc.AuthRequest{}; q.Del("state") }, "state_mismatch"},
		{"state twice", func(_ *oidc.AuthRequest, q url.Values) { q.Add("state", q.Get("state")) }, "duplicate_parameter"},
		{"code twice", func(_ *oidc.AuthRequest, q url.Values) { q.Add("code", "x") }, "duplicate_parameter"},
		{"iss twice", func(_ *oidc.AuthRequest, q url.Values) { q.Add("iss", q.Get("iss")) }, "duplicate_parameter"},
		{"anything twice", func(_ *oidc.AuthRequest, q url.Values) { q["x"] = []string{"1", "1"} }, "duplicate_parameter"},
		{"request of another provider", func(r *oidc.AuthRequest, _ url.Values) { r.Provider = "other" }, "provider_mismatch"},
		{"request of another issuer", func(r *oidc.AuthRequest, _ url.Values) { r.Issuer += "/" }, "provider_mismatch"},
		{"request too old", func(r *oidc.AuthRequest, _ url.Values) { r.Started = r.Started.Add(-oidc.RequestLife - time.Second) }, "request_expired"},
		{"request from the future", func(r *oidc.AuthRequest, _ url.Values) { r.Started = r.Started.Add(2 * time.Minute) }, "request_expired"},
		{"another issuer answers", func(_ *oidc.AuthRequest, q url.Values) { q.Set("iss", "https://evil.example") }, "iss_mismatch"},
		{"empty issuer", func(_ *oidc.AuthRequest, q url.Values) { q.Set("iss", "") }, "iss_mismatch"},
		{"announced issuer is missing", func(_ *oidc.AuthRequest, q url.Values) { q.Del("iss") }, "iss_missing"},
		{"error of another issuer", func(_ *oidc.AuthRequest, q url.Values) { q.Set("error", "access_denied"); q.Set("iss", "x") }, "iss_mismatch"},
		{"error without its state", func(_ *oidc.AuthRequest, q url.Values) { q.Set("error", "access_denied"); q.Del("state") }, "state_mismatch"},
		{"no code", func(_ *oidc.AuthRequest, q url.Values) { q.Del("code") }, "code_missing"},
		{"empty code", func(_ *oidc.AuthRequest, q url.Values) { q.Set("code", "") }, "code_missing"},
		{"code of control characters", func(_ *oidc.AuthRequest, q url.Values) { q.Set("code", "a\r\nb") }, "code_missing"},
		{"endless code", func(_ *oidc.AuthRequest, q url.Values) { q.Set("code", strings.Repeat("x", 10<<10)) }, "code_missing"},
	}
	b := newBench(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b.t = t
			req, q := b.authorize(oidc.Params{})
			tt.change(&req, q)
			refused(t, b.rp.CheckCallback(req, q), oidc.ErrState, tt.reason)
			_, err := b.rp.Finish(t.Context(), req, q)
			refused(t, err, oidc.ErrState, tt.reason)
			b.noSecrets("error", err.Error())
		})
	}
	if n := len(b.idp.Calls("token")); n != 0 {
		t.Errorf("token calls = %d, want 0", n)
	}
}

// B3: a process that has just started knows nothing of the provider when the
// callback comes; Finish asks before it sends the code.
func TestCallbackIssMissingAfterRestart(t *testing.T) {
	b := newBench(t)
	req, q := b.authorize(oidc.Params{})
	q.Del("iss")
	fresh := newClient(t, oidc.Config{
		Name: "main", Issuer: b.idp.URL, ClientID: clientID, ClientSecret: secret, RedirectURL: redirectURL, Now: b.clock,
	})
	if err := fresh.CheckCallback(req, q); err != nil {
		t.Errorf("CheckCallback without metadata: %v", err)
	}
	_, err := fresh.Finish(t.Context(), req, q)
	refused(t, err, oidc.ErrState, "iss_missing")
	if n := len(b.idp.Calls("token")); n != 0 {
		t.Errorf("token calls = %d, want 0", n)
	}
}

// B3: a provider that does not announce iss need not send it.
func TestCallbackWithoutIss(t *testing.T) {
	b := newBench(t)
	b.idp.SetFaults(demo.Faults{
		Discovery: demo.Fault{EditMetadata: func(m map[string]any) { delete(m, "authorization_response_iss_parameter_supported") }},
		Authorize: demo.Fault{EditCallback: func(q url.Values) { q.Del("iss") }},
	})
	b.signIn()
}

// B5: the provider's own words go nowhere.
func TestCallbackError(t *testing.T) {
	tests := []struct{ code, want string }{
		{"access_denied", "access_denied"},
		{"login_required", "login_required"},
		{"interaction_required", "interaction_required"},
		{"<script>alert(1)</script>", "other"},
		{"", "other"},
	}
	b := newBench(t)
	req, q := b.authorize(oidc.Params{Prompt: "none"})
	for _, tt := range tests {
		t.Run(tt.want+" "+tt.code, func(t *testing.T) {
			q.Set("error", tt.code)
			q.Set("error_description", "<b>words</b>")
			_, err := b.rp.Finish(t.Context(), req, q)
			var auth *oidc.AuthError
			if !errors.As(err, &auth) || auth.Code != tt.want {
				t.Fatalf("error = %v, want code %s", err, tt.want)
			}
			if oidc.Reason(err) != "provider_"+tt.want || strings.Contains(err.Error(), "<") {
				t.Errorf("error = %v (reason %s) repeats the provider", err, oidc.Reason(err))
			}
		})
	}
}

// B13, C7: whatever comes back, the code is sent once.
func TestRedeemOnce(t *testing.T) {
	tests := []struct {
		name   string
		fault  demo.Fault
		kind   error // nil: try again later
		reason string
	}{
		{"invalid_grant", demo.Fault{Error: "invalid_grant"}, oidc.ErrToken, "code_refused"},
		{"invalid_client", demo.Fault{Error: "invalid_client"}, nil, "client_refused"},
		{"unauthorized_client", demo.Fault{Error: "unauthorized_client"}, nil, "client_refused"},
		{"invalid_request", demo.Fault{Error: "invalid_request"}, nil, "request_refused"},
		{"down", demo.Fault{Error: "temporarily_unavailable"}, nil, "provider_failed"},
		{"busy", reply(http.StatusTooManyRequests, ""), nil, "provider_busy"},
		{"answer lost", demo.Fault{DropAfter: true}, nil, "code_unanswered"},
		{"answer cut off", demo.Fault{ReplyAfter: &demo.Reply{Body: []byte(`{"access_token":"a`), Truncate: true}}, nil, "code_unanswered"},
		{"HTML", demo.Fault{ReplyAfter: &demo.Reply{Body: []byte("<html>")}}, oidc.ErrToken, "malformed_answer"},
		{"token of an unknown type", demo.Fault{EditToken: func(m map[string]any) { m["token_type"] = "mac" }}, oidc.ErrToken, "malformed_answer"},
		{"token without a type", demo.Fault{EditToken: func(m map[string]any) { delete(m, "token_type") }}, oidc.ErrToken, "malformed_answer"},
		{"no access token", demo.Fault{EditToken: func(m map[string]any) { delete(m, "access_token") }}, oidc.ErrToken, "malformed_answer"},
		{"access token with a line break", demo.Fault{EditToken: func(m map[string]any) { m["access_token"] = "a\r\nX: y" }}, oidc.ErrToken, "malformed_answer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.idp.SetFaults(demo.Faults{Code: tt.fault})
			_, err := b.finish(oidc.Params{})
			if tt.kind != nil {
				refused(t, err, tt.kind, tt.reason)
			} else {
				unavailable(t, err, tt.reason)
			}
			if n := len(b.idp.Calls("token")); n != 1 {
				t.Errorf("token calls = %d, want 1", n)
			}
			b.noSecrets("error", err.Error())
		})
	}
}

// B14: any spelling of Bearer.
func TestTokenTypeInAnyCase(t *testing.T) {
	b := newBench(t)
	b.idp.SetFaults(demo.Faults{Code: demo.Fault{EditToken: func(m map[string]any) { m["token_type"] = "bEARER" }}})
	b.signIn()
}
