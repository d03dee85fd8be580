package web_test

import (
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/web"
)

// built is a folder with these files; each is as old as said.
func built(t testing.TB, files map[string]string, age map[string]time.Duration) (dir string, fsys fs.FS) {
	t.Helper()
	dir = t.TempDir()
	hourAgo := time.Now().Add(-time.Hour)
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		changed := hourAgo.Add(-age[name])
		if err := os.Chtimes(path, changed, changed); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return dir, root.FS()
}

// precompressed has files with variants; what is in them need not be encoded, as
// nothing here decodes it.
func precompressed(t *testing.T) *stand {
	_, fsys := built(t, map[string]string{
		"index.html": "<title>app</title>", "index.html.br": "br of the page",
		"app.js": "let a = 0123456789", "app.js.br": "br of app", "app.js.gz": "gzip of app", "app.js.zst": "zstd of app",
		"gz.css": "b{}", "gz.css.gz": "gzip of css", "plain.txt": "plain",
		"stale.js": "new", "stale.js.br": "old br", "stale.js.gz": "same age", "empty.js": "x", "empty.js.br": "",
	}, map[string]time.Duration{"stale.js.br": time.Minute})
	return newStand(t, options{web: func(c *web.Config) { c.SPA = fsys }})
}

// RFC 9110, 12.5.3: the browser says what it takes, and how gladly.
func TestVariants(t *testing.T) {
	b := precompressed(t).browser(t)
	const app, br, zstd, gz = "let a = 0123456789", "br of app", "zstd of app", "gzip of app"
	tests := []struct{ path, accept, coding, body string }{
		{"/app.js", "gzip, deflate, br, zstd", "br", br}, {"/app.js", "gzip, deflate, zstd", "zstd", zstd}, {"/app.js", "gzip", "gzip", gz},
		{"/app.js", "x-gzip", "gzip", gz}, {"/app.js", "GZip", "gzip", gz}, {"/app.js", "deflate", "", app}, {"/app.js", ",", "", app},
		{"/app.js", "br;q=0.5, gzip;q=0.8", "gzip", gz}, {"/app.js", "br;q=0.8,gzip;q=0.8", "br", br}, {"/app.js", "br;q=0, gzip", "gzip", gz},
		{"/app.js", "br;q=0.001", "br", br}, {"/app.js", "br;q=0.5, identity", "", app}, {"/app.js", "br, identity", "br", br},
		{"/app.js", "br;q=0.5, identity;q=0.4", "br", br}, {"/app.js", "*", "br", br}, {"/app.js", "*;q=0.5, br;q=0", "zstd", zstd},
		{"/app.js", "identity;q=0", "", "406"}, {"/app.js", "*;q=0", "", "406"}, {"/app.js", "identity;q=0, *", "br", br},
		{"/app.js", "identity, *;q=0", "", app}, {"/app.js", "*;q=0, gzip", "gzip", gz}, {"/app.js", "br;q=1.5", "", app}, {"/app.js", "br;q=x", "", app},
		{"/app.js", "br ; q=0.5", "br", br}, {"/app.js", "br;q=1.000", "br", br}, {"/app.js", "br;q=0.", "", app}, {"/app.js", "br;level=1", "", app},
		{"/gz.css", "br, gzip", "gzip", "gzip of css"}, {"/gz.css", "br", "", "b{}"}, {"/plain.txt", "br, gzip", "", "plain"},
		{"/", "br", "br", "br of the page"}, {"/index.html", "br", "br", "br of the page"},
		{"/stale.js", "br", "", "new"}, {"/stale.js", "br, gzip", "gzip", "same age"}, {"/empty.js", "br", "", "x"},
		{"/app.js.br", "br, gzip", "", br}, {"/app.js.gz", "gzip", "", gz},
	}
	for _, tt := range tests {
		a := b.fetch("GET", tt.path, "Accept-Encoding", tt.accept)
		if tt.body == "406" {
			a.problem(http.StatusNotAcceptable, "not_acceptable")
			continue
		}
		a.want(http.StatusOK)
		if got := a.Header.Get("Content-Encoding"); got != tt.coding || a.body != tt.body {
			t.Errorf("%s with %q = %q %q, want %q %q", tt.path, tt.accept, got, a.body, tt.coding, tt.body)
		}
		if a.ContentLength != int64(len(tt.body)) {
			t.Errorf("%s with %q: Content-Length %d, want %d", tt.path, tt.accept, a.ContentLength, len(tt.body))
		}
		vary := ""
		switch tt.path {
		case "/app.js", "/gz.css", "/", "/index.html", "/stale.js":
			vary = "Accept-Encoding"
		}
		if got := a.Header.Get("Vary"); got != vary {
			t.Errorf("%s with %q: Vary %q, want %q", tt.path, tt.accept, got, vary)
		}
	}
	for path, want := range map[string]string{
		"/app.js": "text/javascript; charset=utf-8", "/gz.css": "text/css; charset=utf-8", "/app.js.br": "application/octet-stream",
	} {
		if got := b.fetch("GET", path, "Accept-Encoding", "br, gzip").Header.Get("Content-Type"); got != want {
			t.Errorf("%s: Content-Type %q, want %q", path, got, want)
		}
	}
}

// Each representation is one of its own: with its tag, its length and its bytes
// (RFC 9110, 8.8.3 and 14.2).
func TestVariantConditions(t *testing.T) {
	b := precompressed(t).browser(t)
	get := func(method string, headers ...string) *answer { return b.fetch(method, "/app.js", headers...) }
	tags := map[string]string{}
	for _, coding := range []string{"br", "gzip", "zstd", "identity"} {
		a := get("GET", "Accept-Encoding", coding)
		tag := a.Header.Get("ETag")
		if len(tag) < 20 || tag[0] != '"' || tags[tag] != "" {
			t.Errorf("%s has the tag %s, as %q", coding, tag, tags[tag])
		}
		tags[tag] = coding
		head := get("HEAD", "Accept-Encoding", coding).want(http.StatusOK)
		if head.body != "" || head.ContentLength != int64(len(a.body)) || head.Header.Get("ETag") != tag {
			t.Errorf("HEAD of %s: %v", coding, head.Header)
		}
		same := get("GET", "Accept-Encoding", coding, "If-None-Match", tag).want(http.StatusNotModified)
		if same.Header.Get("Vary") != "Accept-Encoding" || same.Header.Get("ETag") != tag || same.Header.Get("Content-Length") != "" {
			t.Errorf("304 of %s: %v", coding, same.Header)
		}
		part := get("GET", "Accept-Encoding", coding, "Range", "bytes=1-3", "If-Range", tag).want(http.StatusPartialContent)
		if part.body != a.body[1:4] || part.Header.Get("Content-Encoding") != a.Header.Get("Content-Encoding") || part.ContentLength != 3 {
			t.Errorf("a range of %s = %q %v", coding, part.body, part.Header)
		}
		over := get("GET", "Accept-Encoding", coding, "Range", "bytes=900-").want(http.StatusRequestedRangeNotSatisfiable)
		if over.Header.Get("Content-Encoding") != "" || strings.Contains(over.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("416 of %s: %v", coding, over.Header)
		}
		failed := get("GET", "Accept-Encoding", coding, "If-Match", `"other"`).want(http.StatusPreconditionFailed)
		if failed.body != "" {
			t.Errorf("412 of %s: %q", coding, failed.body)
		}
	}
	for tag, coding := range tags { // of another representation: the whole
		if coding != "gzip" {
			if a := get("GET", "Accept-Encoding", "gzip", "Range", "bytes=1-3", "If-Range", tag).want(http.StatusOK); a.body != "gzip of app" {
				t.Errorf("with the tag of %s: %q", coding, a.body)
			}
			get("GET", "Accept-Encoding", "gzip", "If-None-Match", tag).want(http.StatusOK)
		}
	}
}

// A tag is of the content: it changes with it, comes back with it, and is not
// believed while a file may still be written.
func TestTags(t *testing.T) {
	dir, fsys := built(t, map[string]string{"a.js": "one", "same.js": "one"}, nil)
	b := newStand(t, options{web: func(c *web.Config) { c.SPA = fsys }}).browser(t)
	tag := func(path string) string { return b.fetch("GET", path).want(http.StatusOK).Header.Get("ETag") }
	first := tag("/a.js")
	if first == "" || first != tag("/a.js") || first != tag("/same.js") {
		t.Errorf("the tag of the same content is %s, %s and %s", first, tag("/a.js"), tag("/same.js"))
	}
	write := func(content string, changed time.Time) {
		t.Helper()
		path := filepath.Join(dir, "a.js")
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, changed, changed); err != nil {
			t.Fatal(err)
		}
	}
	write("two", time.Now().Add(-time.Minute))
	second := tag("/a.js")
	write("one", time.Now().Add(-2*time.Minute)) // an older build is put back
	if second == first || tag("/a.js") != first {
		t.Errorf("tags %s, %s, %s", first, second, tag("/a.js"))
	}
	now := time.Now()
	write("111", now)
	fresh := tag("/a.js")
	write("222", now) // within what the file system's clock can't tell
	if tag("/a.js") == fresh {
		t.Errorf("a file that was written again in the same moment kept its tag %s", fresh)
	}
}
