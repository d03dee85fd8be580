package demo_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// inbox is a relying party's back-channel logout endpoint.
func inbox(t *testing.T, status int) (uri string, tokens chan string) {
	t.Helper()
	tokens = make(chan string, 16)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tokens <- r.PostFormValue("logout_token")
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	return s.URL, tokens
}

func told(t *testing.T, tokens chan string) map[string]any {
	t.Helper()
	select {
	case token := <-tokens:
		return claims(t, token)
	case <-time.After(5 * time.Second):
		t.Fatal("no logout token comes")
		return nil
	}
}

func registered(backchannel string, sessionRequired bool) demo.ProviderConfig {
	return demo.ProviderConfig{Clients: []demo.Client{{
		ID: clientID, Secret: clientKey, RedirectURIs: []string{redirectURI}, PostLogoutRedirectURIs: []string{goodbyeURI},
		BackchannelLogoutURI: backchannel, BackchannelSessionRequired: sessionRequired,
	}}}
}

// A session that ends at the end-session endpoint is made known to its clients.
func TestEndSessionTellsClients(t *testing.T) {
	uri, tokens := inbox(t, http.StatusOK)
	s := start(t, registered(uri, true))
	id := signIn(t, s, "alice").ID
	res, err := jarClient(t).Get(s.URL + "/logout?" + url.Values{"id_token_hint": {id}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	c := told(t, tokens)
	events, _ := c["events"].(map[string]any)
	event, isObject := events["http://schemas.openid.net/event/backchannel-logout"].(map[string]any)
	if !isObject || len(event) != 0 {
		t.Errorf("events = %v, want the one of back-channel logout", c["events"])
	}
	if c["iss"] != s.URL || c["aud"] != clientID || c["sub"] != "u-1001" || c["sid"] != claims(t, id)["sid"] || c["jti"] == "" {
		t.Errorf("claims = %v", c)
	}
	if _, has := c["nonce"]; has {
		t.Error("a logout token has a nonce")
	}
	if err := s.WaitDone("backchannel_logout", 1, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if got := s.Calls("backchannel_logout")[0]; got.Status != http.StatusOK || got.ClientID != clientID {
		t.Errorf("the journal says status %d, client %q", got.Status, got.ClientID)
	}
}

func TestLogoutBySubjectAndBySID(t *testing.T) {
	tests := []struct {
		name     string
		required bool
		bySID    bool
		want     int // tokens
		wantSID  bool
	}{
		{"one session", false, true, 1, true},
		{"the user, in one token", false, false, 1, false},
		{"the user, session by session", true, false, 2, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			uri, tokens := inbox(t, http.StatusNoContent)
			s := start(t, registered(uri, tt.required))
			sid, _ := claims(t, signIn(t, s, "alice").ID)["sid"].(string)
			signIn(t, s, "alice")
			signIn(t, s, "bob")
			if !tt.bySID {
				sid = ""
			}
			if err := s.Logout(t.Context(), "u-1001", sid); err != nil {
				t.Fatal(err)
			}
			if len(tokens) != tt.want {
				t.Fatalf("%d tokens came, want %d", len(tokens), tt.want)
			}
			c := told(t, tokens)
			if got, has := c["sid"]; has != tt.wantSID || sid != "" && got != sid {
				t.Errorf("sid = %v, want one: %v", got, tt.wantSID)
			}
			if c["sub"] != "u-1001" {
				t.Errorf("sub = %v, want alice's", c["sub"])
			}
		})
	}
}

func TestLogoutClientRefuses(t *testing.T) {
	uri, _ := inbox(t, http.StatusBadRequest)
	s := start(t, registered(uri, true))
	signIn(t, s, "alice")
	if err := s.Logout(t.Context(), "", ""); err == nil || !strings.Contains(err.Error(), "400") {
		t.Errorf("error = %v, want the client's 400", err)
	}
}

// The logout page opens the clients' front-channel pages.
func TestFrontchannelFrames(t *testing.T) {
	cfg := registered("", false)
	cfg.Clients[0].FrontchannelLogoutURI = "http://localhost:8080/bff/frontchannel-logout/demo"
	s := start(t, cfg)
	id := signIn(t, s, "alice").ID
	sid, _ := claims(t, id)["sid"].(string)
	q := url.Values{"id_token_hint": {id}, "post_logout_redirect_uri": {goodbyeURI}, "state": {"st"}}
	res, err := jarClient(t).Get(s.URL + "/logout?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`<iframe src="http://localhost:8080/bff/frontchannel-logout/demo?iss=` + strings.ReplaceAll(url.QueryEscape(s.URL), "+", "&#43;") + "&amp;sid=" + sid + `"`,
		`url=` + goodbyeURI + `?state=st`,
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("the page has no %s:\n%s", want, body)
		}
	}
	if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-src http://localhost:8080") {
		t.Errorf("Content-Security-Policy = %s", csp)
	}
}
