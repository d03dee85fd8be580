package web

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"syscall"
)

// files serves the application's files. Its paths are in the strict form, and
// an fs.FS takes no others. It is safe for concurrent use.
type files struct {
	fs       fs.FS
	versions versions
}

func newFiles(fsys fs.FS) *files { return &files{fs: fsys} }

// opened is a file that is being served.
type opened struct {
	io.ReadSeekCloser // a file of the system's as such, so that it can send it by itself
	info              fs.FileInfo
	name              string
}

// indexFile is the application's page, for every path that its own router
// handles.
const indexFile = "index.html"

// serveFile answers from the application's files: the file of that name; else,
// to a navigation to a path that is no file's name, the index page; else 404.
// A missing script or style is never answered with a page, which caches would
// keep under its name (M7).
func (s *Server) serveFile(w http.ResponseWriter, r *http.Request, escaped string) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return &Refusal{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Allow: []string{"GET", "HEAD"}}
	}
	name, err := url.PathUnescape(strings.TrimPrefix(escaped, "/"))
	if err != nil {
		return errPath
	}
	if name == "" || strings.HasSuffix(name, "/") {
		name += indexFile
	}
	file, err := s.files.open(name)
	if errors.Is(err, fs.ErrNotExist) && wantsPage(r) && !namesFile(strings.TrimSuffix(name, "/"+indexFile)) {
		file, err = s.files.open(indexFile)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errNotFound
	case err != nil:
		return err
	}
	defer func() { _ = file.Close() }()
	kind := contentType(file.name)
	if s.gates(escaped) && (isPage(kind) || isXML(kind) || holdsPage(file.name)) {
		if err := s.turnedAway(r); err != nil {
			return s.turnAway(w, r, err)
		}
	}
	if !isPage(kind) {
		s.app.assetHeaders(w.Header(), kind, s.app.cacheRule(r, escaped, file.name))
		return s.files.send(w, r, file, kind)
	}
	if s.app.nonced {
		return s.sendNonced(w, r, file, kind)
	}
	s.pageHeaders(w.Header(), "")
	return s.files.send(w, r, file, kind)
}

// send answers with file, or with a variant of it that is encoded as the browser
// likes best (RFC 9110, 12.5.3). Conditions and ranges are held against what is
// sent: each representation has a tag of its own, and ranges count its bytes.
func (f *files) send(w http.ResponseWriter, r *http.Request, file opened, kind string) error {
	h := w.Header()
	h.Set("Content-Type", kind)
	if variants := f.variants(file); len(variants) > 0 {
		h.Set("Vary", "Accept-Encoding")
		encoded, coding, err := f.choose(r, file, variants)
		if err != nil {
			return err
		}
		if coding != "" {
			defer func() { _ = encoded.Close() }()
			file = encoded
			h.Set("Content-Encoding", coding)
			// ServeContent leaves the length of what is encoded out, but not those of
			// ranges, which it sets itself. With these two it may answer 412, which
			// has no content.
			if r.Header["If-Match"] == nil && r.Header["If-Unmodified-Since"] == nil {
				h.Set("Content-Length", strconv.FormatInt(file.info.Size(), 10))
			}
		}
	}
	if tag := f.versions.tag(file); tag != "" {
		h.Set("ETag", tag)
	}
	http.ServeContent(w, r, "", file.info.ModTime(), file.ReadSeekCloser)
	return nil
}

// kinds are the types of what apps are made of, as far as neither every system
// knows them nor net/http's own table has them.
var kinds = map[string]string{
	".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8", ".htm": "text/html; charset=utf-8", ".xhtml": "application/xhtml+xml",
	".json": "application/json", ".map": "application/json", ".webmanifest": "application/manifest+json", ".txt": "text/plain; charset=utf-8",
	".svg": "image/svg+xml", ".ico": "image/vnd.microsoft.icon", ".wasm": "application/wasm",
	".woff2": "font/woff2", ".woff": "font/woff", ".ttf": "font/ttf", ".otf": "font/otf", ".mp4": "video/mp4", ".webm": "video/webm",
}

// contentType is the type of a file of that name. Nobody guesses it from what is
// in the file.
func contentType(name string) string {
	ext := strings.ToLower(path.Ext(name))
	return cmp.Or(kinds[ext], mime.TypeByExtension(ext), "application/octet-stream")
}

// namesFile reports whether name can't be a path of the application's own
// router: it has an extension, or is below a hidden or well-known folder.
func namesFile(name string) bool {
	return path.Ext(name) != "" || strings.HasPrefix(name, ".") || strings.Contains(name, "/.")
}

// openError turns an error that only says that there is no such file into
// fs.ErrNotExist: below a file, too long, a circle of links. One that is not the
// system's is os.Root's own: the name leads out of the folder.
func openError(err error) error {
	var system syscall.Errno
	if !errors.As(err, &system) {
		return fs.ErrNotExist
	}
	switch system {
	case syscall.ENOTDIR, syscall.ENAMETOOLONG, syscall.ELOOP:
		return fs.ErrNotExist
	}
	return err
}

// open returns a regular file that is not hidden; anything else does not
// exist.
func (f *files) open(name string) (opened, error) {
	for segment := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(segment, ".") && segment != ".well-known" {
			return opened{}, fs.ErrNotExist
		}
	}
	if !fs.ValidPath(name) {
		return opened{}, fs.ErrNotExist
	}
	file, err := f.fs.Open(name)
	if err != nil {
		return opened{}, openError(err)
	}
	info, err := file.Stat()
	seeker, ok := file.(io.ReadSeekCloser)
	if err != nil || !ok || !info.Mode().IsRegular() {
		_ = file.Close()
		return opened{}, cmp.Or(err, fs.ErrNotExist)
	}
	return opened{seeker, info, name}, nil
}
