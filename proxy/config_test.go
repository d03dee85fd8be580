package proxy_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session"
)

func TestNew(t *testing.T) {
	base := func() proxy.Config {
		return proxy.Config{Path: "/api/", Upstream: mustParse(t, "https://api.example.com/v1/")}
	}
	tests := []struct {
		name   string
		change func(*proxy.Config)
		want   string // in the error; "" is none
	}{
		{"plain", func(*proxy.Config) {}, ""},
		{"http", func(c *proxy.Config) { c.Upstream = mustParse(t, "http://127.0.0.1:9000") }, ""},
		{"strip a parent", func(c *proxy.Config) { c.Path, c.StripPrefix = "/api/v1/", "/api" }, ""},
		{"no path", func(c *proxy.Config) { c.Path = "" }, "does not begin with a slash"},
		{"relative path", func(c *proxy.Config) { c.Path = "api" }, "does not begin with a slash"},
		{"dot segment", func(c *proxy.Config) { c.Path = "/api/../x" }, "dot segment"},
		{"empty segment", func(c *proxy.Config) { c.Path = "//api" }, "empty or dot segment"},
		{"escape in path", func(c *proxy.Config) { c.Path = "/%61pi" }, "escape"},
		{"parameters in path", func(c *proxy.Config) { c.Path = "/api;x" }, "means something"},
		{"strip something else", func(c *proxy.Config) { c.StripPrefix = "/ap" }, "not a parent"},
		{"no upstream", func(c *proxy.Config) { c.Upstream = nil }, "upstream: missing"},
		{"upstream scheme", func(c *proxy.Config) { c.Upstream = mustParse(t, "ftp://x") }, "neither https nor http"},
		{"upstream host", func(c *proxy.Config) { c.Upstream = &url.URL{Scheme: "http", Path: "/x"} }, "has no host"},
		{"upstream port only", func(c *proxy.Config) { c.Upstream = mustParse(t, "http://:80") }, "has no host"},
		{"upstream of another alphabet", func(c *proxy.Config) { c.Upstream = mustParse(t, "http://b\u00fccher") }, "no host name has"},
		{"upstream with a zone", func(c *proxy.Config) { c.Upstream = mustParse(t, "http://[fe80::1%25eth0]/") }, "no host name has"},
		{"upstream of dots", func(c *proxy.Config) { c.Upstream = mustParse(t, "http://..") }, "no host name has"},
		{"upstream with half a port", func(c *proxy.Config) { c.Upstream = mustParse(t, "http://x:/") }, "not a number from 1"},
		{"upstream with a port beyond", func(c *proxy.Config) { c.Upstream = mustParse(t, "http://x:65536") }, "not a number from 1"},
		{"upstream by address", func(c *proxy.Config) { c.Upstream = mustParse(t, "http://[::1]:9000") }, ""},
		{"upstream with an underscore", func(c *proxy.Config) { c.Upstream = mustParse(t, "http://my_api:9000") }, ""},
		{"upstream query", func(c *proxy.Config) { c.Upstream = mustParse(t, "http://x/?a") }, "nothing else"},
		{"upstream user", func(c *proxy.Config) { c.Upstream = mustParse(t, "http://u@x/") }, "nothing else"},
		{"upstream path", func(c *proxy.Config) { c.Upstream = mustParse(t, "http://x/a/../b") }, "dot segment"},
		{"auth", func(c *proxy.Config) { c.Demand.Auth = "maybe" }, `auth: "maybe" is none of`},
		{"documents", func(c *proxy.Config) { c.Demand.Documents = "all" }, "documents:"},
		{"token", func(c *proxy.Config) { c.Token = "refresh" }, "token:"},
		{"cache", func(c *proxy.Config) { c.Cache = "public" }, "cache:"},
		{"host", func(c *proxy.Config) { c.Host = "evil" }, "host:"},
		{"timeout", func(c *proxy.Config) { c.Timeout = -time.Second }, "negative"},
		{"trace", func(c *proxy.Config) { c.Methods = []string{"TRACE"} }, "never forwarded"},
		{"connect", func(c *proxy.Config) { c.Methods = []string{"CONNECT"} }, "never forwarded"},
		{"method in lower case", func(c *proxy.Config) { c.Methods = []string{"get"} }, "upper case"},
		{"own cookie in", func(c *proxy.Config) { c.Cookies = []string{"__Host-session"} }, "can't be shared"},
		{"own cookie out", func(c *proxy.Config) { c.SetCookies = []string{"__Host-login-1"} }, "can't be shared"},
		{"identity in Authorization", func(c *proxy.Config) { c.Headers = map[string]string{"authorization": "sub"} }, "meaning of its own"},
		{"identity with underscore", func(c *proxy.Config) { c.Headers = map[string]string{"X_User": "sub"} }, "letters, digits and hyphens"},
		{"identity without a claim", func(c *proxy.Config) { c.Headers = map[string]string{"X-User": ""} }, "names no claim"},
		{"authorities", func(c *proxy.Config) { c.TLS.CAFile = "/nonexistent" }, "ca_file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := base()
			tt.change(&c)
			_, err := proxy.New(options(t, c))
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v, want no error", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// All that is wrong is told at once.
func TestNewJoinsErrors(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := proxy.New(options(t,
		proxy.Config{Path: "/a", Upstream: mustParse(t, "ftp://x"), Token: "b", Demand: session.Demand{Auth: "c"}},
		proxy.Config{Path: "/a/", Upstream: mustParse(t, "http://x")}))
	for _, want := range []string{`route "/a": upstream:`, "token:", "auth:", `route "/a/": there is another`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	_, err = proxy.New(options(t, proxy.Config{Path: "/a", Upstream: mustParse(t, "https://x"), TLS: proxy.TLS{CAFile: empty}}))
	if err == nil || !strings.Contains(err.Error(), "no certificate") {
		t.Errorf("got %v, want an error about the file without certificates", err)
	}
	if _, err := proxy.New(proxy.Options{}); err == nil {
		t.Error("got no error, want one for what is missing")
	}
}

func options(t testing.TB, routes ...proxy.Config) proxy.Options {
	return proxy.Options{
		Routes: routes, PublicURL: mustParse(t, publicURL),
		OwnCookie: func(name string) bool { return strings.HasPrefix(name, "__Host-") },
		Fail:      func(http.ResponseWriter, *http.Request, error) {},
	}
}
