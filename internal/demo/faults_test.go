package demo_test

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// tryRefresh makes one token call that may fail on the wire.
func tryRefresh(s *demo.Server, token string) (int, []byte, error) {
	req, err := http.NewRequest(http.MethodPost, s.URL+"/token", strings.NewReader(refreshForm(token).Encode()))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape(clientID), url.QueryEscape(clientKey))
	hc := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := hc.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	var body io.Reader = res.Body
	if res.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(body); err != nil {
			return 0, nil, err
		}
	}
	b, err := io.ReadAll(body)
	return res.StatusCode, b, err
}

// R2, R3, R4: what is lost, the request or only the answer, decides whether
// the old token still works.
func TestFaultsBeforeAndAfterCommit(t *testing.T) {
	tests := []struct {
		name      string
		fault     demo.Fault
		wire      bool // the caller sees an error on the wire
		status    int
		oldStands bool
	}{
		{"dropped before", demo.Fault{DropBefore: true}, true, 0, true},
		{"dropped after", demo.Fault{DropAfter: true}, true, 0, false},
		{"503 before", demo.Fault{Reply: &demo.Reply{Status: 503}}, false, 503, true},
		{"502 after", demo.Fault{ReplyAfter: &demo.Reply{Status: 502}}, false, 502, false},
		{"truncated after", demo.Fault{ReplyAfter: &demo.Reply{Body: []byte(`{"acc`), Truncate: true}}, true, 0, false},
		{"invalid_grant out of the blue", demo.Fault{Error: "invalid_grant"}, false, 400, true},
		{"invalid_client", demo.Fault{Error: "invalid_client"}, false, 401, true},
		{"overloaded", demo.Fault{Error: "temporarily_unavailable"}, false, 503, true},
		{"late", demo.Fault{Delay: time.Millisecond, DelayAfter: time.Millisecond}, false, 200, false},
		{"no refresh token", demo.Fault{OmitRefresh: true}, false, 200, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, demo.ProviderConfig{})
			old := signIn(t, s, "alice").Refresh
			s.FailNext("refresh", tt.fault)
			status, _, err := tryRefresh(s, old)
			if (err != nil) != tt.wire || err == nil && status != tt.status {
				t.Errorf("call = %d, %v; want %d, error %v", status, err, tt.status, tt.wire)
			}
			if got := post(t, s.URL+"/token", refreshForm(old)); (got.Status == http.StatusOK) != tt.oldStands {
				t.Errorf("old token afterwards = %d, want good = %v", got.Status, tt.oldStands)
			}
		})
	}
}

func TestGate(t *testing.T) {
	s := start(t, demo.ProviderConfig{})
	old := signIn(t, s, "alice").Refresh
	before, after := make(chan struct{}), make(chan struct{})
	s.SetFaults(demo.Faults{Refresh: demo.Fault{Gate: before, GateAfter: after}})
	done := make(chan error, 1)
	go func() {
		_, _, err := tryRefresh(s, old)
		done <- err
	}()
	if err := s.Wait("refresh", 1, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if c := s.Calls("refresh")[0]; c.Status != 0 || c.TokenHash != demo.Hash(old) {
		t.Errorf("held call = %+v, want an open one with the token's hash", c)
	}
	close(before)
	if err := s.WaitDone("refresh", 1, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	if c := s.Calls("refresh")[0]; c.Status != http.StatusOK || c.ReplacedBy == "" {
		t.Errorf("call after commit = %+v, want 200 with a replacement", c)
	}
	close(after)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := s.Wait("refresh", 2, time.Millisecond); err == nil {
		t.Error("Wait for a call that never comes = nil, want an error")
	}
}

// C6
func TestRedirectReply(t *testing.T) {
	s := start(t, demo.ProviderConfig{})
	hits := 0
	sink := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits++ }))
	defer sink.Close()
	s.SetFaults(demo.Faults{Refresh: demo.Fault{Reply: demo.RedirectReply(307, sink.URL)}})
	post(t, s.URL+"/token", refreshForm("x"))
	if hits != 1 {
		t.Errorf("a careless client reached the sink %d times, want once", hits)
	}
}

// C8
func TestGzipBomb(t *testing.T) {
	s := start(t, demo.ProviderConfig{})
	s.FailNext("token", demo.Fault{Reply: &demo.Reply{Body: []byte("{"), Fill: 1 << 20, Gzip: true}})
	if _, b, err := tryRefresh(s, "x"); err != nil || len(b) != 1+1<<20 {
		t.Errorf("unpacked %d bytes, %v; want a MiB and one", len(b), err)
	}
}

// B6: every forgery must look right and verify with no published key.
func TestForgeries(t *testing.T) {
	s := start(t, demo.ProviderConfig{})
	verifies := func(token string) bool {
		set, err := s.KeySet(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil {
			return false
		}
		for _, k := range set.Key(jws.Signatures[0].Header.KeyID) {
			if _, err := jws.Verify(k); err == nil {
				return true
			}
		}
		return false
	}
	for f := demo.Genuine; f <= demo.ForgeSignature; f++ {
		s.SetFaults(demo.Faults{Code: demo.Fault{Forge: f}})
		got := signIn(t, s, "alice")
		if claims(t, got.ID)["sub"] != "u-1001" || verifies(got.ID) != (f == demo.Genuine) {
			t.Errorf("forgery %d verifies = %v, want %v", f, verifies(got.ID), f == demo.Genuine)
		}
	}
}

func TestEdits(t *testing.T) {
	s := start(t, demo.ProviderConfig{})
	s.SetFaults(demo.Faults{
		Discovery: demo.Fault{EditMetadata: func(m map[string]any) { m["issuer"] = "https://evil.example" }},
		Authorize: demo.Fault{EditCallback: func(v url.Values) { v.Add("iss", "https://evil.example") }},
		Login:     demo.Fault{EditCallback: func(v url.Values) { v.Add("iss", "https://evil.example") }},
		Code: demo.Fault{
			EditIDToken: func(c map[string]any) { c["nonce"] = "other" },
			EditToken:   func(m map[string]any) { m["expires_in"] = 7 },
		},
		Refresh:  demo.Fault{Subject: "u-666"},
		UserInfo: demo.Fault{Subject: "u-667"},
	})
	res, err := http.Get(s.URL + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var meta map[string]any
	if err := json.NewDecoder(res.Body).Decode(&meta); err != nil || meta["issuer"] != "https://evil.example" {
		t.Errorf("issuer %v, %v; want the edited one", meta["issuer"], err)
	}
	back, err := s.SignIn(nil, authURL(s, nil), "alice")
	if err != nil || len(back.Query()["iss"]) != 2 {
		t.Fatalf("callback %v, %v; want two iss", back, err)
	}
	got := post(t, s.URL+"/token", codeForm(back.Query().Get("code")))
	if got.Expires != 7 || claims(t, got.ID)["nonce"] != "other" {
		t.Errorf("expires_in %d, nonce %v; want the edited ones", got.Expires, claims(t, got.ID)["nonce"])
	}
	if _, m := userinfo(t, s, got.Access); m["sub"] != "u-667" {
		t.Errorf("userinfo sub %v, want u-667", m["sub"])
	}
	if sub := claims(t, post(t, s.URL+"/token", refreshForm(got.Refresh)).ID)["sub"]; sub != "u-666" {
		t.Errorf("renewed sub %v, want u-666", sub)
	}
}

// H6
func TestRotateKeys(t *testing.T) {
	s := start(t, demo.ProviderConfig{})
	keys := func() int {
		set, err := s.KeySet(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(set.Keys)
	}
	before := signIn(t, s, "alice")
	s.RotateKeys(false)
	if status, _ := userinfo(t, s, before.Access); status != http.StatusOK || keys() != 2 {
		t.Errorf("old token %d with %d keys, want 200 with 2", status, keys())
	}
	s.RotateKeys(true)
	if status, _ := userinfo(t, s, before.Access); status != http.StatusUnauthorized || keys() != 1 {
		t.Errorf("old token %d with %d keys, want 401 with 1", status, keys())
	}
}

// C1, C7: the journal and the list of secrets are what other tests believe.
func TestJournalAndSecrets(t *testing.T) {
	s := start(t, demo.ProviderConfig{})
	got := signIn(t, s, "alice")
	post(t, s.URL+"/token", refreshForm("wrong"))
	s.RevokeFamilies("u-1001")
	post(t, s.URL+"/token", refreshForm(got.Refresh))

	var trail []string
	for _, c := range s.Journal() {
		trail = append(trail, strings.TrimSpace(c.Endpoint+" "+c.GrantType+" "+c.Error))
	}
	want := "authorize|login|token authorization_code|token refresh_token invalid_grant|token refresh_token invalid_grant"
	if strings.Join(trail, "|") != want {
		t.Errorf("journal %q, want %q", strings.Join(trail, "|"), want)
	}
	c := s.Calls("code")[0]
	if c.ClientID != clientID || c.AuthMethod != "client_secret_basic" || c.ReplacedBy != demo.Hash(got.Refresh) {
		t.Errorf("code grant = %+v, want the client, its method and the refresh token's hash", c)
	}
	all := strings.Join(s.Issued(), "\n")
	for _, secret := range []string{got.Access, got.Refresh, got.ID, verifier, c.Form.Get("code")} {
		if !strings.Contains(all, secret) {
			t.Errorf("Issued lacks %.12s…", secret)
		}
	}
}

func TestStartProviderOnLoopbackOnly(t *testing.T) {
	if s, err := demo.StartProvider(demo.ProviderConfig{Listen: "0.0.0.0:0"}); err == nil {
		s.Close()
		t.Error("StartProvider on every address = nil, want an error")
	}
	if _, err := demo.NewProvider(demo.ProviderConfig{Issuer: "http://127.0.0.1/"}); err == nil {
		t.Error("NewProvider with a slash at the issuer's end = nil, want an error")
	}
	s := start(t, demo.ProviderConfig{})
	if _, err := s.SignIn(nil, s.URL+"/nowhere", "alice"); !errors.Is(err, demo.ErrNoCallback) {
		t.Errorf("SignIn on a page without a form = %v, want ErrNoCallback", err)
	}
}
