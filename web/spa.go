package web

import (
	"errors"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strings"
	"syscall"
)

// files serves the application's files. Its paths are in the strict form, and
// an fs.FS takes no others; nothing here looks at the session.
type files struct{ fs fs.FS }

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
	file, info, err := s.files.open(name)
	if errors.Is(err, fs.ErrNotExist) && wantsPage(r) && !namesFile(strings.TrimSuffix(name, "/"+indexFile)) {
		name = indexFile
		file, info, err = s.files.open(name)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errNotFound
	case err != nil:
		return err
	}
	defer func() { _ = file.Close() }()
	s.fileHeaders(w.Header(), name)
	http.ServeContent(w, r, "", info.ModTime(), file)
	return nil
}

func (s *Server) fileHeaders(h http.Header, name string) {
	kind := mime.TypeByExtension(path.Ext(name))
	if kind == "" {
		kind = "application/octet-stream"
	}
	h.Set("Content-Type", kind)
	if !strings.HasPrefix(kind, "text/html") {
		h.Set("Cache-Control", "no-cache")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		return
	}
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", s.contentSecurityPolicy())
	documentHeaders(h)
}

// contentSecurityPolicy is the application's own, or a strict one (M1–M3): as
// everything comes through this origin, nothing else need be reached. A form
// that signs out is led on to the provider, which browsers hold against
// form-action.
func (s *Server) contentSecurityPolicy() string {
	if s.CSP != "" {
		return s.CSP
	}
	policy := "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; " +
		"frame-ancestors 'none'; form-action 'self'"
	for _, p := range s.Providers {
		for _, origin := range p.Origins() {
			policy += " " + origin
		}
	}
	return policy
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
func (f *files) open(name string) (io.ReadSeekCloser, fs.FileInfo, error) {
	for segment := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(segment, ".") && segment != ".well-known" {
			return nil, nil, fs.ErrNotExist
		}
	}
	if !fs.ValidPath(name) {
		return nil, nil, fs.ErrNotExist
	}
	file, err := f.fs.Open(name)
	if err != nil {
		return nil, nil, openError(err)
	}
	info, err := file.Stat()
	seeker, ok := file.(io.ReadSeekCloser)
	if err != nil || !ok || !info.Mode().IsRegular() {
		_ = file.Close()
		if err == nil {
			err = fs.ErrNotExist
		}
		return nil, nil, err
	}
	return seeker, info, nil
}
