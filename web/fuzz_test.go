package web

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

func fuzzCookies(t testing.TB) *cookies {
	t.Helper()
	keys, err := session.ParseKeyring([]byte(session.NewKey()))
	if err != nil {
		t.Fatal(err)
	}
	return newCookies(CookieConfig{Name: "session"}, keys, true)
}

// Nothing but what we sealed is a ticket, and nothing makes us fall over (E4).
func FuzzTicketCookie(f *testing.F) {
	c := fuzzCookies(f)
	w := httptest.NewRecorder()
	if err := c.setTicket(w, session.NewTicket(time.Now())); err != nil {
		f.Fatal(err)
	}
	good := w.Result().Cookies()[0].Value
	for _, seed := range []string{
		"", "x", good, good + "; __Host-session=" + good, good[:len(good)-4], strings.ToLower(good), `"` + good + `"`, "=", ";", "MTIzfHx8", "a; b",
		"%00", "\x00", "a=b; __Host-session", strings.Repeat("A", 5000), "é", "__Host-login-x=" + good,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := &http.Request{Header: http.Header{"Cookie": {"__Host-session=" + header}}}
		if _, ok := c.readTicket(r); ok && !strings.Contains(header, good) {
			t.Errorf("%q is a ticket", header)
		}
	})
}

// Nothing but what we sealed is a sign-in under way, under no state but its own.
func FuzzLoginCookie(f *testing.F) {
	c := fuzzCookies(f)
	request := oidc.AuthRequest{Provider: "main", Issuer: "https://id.example.com", State: "abcdefghijklmnopqrstuvwxyz", Nonce: "n", Verifier: "v", ReturnTo: "/x", Started: time.Now()}
	name := c.loginCookie(request.State.Reveal(), time.Now())
	good, err := c.sealLogin(name, transaction{Request: &request, ReturnTo: "/x"})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []struct{ state, name, value string }{
		{request.State.Reveal(), name, good}, {"abcdefghijkl", name, good}, {request.State.Reveal(), name, ""}, {"", name, good},
		{request.State.Reveal(), name + "x", good}, {request.State.Reveal(), "__Host-login-1-abcdefghijkl", good}, {"-", "__Host-login-", good[:30]},
	} {
		f.Add(seed.state, seed.name, seed.value)
	}
	f.Fuzz(func(t *testing.T, state, cookie, value string) {
		r := &http.Request{Header: http.Header{"Cookie": {cookie + "=" + value}}}
		read, found, ok := c.readLogin(r, state)
		if ok && (found != name || !strings.Contains(value, good) || read.ReturnTo != "/x" || !strings.HasPrefix(state, "abcdefghijkl")) {
			t.Errorf("state %q and cookie %q=%q are the sign-in %+v", state, cookie, value, read)
		}
		var raw transaction
		if raw.UnmarshalBinary([]byte(value)) == nil {
			again, err := raw.MarshalBinary()
			if err != nil || raw.Request == nil && !bytes.Equal(again, []byte(value)) {
				t.Errorf("%q is read as %+v and written as %q", value, raw, again)
			}
		}
	})
}

func fuzzServer(t testing.TB) *Server {
	t.Helper()
	keys, err := session.ParseKeyring([]byte(session.NewKey()))
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{
		PublicURL: &url.URL{Scheme: "https", Host: "example.com"}, BasePath: "/bff", Keys: keys, Cookie: CookieConfig{Name: "session"},
		Log: slog.New(slog.DiscardHandler),
		Route: func(r *http.Request) (session.Demand, http.Handler) {
			return session.Demand{Auth: session.AuthNone}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.WriteString(w, r.URL.EscapedPath())
			})
		},
	})
}

// browserResolves is what the WHATWG URL parser does with an input that has a
// special base URL, as far as it decides on the origin: it drops tabs and
// newlines, takes backslashes for slashes, and two of them for an authority.
func browserResolves(to string) (leaves bool) {
	to = strings.TrimFunc(to, func(r rune) bool { return r <= ' ' })
	to = strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(to)
	return !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//")
}

// What passes as return_to stays on this origin, for net/url and for browsers,
// before and after dot segments are removed (A10).
func FuzzReturnTo(f *testing.F) {
	for _, seed := range []string{
		"", "/", "/a", "/a?b#c", "//x", `/\x`, "/\t/x", "/%2f/x", "/.//x", "/..//x", "/a/..//x", "/@x", "/:x", "/%09/x", "/;//x", "/bff/login", "/／x",
		"/a?//x", "/a#//x", "https://x", "javascript:x", "/%5cx", "/x%00", "/\u2028", "/a%20b", "/?\\", "/#\t", "/#%",
	} {
		f.Add(seed)
	}
	s := fuzzServer(f)
	base := &url.URL{Scheme: "https", Host: "example.com", Path: "/bff/callback"}
	f.Fuzz(func(t *testing.T, returnTo string) {
		local, err := s.localPath(returnTo)
		if err != nil {
			return
		}
		// net/url is stricter than browsers about a fragment, which decides nothing.
		beforeFragment, _, _ := strings.Cut(local, "#")
		u, err := base.Parse(beforeFragment)
		if err != nil || u.Scheme != "https" || u.Host != "example.com" || u.User != nil {
			t.Fatalf("%q resolves to %v (%v)", returnTo, u, err)
		}
		if browserResolves(local) || strings.Contains(local, `\`) || strings.ContainsFunc(local, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("a browser may read %q as another origin", local)
		}
		if s.owns(u.Path) || len(local) > maxReturnTo {
			t.Errorf("%q is accepted", returnTo)
		}
		if sent, _, _ := strings.Cut(beforeFragment, "?"); u.EscapedPath() != sent {
			t.Errorf("%q means %q to net/url", sent, u.EscapedPath())
		}
	})
}

// A path that passes goes on as it came, and means one thing after one decoding
// (G3).
func FuzzRequestPath(f *testing.F) {
	for _, seed := range []string{
		"/", "/a", "/a/", "/a/b", "//", "/./", "/../", "/%2e", "/%2f", "/%5c", "/%00", "/;", "/a;b", "/%c0%af", "/caf%C3%A9", "/%", "/%2", "/%zz",
		"/a?b", "/a#b", "*", "http://example.com/a", "http://x@example.com/a", "/a//b", "/%25", "/~", "/%7e", "/a%20b", "/\xff", "/!$&'()*+,=:@",
	} {
		f.Add(seed)
	}
	s := fuzzServer(f)
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return // net/http answers 400 before us
		}
		r := &http.Request{Method: "GET", URL: u, RequestURI: target, Host: "example.com", Header: http.Header{}, RemoteAddr: "192.0.2.1:1"}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			return
		}
		sent := w.Body.String()
		plain, _, _ := strings.Cut(strings.TrimPrefix(target, "http://example.com"), "?")
		plain = strings.TrimPrefix(plain, "https://example.com")
		if !strings.HasSuffix(plain, sent) || strings.HasPrefix(target, "/") && sent != plain {
			t.Fatalf("%q is forwarded as %q", target, sent)
		}
		once, err := url.PathUnescape(sent)
		if err != nil || !utf8.ValidString(once) {
			t.Fatalf("%q has no meaning: %v", sent, err)
		}
		again, err := url.PathUnescape(once)
		if err != nil || again != once {
			t.Errorf("%q means %q once decoded and %q twice (%v)", sent, once, again, err)
		}
		for _, bad := range []string{"//", "/./", "/../", `\`, "\x00", "\r", "\n", "\x7f"} {
			if strings.Contains(once+"/", bad) && !(bad == "//" && strings.HasSuffix(once, "/") && strings.Count(once+"/", "//") == 1) {
				t.Errorf("%q holds %q", once, bad)
			}
		}
		if strings.Contains(sent, ";") || strings.Count(once, "/") != strings.Count(sent, "/") {
			t.Errorf("%q can be split in two ways", sent)
		}
	})
}
