package demo_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// A2, A3: what a healthy provider answers to requests that it must refuse.
func TestAuthorizeRefusals(t *testing.T) {
	s := start(t, demo.ProviderConfig{AutoLogin: "alice"})
	tests := []struct {
		name   string
		change url.Values
		want   string // the error sent to the client
	}{
		{"implicit flow", url.Values{"response_type": {"token"}}, "unsupported_response_type"},
		{"fragment mode", url.Values{"response_mode": {"fragment"}}, "invalid_request"},
		{"no PKCE", url.Values{"code_challenge": {""}}, "invalid_request"},
		{"plain PKCE", url.Values{"code_challenge_method": {"plain"}}, "invalid_request"},
		{"challenge that is no digest", url.Values{"code_challenge": {"abc"}}, "invalid_request"},
		{"no openid", url.Values{"scope": {"profile"}}, "invalid_scope"},
		{"state twice", url.Values{"state": {"a", "b"}}, "invalid_request"},
		{"prompt none and login", url.Values{"prompt": {"none login"}}, "invalid_request"},
		{"max_age in words", url.Values{"max_age": {"soon"}}, "invalid_request"},
		{"request object", url.Values{"request": {"x"}}, "request_not_supported"},
		{"nothing wrong", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			back, err := s.SignIn(nil, authURL(s, tt.change), "alice")
			if err != nil {
				t.Fatal(err)
			}
			q := back.Query()
			if got := q.Get("error"); got != tt.want || q.Get("iss") != s.URL || q.Has("code") != (tt.want == "") {
				t.Errorf("callback %v, want error %q with iss %s", q, tt.want, s.URL)
			}
		})
	}
}

func TestAuthorizeRedirectsNowhereUnknown(t *testing.T) {
	s := start(t, demo.ProviderConfig{AutoLogin: "alice"})
	for name, change := range map[string]url.Values{
		"unknown client":         {"client_id": {"nobody"}},
		"unregistered redirect":  {"redirect_uri": {redirectURI + "/"}},
		"redirect_uri twice":     {"redirect_uri": {redirectURI, redirectURI}},
		"redirect_uri not given": {"redirect_uri": {""}},
	} {
		t.Run(name, func(t *testing.T) {
			if back, err := s.SignIn(nil, authURL(s, change), "alice"); !errors.Is(err, demo.ErrNoCallback) {
				t.Errorf("SignIn = %v, %v; want ErrNoCallback", back, err)
			}
		})
	}
}

func TestSingleSignOn(t *testing.T) {
	now := time.Date(2026, 1, 2, 9, 0, 0, 0, time.UTC)
	s := start(t, demo.ProviderConfig{Now: func() time.Time { return now }})
	hc := jarClient(t)
	if _, err := s.SignIn(hc, authURL(s, nil), "bob"); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	tests := []struct {
		name   string
		change url.Values
		page   bool
	}{
		{"again", nil, false},
		{"without a page allowed", url.Values{"prompt": {"none"}}, false},
		{"sign in anew", url.Values{"prompt": {"login"}}, true},
		{"choose", url.Values{"prompt": {"select_account"}}, true},
		{"fresh enough", url.Values{"max_age": {"60"}}, false},
		{"too old", url.Values{"max_age": {"59"}}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			noFollow := *hc
			noFollow.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			res, err := noFollow.Get(authURL(s, tt.change))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			if got := res.StatusCode == http.StatusOK; got != tt.page {
				t.Errorf("login page shown %v, want %v", got, tt.page)
			}
		})
	}
}

func TestPromptNoneWithoutSession(t *testing.T) {
	s := start(t, demo.ProviderConfig{})
	back, err := s.SignIn(nil, authURL(s, url.Values{"prompt": {"none"}}), "alice")
	if err != nil {
		t.Fatal(err)
	}
	if got := back.Query().Get("error"); got != "login_required" {
		t.Errorf("error = %q, want login_required", got)
	}
}

func TestDeny(t *testing.T) {
	s := start(t, demo.ProviderConfig{})
	back, err := s.Deny(nil, authURL(s, nil))
	if err != nil {
		t.Fatal(err)
	}
	if got := back.Query().Get("error"); got != "access_denied" || back.Query().Get("state") != "st" {
		t.Errorf("callback %v, want access_denied with the state", back.Query())
	}
}

func TestLoginFormFromAnotherSite(t *testing.T) {
	s := start(t, demo.ProviderConfig{})
	req, err := http.NewRequest(http.MethodPost, s.URL+"/login", strings.NewReader("username=alice"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusForbidden || len(res.Cookies()) > 0 {
		t.Errorf("answer %d with %d cookies, want 403 and none", res.StatusCode, len(res.Cookies()))
	}
}

// I3
func TestEndSession(t *testing.T) {
	s := start(t, demo.ProviderConfig{})
	tests := []struct {
		name  string
		query func(idToken string) url.Values
		want  string // Location; "": a page
		over  bool
	}{
		{"hint and registered page", func(id string) url.Values {
			return url.Values{"id_token_hint": {id}, "post_logout_redirect_uri": {goodbyeURI}, "state": {"x y"}}
		}, goodbyeURI + "?state=x+y", true},
		{"client ID and user hint", func(string) url.Values {
			return url.Values{"client_id": {clientID}, "logout_hint": {"u-1002"}, "post_logout_redirect_uri": {goodbyeURI}}
		}, goodbyeURI, true},
		{"unregistered page", func(id string) url.Values {
			return url.Values{"id_token_hint": {id}, "post_logout_redirect_uri": {"https://evil.example/"}}
		}, "", false},
		{"tampered hint", func(id string) url.Values {
			return url.Values{"id_token_hint": {id + "x"}, "post_logout_redirect_uri": {goodbyeURI}}
		}, "", false},
		{"nothing but the browser's cookie", func(string) url.Values { return url.Values{} }, "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			hc := jarClient(t)
			hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			back, err := s.SignIn(hc, authURL(s, nil), "bob")
			if err != nil {
				t.Fatal(err)
			}
			got := post(t, s.URL+"/token", codeForm(back.Query().Get("code")))
			// A thief's copy: the answer's deletion of the cookie must not be all.
			home, err := url.Parse(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			copied := jarClient(t)
			copied.Jar.SetCookies(home, hc.Jar.Cookies(home))
			res, err := hc.Get(s.URL + "/logout?" + tt.query(got.ID).Encode())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			if l := res.Header.Get("Location"); l != tt.want {
				t.Errorf("Location = %q, want %q", l, tt.want)
			}
			again, err := s.SignIn(copied, authURL(s, url.Values{"prompt": {"none"}}), "bob")
			if err != nil {
				t.Fatal(err)
			}
			if over := again.Query().Get("error") == "login_required"; over != tt.over {
				t.Errorf("provider's session over = %v, want %v", over, tt.over)
			}
			if renewed := post(t, s.URL+"/token", refreshForm(got.Refresh)); (renewed.Status != http.StatusOK) != tt.over {
				t.Errorf("renewal after logout = %d, want refused = %v", renewed.Status, tt.over)
			}
		})
	}
}
