package web_test

import (
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/web"
)

// Every cookie has the same attributes, those that remove one too (E1, E2, E3,
// E15, I11).
func TestCookieAttributes(t *testing.T) {
	tests := []struct {
		name         string
		options      options
		ticket, rest string // attributes
	}{
		{"https", options{}, "Path=/; HttpOnly; Secure; SameSite=Strict", "Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"http on loopback", options{plain: true}, "Path=/; HttpOnly; SameSite=Strict", "Path=/; HttpOnly; SameSite=Lax"},
		{"lax", options{web: func(c *web.Config) { c.Cookie.Lax = true }},
			"Path=/; HttpOnly; Secure; SameSite=Lax", "Path=/; HttpOnly; Secure; SameSite=Lax"},
		{"lasting", options{web: func(c *web.Config) { c.Cookie.MaxAge = time.Hour }},
			"Path=/; Max-Age=3600; HttpOnly; Secure; SameSite=Strict", "Path=/; HttpOnly; Secure; SameSite=Lax"},
	}
	maxAge := regexp.MustCompile(` Max-Age=\d+;`)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStand(t, tt.options)
			b := s.browser(t)
			names := map[string]int{}
			check := func(a *answer) {
				t.Helper()
				for _, line := range a.Header.Values("Set-Cookie") {
					name, rest, _ := strings.Cut(line, "=")
					value, attributes, _ := strings.Cut(rest, "; ")
					want := tt.rest
					if name == s.prefix()+"session" {
						want = tt.ticket
						if value == "" {
							want = maxAge.ReplaceAllString(want, "")
							attributes = strings.Replace(attributes, " Max-Age=0;", "", 1)
						}
					} else {
						attributes = maxAge.ReplaceAllString(attributes, "")
					}
					if attributes != want {
						t.Errorf("%s has %q, want %q", name, attributes, want)
					}
					names[strings.TrimPrefix(name, s.prefix())[:6]]++
				}
				if len(a.Cookies()) > 0 && a.Header.Get("Cache-Control") != "no-store" {
					t.Error("an answer that sets a cookie can be cached") // E16
				}
			}
			for range 7 {
				check(b.navigate(typed, "/bff/login"))
				s.sleep(time.Second)
			}
			check(b.signIn("alice", ""))
			out := b.fetch("POST", "/bff/logout")
			check(out)
			back, err := b.idp.Get(out.json()["logout_url"].(string))
			if err == nil {
				_ = back.Body.Close()
			}
			check(b.navigate(crossSite, "/bff/logout/callback?state="+stateOf(t, out.json()["logout_url"].(string))))
			if names["sessio"] != 2 || names["login-"] < 9 || names["logout"] != 2 {
				t.Errorf("cookies seen: %v", names)
			}
		})
	}
}

// Names are compared byte by byte, and two cookies of the name are none (E14).
func TestCookieOddNames(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	good, other := b.cookie("session"), s.signedIn(t, "bob").cookie("session")
	b.hc.Jar = nil
	tests := []struct {
		name, header string
		want         string // who is signed in
	}{
		{"alone", "__Host-session=" + good, "u-1001"},
		{"among others", "a=b; __Host-session=" + good + "; __Host-sessions=x; c=d", "u-1001"},
		{"none", "", ""},
		{"twice the same", "__Host-session=" + good + "; __Host-session=" + good, ""},
		{"two", "__Host-session=" + good + "; __Host-session=" + other, ""},
		{"a broken one first", "__Host-session=x; __Host-session=" + good, ""},
		{"lower case", "__host-session=" + good, ""},
		{"upper case", "__HOST-SESSION=" + good, ""},
		{"without prefix", "session=" + good, ""},
		{"name for http", "cloakroom-session=" + good, ""},
		{"space inside", "__Host- session=" + good, ""},
		{"unicode space before", "\u2000__Host-session=" + good, ""},
		{"no-break space before", "\u00a0__Host-session=" + good, ""},
		{"$ before", "$__Host-session=" + good, ""},
		{"value of a login cookie", "__Host-session=" + loginCookie(s), ""},
		{"empty", "__Host-session=", ""},
		{"padding gone", "__Host-session=" + strings.TrimRight(good, "="), ""},
		{"longer than any", "__Host-session=" + strings.Repeat("A", 8000), ""},
		{"base64 of nothing", "__Host-session=MTIzfHx8", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := b.fetch("GET", "/bff/user", "Cookie", tt.header)
			if tt.want == "" {
				if tt.name == "padding gone" && strings.TrimRight(good, "=") == good {
					return
				}
				a.problem(http.StatusUnauthorized, "signed_out")
				return
			}
			if got := a.want(http.StatusOK).json()["sub"]; got != tt.want {
				t.Errorf("sub = %v, want %v", got, tt.want)
			}
		})
	}
}

// loginCookie returns the value of a login cookie: sealed by the same keys.
func loginCookie(s *stand) string {
	for _, c := range mustLogin(s) {
		return c.Value
	}
	return ""
}

func mustLogin(s *stand) []*http.Cookie {
	r, _ := http.NewRequest("GET", s.origin+"/bff/login", nil)
	client := s.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(r)
	if err != nil {
		return nil
	}
	defer func() { _ = res.Body.Close() }()
	return res.Cookies()
}

// A ticket with any byte changed is no ticket, and no fault of ours (E4, J7).
func TestCookieTampered(t *testing.T) {
	s := newStand(t, options{})
	b := s.signedIn(t, "alice")
	good := b.cookie("session")
	b.hc.Jar = nil
	raw, err := base64.URLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		bad := append([]byte{}, raw...)
		bad[i] ^= 1
		value := base64.URLEncoding.EncodeToString(bad)
		b.fetch("GET", "/bff/user", "Cookie", "__Host-session="+value).problem(http.StatusUnauthorized, "signed_out")
	}
	for i := 0; i < len(good); i += 7 {
		b.fetch("GET", "/bff/user", "Cookie", "__Host-session="+good[:i]).problem(http.StatusUnauthorized, "signed_out")
	}
	b.fetch("GET", "/bff/user", "Cookie", "__Host-session="+good).want(http.StatusOK)
}

// Nothing in the ticket tells who holds it, and no two are alike (E4). The store
// holds nothing of it (E6).
func TestCookieTellsNothing(t *testing.T) {
	s := newStand(t, options{})
	seen := map[string]bool{}
	for range 20 {
		value := s.signedIn(t, "alice").cookie("session")
		raw, err := base64.URLEncoding.DecodeString(value)
		if err != nil || seen[value] || len(value) > 300 || strings.Contains(string(raw), "alice") || strings.Contains(string(raw), "u-1001") {
			t.Fatalf("ticket %q (%v)", value, err)
		}
		seen[value] = true
	}
	file, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	for value := range seen {
		raw, _ := base64.URLEncoding.DecodeString(value)
		if strings.Contains(string(file), value) || strings.Contains(string(file), string(raw[10:])) {
			t.Error("the store holds a ticket")
		}
	}
}

// A new first key signs nobody out, nor disturbs who is just signing in (J5);
// without the key that sealed it a ticket is none.
func TestCookieKeyRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	oldKey, newKey := session.NewKey(), session.NewKey()
	var ticket, address string
	t.Run("old key", func(t *testing.T) {
		s := newStand(t, options{path: path, keys: oldKey})
		ticket = s.signedIn(t, "alice").cookie("session")
		address = strings.TrimPrefix(s.providers[0].URL, "http://")
	})
	for _, tt := range []struct {
		name, keys, want string
	}{
		{"new first, old second", newKey + "\n" + oldKey, "u-1001"},
		{"old first again", oldKey + "\n" + newKey, "u-1001"},
		{"old gone", newKey, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// The same issuer as before: sessions are pinned to it (D14).
			s := newStand(t, options{path: path, keys: tt.keys, provider: func(c *demo.ProviderConfig) { c.Listen = address }})
			b := s.browser(t)
			b.hold("__Host-session", ticket)
			if got := b.user(); got != tt.want {
				t.Errorf("the ticket is %q's, want %q", got, tt.want)
			}
			if s.signedIn(t, "bob").user() != "u-1002" {
				t.Error("no new session")
			}
		})
	}
}
