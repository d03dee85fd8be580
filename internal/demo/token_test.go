package demo_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/cloakroom/cloakroom/internal/demo"
)

func newCode(t *testing.T, s *demo.Server) string {
	t.Helper()
	back, err := s.SignIn(nil, authURL(s, nil), "alice")
	if err != nil {
		t.Fatal(err)
	}
	return back.Query().Get("code")
}

// A1, A3, B13: a code is good once, in time, for its client, its redirect
// URI and its verifier.
func TestCodeRefusals(t *testing.T) {
	now := time.Now()
	s := start(t, demo.ProviderConfig{Now: func() time.Time { return now }})
	tests := []struct {
		name  string
		edit  func(url.Values)
		later time.Duration
		want  string
	}{
		{"last moment", func(url.Values) {}, time.Minute - 1, ""},
		{"expired", func(url.Values) {}, time.Minute, "invalid_grant"},
		{"another verifier", func(f url.Values) { f.Set("code_verifier", "x") }, 0, "invalid_grant"},
		{"no verifier", func(f url.Values) { f.Del("code_verifier") }, 0, "invalid_grant"},
		{"another redirect URI", func(f url.Values) { f.Set("redirect_uri", goodbyeURI) }, 0, "invalid_grant"},
		{"code twice", func(f url.Values) { f.Add("code", "x") }, 0, "invalid_request"},
		{"secret in the body", func(f url.Values) { f.Set("client_id", clientID); f.Set("client_secret", clientKey) }, 0, "invalid_client"},
		{"unknown grant", func(f url.Values) { f.Set("grant_type", "password") }, 0, "unsupported_grant_type"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			form := codeForm(newCode(t, s))
			tt.edit(form)
			now = now.Add(tt.later)
			if got := post(t, s.URL+"/token", form); got.Error != tt.want {
				t.Errorf("error = %q (%d), want %q", got.Error, got.Status, tt.want)
			}
		})
	}
}

func TestCodeTwiceEndsFamily(t *testing.T) {
	s := start(t, demo.ProviderConfig{})
	c := newCode(t, s)
	first := post(t, s.URL+"/token", codeForm(c))
	if got := post(t, s.URL+"/token", codeForm(c)); got.Error != "invalid_grant" {
		t.Errorf("second use = %q, want invalid_grant", got.Error)
	}
	if got := post(t, s.URL+"/token", refreshForm(first.Refresh)); got.Error != "invalid_grant" {
		t.Errorf("refresh after reuse of the code = %q, want invalid_grant", got.Error)
	}
}

// D3: each mode, as a row of uses. A step names the token that is presented
// ("1" is the first one, "2" the one of the first renewal, and so on), after
// which pause, and which token comes back: "" is invalid_grant.
func TestRefreshModes(t *testing.T) {
	type step struct {
		use   int
		pause time.Duration
		want  int
	}
	tests := []struct {
		name  string
		cfg   demo.ProviderConfig
		steps []step
	}{
		{"rotate", demo.ProviderConfig{}, []step{{1, 0, 2}, {2, 0, 3}, {1, 0, 0}, {3, 0, 0}}},
		{"grace", demo.ProviderConfig{Refresh: demo.RefreshGrace, Grace: 10 * time.Second},
			[]step{{1, 0, 2}, {1, 10 * time.Second, 3}, {2, 0, 4}, {1, time.Nanosecond, 0}, {4, 0, 0}}},
		{"same", demo.ProviderConfig{Refresh: demo.RefreshSame, Grace: 10 * time.Second},
			[]step{{1, 0, 2}, {1, 10 * time.Second, 2}, {1, time.Nanosecond, 0}, {2, 0, 0}}},
		{"count", demo.ProviderConfig{Refresh: demo.RefreshCount, Reuses: 2},
			[]step{{1, 0, 2}, {1, time.Hour, 3}, {1, 0, 4}, {1, 0, 0}, {4, 0, 0}}},
		{"static", demo.ProviderConfig{Refresh: demo.RefreshStatic}, []step{{1, 0, 1}, {1, time.Hour, 1}}},
		{"life counts from the sign-in", demo.ProviderConfig{RefreshTTL: time.Hour},
			[]step{{1, 59 * time.Minute, 2}, {2, time.Minute, 0}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now := time.Now()
			tt.cfg.Now = func() time.Time { return now }
			s := start(t, tt.cfg)
			known := []string{"", signIn(t, s, "alice").Refresh}
			for i, st := range tt.steps {
				now = now.Add(st.pause)
				got := post(t, s.URL+"/token", refreshForm(known[st.use]))
				if st.want == len(known) {
					known = append(known, got.Refresh)
				}
				if got.Refresh != known[st.want] || (got.Error == "invalid_grant") != (st.want == 0) {
					t.Fatalf("step %d: use of %d answers %q %s, want token %d of %q", i+1, st.use, got.Refresh, got.Error, st.want, known)
				}
			}
		})
	}
}

// A1, D13
func TestPrivateKeyJWT(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, demo.ProviderConfig{Clients: []demo.Client{{
		ID: clientID, AuthMethod: "private_key_jwt", RedirectURIs: []string{redirectURI},
		Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k"}},
	}}})
	good := func() map[string]any {
		now := time.Now().Unix()
		return map[string]any{"iss": clientID, "sub": clientID, "aud": s.URL, "jti": rand.Text(), "iat": now, "exp": now + 60}
	}
	tests := []struct {
		name   string
		change map[string]any
		key    *ecdsa.PrivateKey
		ok     bool
	}{
		{"good", nil, key, true},
		{"signed by somebody else", nil, other, false},
		{"aud is the token endpoint", map[string]any{"aud": s.URL + "/token"}, key, false},
		{"aud in an array", map[string]any{"aud": []string{s.URL}}, key, false},
		{"exp too far ahead", map[string]any{"exp": time.Now().Unix() + 90}, key, false},
		{"expired", map[string]any{"exp": time.Now().Unix()}, key, false},
		{"another issuer", map[string]any{"iss": "x"}, key, false},
		{"no jti", map[string]any{"jti": ""}, key, false},
		{"replayed jti, first", map[string]any{"jti": "again"}, key, true},
		{"replayed jti, second", map[string]any{"jti": "again"}, key, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := good()
			maps.Copy(c, tt.change)
			form := codeForm(newCode(t, s))
			form.Set("client_assertion", signed(t, tt.key, c))
			form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
			if got := post(t, s.URL+"/token", form); (got.Error == "") != tt.ok {
				t.Errorf("answer %d %q, want success = %v", got.Status, got.Error, tt.ok)
			}
		})
	}
}

func signed(t *testing.T, key *ecdsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// I2
func TestRevocation(t *testing.T) {
	s := start(t, demo.ProviderConfig{})
	got := signIn(t, s, "alice")
	for name, token := range map[string]string{"refresh token": got.Refresh, "unknown token": "x"} {
		if a := post(t, s.URL+"/revoke", url.Values{"token": {token}}); a.Status != http.StatusOK {
			t.Errorf("%s: status %d, want 200", name, a.Status)
		}
	}
	if a := post(t, s.URL+"/token", refreshForm(got.Refresh)); a.Error != "invalid_grant" {
		t.Errorf("refresh after revocation = %q, want invalid_grant", a.Error)
	}
	if s.Live("u-1001") != 0 {
		t.Errorf("%d families live, want none", s.Live("u-1001"))
	}
}

func userinfo(t *testing.T, s *demo.Server, access string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.URL+"/userinfo", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+access)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var m map[string]any
	if err := json.NewDecoder(res.Body).Decode(&m); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, m
}

func TestUserInfo(t *testing.T) {
	now := time.Now()
	s := start(t, demo.ProviderConfig{Now: func() time.Time { return now }})
	got := signIn(t, s, "carol")
	if status, m := userinfo(t, s, got.Access); status != http.StatusOK || m["sub"] != "u-1003" || m["email"] != "carol@example.com" {
		t.Errorf("userinfo = %d %v, want Carol", status, m)
	}
	if status, _ := userinfo(t, s, got.ID); status != http.StatusUnauthorized {
		t.Errorf("userinfo for an ID token = %d, want 401", status)
	}
	post(t, s.URL+"/revoke", url.Values{"token": {got.Access}})
	if status, _ := userinfo(t, s, got.Access); status != http.StatusUnauthorized {
		t.Errorf("userinfo after revocation = %d, want 401", status)
	}
	fresh := signIn(t, s, "carol")
	now = now.Add(31 * time.Second)
	if status, _ := userinfo(t, s, fresh.Access); status != http.StatusUnauthorized {
		t.Errorf("userinfo after expiry = %d, want 401", status)
	}
}
