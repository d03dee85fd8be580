package demo_test

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// B10: a stronger sign-in than the browser's shows a page that says so, and holds
// afterwards. One that is strong enough already passes without a page.
func TestSecondFactor(t *testing.T) {
	s := start(t, demo.ProviderConfig{})
	hc := jarClient(t)
	const factor = "Sign in with the second factor"
	tests := []struct {
		name, acrs, prompt string
		page, strong       bool
		acr                string // of the token; "": there is none
	}{
		{"first sign-in", "", "", true, false, "1"},
		{"the same again", "1", "", false, false, "1"},
		{"a stronger one, unseen", "2", "none", false, false, ""},
		{"a stronger one", "2", "", true, true, "2"},
		{"the stronger one again", "2", "", false, false, "2"},
		{"any will do", "", "", false, false, "2"},
		{"one of two", "3 2", "", false, false, "2"},
		{"stronger still", "3 4", "", true, true, "3"},
	}
	for _, tt := range tests {
		at := authURL(s, url.Values{"acr_values": {tt.acrs}, "prompt": {tt.prompt}})
		page := open(t, hc, at)
		if shown, strong := page != "", strings.Contains(page, factor); shown != tt.page || strong != tt.strong {
			t.Errorf("%s: page shown %v, with a second factor %v; want %v, %v", tt.name, shown, strong, tt.page, tt.strong)
		}
		back, err := s.SignIn(hc, at, "alice")
		if err != nil {
			t.Fatal(err)
		}
		if tt.acr == "" {
			if got := back.Query().Get("error"); got != "login_required" {
				t.Errorf("%s: error %q, want login_required", tt.name, got)
			}
			continue
		}
		got := post(t, s.URL+"/token", codeForm(back.Query().Get("code")))
		if id, access := claims(t, got.ID)["acr"], claims(t, got.Access)["acr"]; id != tt.acr || access != tt.acr {
			t.Errorf("%s: acr %v in the ID token, %v in the access token, want %s", tt.name, id, access, tt.acr)
		}
	}
}

// open returns the page that an authorization request shows, "" for a redirect.
func open(t *testing.T, hc *http.Client, at string) string {
	t.Helper()
	stay := *hc
	stay.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	req, err := http.NewRequest(http.MethodGet, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := stay.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return ""
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// Groups come with the scope profile, in the ID token and at UserInfo, and who
// has none gets no such claim.
func TestGroups(t *testing.T) {
	s := start(t, demo.ProviderConfig{})
	for username, want := range map[string][]string{"alice": {"staff"}, "bob": {"staff", "admin"}, "carol": nil} {
		got := signIn(t, s, username)
		_, info := userinfo(t, s, got.Access)
		for place, c := range map[string]map[string]any{"ID token": claims(t, got.ID), "UserInfo": info} {
			var groups []string
			value, there := c["groups"]
			list, _ := value.([]any)
			for _, g := range list {
				groups = append(groups, g.(string))
			}
			if !slices.Equal(groups, want) || there != (want != nil) {
				t.Errorf("%s: groups %v in the %s, want %v", username, c["groups"], place, want)
			}
		}
	}
	back, err := s.SignIn(nil, authURL(s, url.Values{"scope": {"openid email"}}), "bob")
	if err != nil {
		t.Fatal(err)
	}
	got := post(t, s.URL+"/token", codeForm(back.Query().Get("code")))
	if groups, there := claims(t, got.ID)["groups"]; there {
		t.Errorf("groups %v without the scope profile", groups)
	}
}
