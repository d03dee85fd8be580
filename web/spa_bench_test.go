package web_test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/web"
)

// BenchmarkFiles is what a file of the app costs between the two sockets: with a
// variant, without one, and answered 304.
func BenchmarkFiles(b *testing.B) {
	for _, bb := range []struct{ name, path, etag string }{{"variant", "/assets/app.js", ""}, {"plain", "/assets/plain.js", ""}, {"not modified", "/assets/plain.js", "*"}} {
		b.Run(bb.name, func(b *testing.B) {
			s := newStand(b, options{web: func(c *web.Config) { c.SPA = benchFiles(b) }})
			r := httptest.NewRequest(http.MethodGet, s.origin+bb.path, nil)
			r.RequestURI = bb.path
			r.Header = http.Header{"Accept-Encoding": {"gzip, deflate, br, zstd"}, "Sec-Fetch-Mode": {"no-cors"}}
			if bb.etag != "" {
				r.Header.Set("If-None-Match", bb.etag)
			}
			w := &counting{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				s.server.ServeHTTP(w, r)
			}
		})
	}
}

func benchFiles(b *testing.B) fs.FS {
	content := strings.Repeat("x", 10_000)
	_, fsys := built(b, map[string]string{"assets/app.js": content, "assets/app.js.br": content, "assets/plain.js": content, "index.html": "x"}, nil)
	return fsys
}
