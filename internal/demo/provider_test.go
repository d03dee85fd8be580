package demo_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/internal/demo"
)

const (
	redirectURI = "http://localhost:8080/bff/callback"
	goodbyeURI  = "http://localhost:8080/bff/logout/callback"
	clientID    = "spa:1"
	clientKey   = "s%cret +/&"
	verifier    = "a-verifier-that-is-long-enough-for-rfc-7636-rules"
)

func start(t *testing.T, cfg demo.ProviderConfig) *demo.Server {
	t.Helper()
	if cfg.Clients == nil {
		cfg.Clients = []demo.Client{{
			ID: clientID, Secret: clientKey,
			RedirectURIs: []string{redirectURI}, PostLogoutRedirectURIs: []string{goodbyeURI},
		}}
	}
	s, err := demo.StartProvider(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func jarClient(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar}
}

// authURL is a good authorization request, with changes: "" deletes.
func authURL(s *demo.Server, change url.Values) string {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {redirectURI},
		"scope": {"openid profile email"}, "state": {"st"}, "nonce": {"no"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	for k, v := range change {
		q[k] = v
		if v[0] == "" {
			q.Del(k)
		}
	}
	return s.URL + "/authorize?" + q.Encode()
}

type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Scope   string `json:"scope"`
	Expires int    `json:"expires_in"`
	Error   string `json:"error"`
	Status  int    `json:"-"`
}

func post(t *testing.T, target string, form url.Values) tokens {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if !form.Has("client_assertion") && !form.Has("client_secret") {
		req.SetBasicAuth(url.QueryEscape(clientID), url.QueryEscape(clientKey))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var got tokens
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	got.Status = res.StatusCode
	return got
}

func codeForm(code string) url.Values {
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirectURI}, "code_verifier": {verifier},
	}
}

func refreshForm(token string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
}

// signIn goes all the way to the tokens.
func signIn(t *testing.T, s *demo.Server, username string) tokens {
	t.Helper()
	back, err := s.SignIn(nil, authURL(s, nil), username)
	if err != nil {
		t.Fatal(err)
	}
	got := post(t, s.URL+"/token", codeForm(back.Query().Get("code")))
	if got.Status != http.StatusOK {
		t.Fatalf("token answer %d %s, want 200", got.Status, got.Error)
	}
	return got
}

func claims(t *testing.T, token string) map[string]any {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(payload, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSignIn(t *testing.T) {
	s := start(t, demo.ProviderConfig{})
	got := signIn(t, s, "alice")
	c := claims(t, got.ID)
	for k, want := range map[string]any{
		"iss": s.URL, "sub": "u-1001", "aud": clientID, "nonce": "no", "name": "Alice Archer", "email": "alice@example.com",
	} {
		if c[k] != want {
			t.Errorf("ID token %s = %v, want %v", k, c[k], want)
		}
	}
	if got.Expires != 30 || got.Refresh == "" {
		t.Errorf("expires_in %d and refresh token %q, want 30 and one", got.Expires, got.Refresh)
	}
	renewed := post(t, s.URL+"/token", refreshForm(got.Refresh))
	if renewed.Status != http.StatusOK || renewed.Refresh == got.Refresh {
		t.Errorf("renewal %d, same refresh token %v; want 200 and a new one", renewed.Status, renewed.Refresh == got.Refresh)
	}
	if _, has := claims(t, renewed.ID)["nonce"]; has {
		t.Error("renewed ID token has a nonce, want none")
	}
}
