package demo_test

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/cloakroom/cloakroom/internal/demo"
)

func startAPI(t *testing.T, s *demo.Server, cfg demo.APIConfig) (*demo.API, *httptest.Server) {
	t.Helper()
	cfg.Issuer = s.URL
	api := demo.NewAPI(cfg)
	srv := httptest.NewServer(api)
	t.Cleanup(srv.Close)
	return api, srv
}

func call(t *testing.T, method, target, token, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

func TestAPITokens(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	s, foreign := start(t, demo.ProviderConfig{Now: clock}), start(t, demo.ProviderConfig{})
	got, other := signIn(t, s, "alice"), signIn(t, foreign, "alice")
	fetching, inProcess := demo.APIConfig{Now: clock}, demo.APIConfig{Now: clock, Keys: s.KeySet}
	tests := []struct {
		name  string
		cfg   demo.APIConfig
		token string
		later time.Duration
		want  string // part of WWW-Authenticate; "": 200
	}{
		{"good, keys fetched", fetching, got.Access, 0, ""},
		{"good, keys in process", inProcess, got.Access, 0, ""},
		{"none", inProcess, "", 0, `Bearer realm="demo"`},
		{"ID token", inProcess, got.ID, 0, `error="invalid_token"`},
		{"another issuer's", inProcess, other.Access, 0, `error="invalid_token"`},
		{"nonsense", inProcess, "x.y.z", 0, `error="invalid_token"`},
		{"another audience's", demo.APIConfig{Now: clock, Keys: s.KeySet, Audience: "x"}, got.Access, 0, `error="invalid_token"`},
		{"expired", inProcess, got.Access, 31 * time.Second, `error="invalid_token"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, srv := startAPI(t, s, tt.cfg)
			now = now.Add(tt.later)
			res, body := call(t, "GET", srv.URL+"/whoami?x=1", tt.token, "")
			if challenge := res.Header.Get("WWW-Authenticate"); tt.want != "" {
				if res.StatusCode != 401 || !strings.Contains(challenge, tt.want) {
					t.Errorf("answer %d %q, want 401 %q", res.StatusCode, challenge, tt.want)
				}
				return
			}
			if res.StatusCode != 200 || !strings.Contains(body, `"sub":"u-1001"`) || !strings.Contains(body, "Bearer (hidden)") {
				t.Errorf("answer %d %s, want the claims and a hidden token", res.StatusCode, body)
			}
			if strings.Contains(body, tt.token) {
				t.Error("the answer contains the token")
			}
		})
	}
}

func TestAPIRoutes(t *testing.T) {
	s := start(t, demo.ProviderConfig{})
	token := signIn(t, s, "bob").Access
	api, srv := startAPI(t, s, demo.APIConfig{Keys: s.KeySet})
	api.Handle("POST /odd/", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	tests := []struct {
		name, method, path, body string
		anonymous                bool
		status                   int
		want                     string
	}{
		{"orders", "GET", "/orders", "", false, 200, "Umbrella"},
		{"new order", "POST", "/orders", `{"item":"cape"}`, false, 201, `"cape"`},
		{"a payment", "POST", "/payments", `{"to":"Hat & Co.","amount":120}`, false, 201, `"acr":"1","approved":{"to":"Hat \u0026 Co.","amount":120},"auth_time":`},
		{"a payment of nothing", "POST", "/payments", `{"to":"Hat & Co."}`, false, 400, "invalid_payment"},
		{"a payment to look at", "GET", "/payments", "", false, 405, "method_not_allowed"},
		{"administration", "GET", "/admin", "", false, 200, `"subject":"u-1002"`},
		{"upload", "PUT", "/upload", "12345", false, 200, `"bytes":5`},
		{"bytes", "GET", "/bytes?n=3", "", false, 200, "\x00\x00\x00"},
		{"too many bytes", "GET", "/bytes?n=9999999999999", "", false, 400, "n_out_of_range"},
		{"slow", "GET", "/slow?ms=1", "", false, 200, "u-1002"},
		{"download", "GET", "/download", "", false, 200, "Felt hat"},
		{"public", "GET", "/public/x", "", true, 200, `"path":"/public/x"`},
		{"override", "POST", "/odd//x", "", true, 418, ""},
		{"override, other method", "GET", "/odd//x", "", false, 404, "not_found"},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bearer := token
			if tt.anonymous {
				bearer = ""
			}
			res, body := call(t, tt.method, srv.URL+tt.path, bearer, tt.body)
			if res.StatusCode != tt.status || !strings.Contains(body, tt.want) {
				t.Errorf("answer %d %q, want %d %q", res.StatusCode, body, tt.status, tt.want)
			}
			got := api.Requests()[i]
			if got.URI != tt.path || got.Token() != bearer {
				t.Errorf("journal has %s with token %v, want %s with %v", got.URI, got.Token() != "", tt.path, bearer != "")
			}
		})
	}
	if got := api.Requests()[6]; string(got.Body) != "12345" || got.BodyBytes != 5 {
		t.Errorf("journal has body %q of %d bytes, want the upload", got.Body, got.BodyBytes)
	}
	if err := api.Wait(len(tests), time.Second); err != nil {
		t.Error(err)
	}
}

func TestAPIStreams(t *testing.T) {
	s := start(t, demo.ProviderConfig{})
	token := signIn(t, s, "carol").Access
	_, srv := startAPI(t, s, demo.APIConfig{Keys: s.KeySet, Tick: time.Millisecond})
	header := http.Header{"Authorization": {"Bearer " + token}, "Origin": {"https://app.example.com"}}

	c, res, err := websocket.Dial(t.Context(), srv.URL+"/ws", &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		t.Fatal(err, res)
	}
	defer func() { _ = c.CloseNow() }()
	if err := c.Write(t.Context(), websocket.MessageText, []byte("ping")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"hello u-1003", "ping"} {
		if _, got, err := c.Read(t.Context()); err != nil || string(got) != want {
			t.Errorf("WebSocket says %q, %v; want %q", got, err, want)
		}
	}

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/sse", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	stream, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Body.Close() }()
	lines := bufio.NewScanner(stream.Body)
	for lines.Scan() {
		if lines.Text() == "id: 3" {
			return
		}
	}
	t.Errorf("the stream ended before the third event: %v", lines.Err())
}
