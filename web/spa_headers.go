package web

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// AppConfig is how the application's own pages and files are sent, wherever they
// come from. The zero value is strict and open to everybody.
type AppConfig struct {
	// CSP is the Content-Security-Policy of its pages; empty: a strict one. Where it
	// has {nonce}, each page gets a value of its own there, and wherever the page says
	// nonce="{nonce}" (files only).
	CSP string

	// Headers are set on its pages and files, instead of ours if they are the same;
	// an empty value leaves ours out. None of them may be one that HTTP or this package
	// depends on.
	Headers map[string]string

	// Immutable are paths below which every file's name has a hash of its content;
	// elsewhere that is seen in the name. A page is never kept.
	Immutable []string

	// Gate lets only who is signed in have its pages, but for those that Public
	// covers. Files that are no pages are open to everybody.
	Gate   bool
	Public []string

	// Report asks browsers to tell what a policy of ours made them block.
	Report bool
}

// app is AppConfig made ready.
type app struct {
	AppConfig
	headers []header
	nonced  bool

	// What Report adds: directives to a policy, and where the second of them leads.
	reports, endpoint string
}

// header is one of AppConfig.Headers.
type header struct {
	name   string   // canonical
	values []string // nil: it is left out
}

// noncePlace stands in policies and pages where a nonce goes.
const noncePlace = "{nonce}"

func newApp(c AppConfig) app {
	a := app{AppConfig: c, nonced: strings.Contains(c.CSP, noncePlace)}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		h := header{name: http.CanonicalHeaderKey(name)}
		if v := c.Headers[name]; v != "" {
			h.values = []string{v}
		}
		a.headers = append(a.headers, h)
	}
	return a
}

// reporting makes Report ready. Some browsers know the old directive only, others
// want the new one.
func (a *app) reporting(address string) {
	switch {
	case a.Report && strings.HasPrefix(address, "http:"):
		// Chromium reports by neither way where the new one is named without TLS.
		a.reports = "; report-uri " + address
	case a.Report:
		a.reports, a.endpoint = "; report-uri "+address+"; report-to csp", `csp="`+address+`"`
	}
}

// own sets what the operator sets.
func (a *app) own(h http.Header) {
	for _, one := range a.headers {
		if one.values == nil {
			delete(h, one.name)
			continue
		}
		h[one.name] = one.values
	}
}

// The Cache-Control of what is no page.
const (
	cacheForEver = "public, max-age=31536000, immutable"
	cacheAsk     = "no-cache" // kept, and asked for by its tag each time
)

// cacheRule returns the Cache-Control of the file that is asked for by that path.
// With a condition the answer may be 412, which nobody shall keep.
func (a *app) cacheRule(r *http.Request, escaped, name string) string {
	if r.Header["If-Match"] != nil || r.Header["If-Unmodified-Since"] != nil {
		return cacheAsk
	}
	if coversAny(a.Immutable, escaped) || hashedName(name) {
		return cacheForEver
	}
	return cacheAsk
}

func (a *app) assetHeaders(h http.Header, kind, cache string) {
	h.Set("Cache-Control", cache)
	if isMarkup(kind) {
		h.Set("Content-Security-Policy", markupPolicy)
	}
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	a.own(h)
}

// pageHeaders are those of the application's pages. No cache keeps a page: it is
// what names all the files that caches may keep, and is somebody's if it is gated.
func (s *Server) pageHeaders(h http.Header, nonce string) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", strings.ReplaceAll(s.contentSecurityPolicy(), noncePlace, nonce)+s.app.reports)
	documentHeaders(h)
	if s.app.endpoint != "" {
		h.Set("Reporting-Endpoints", s.app.endpoint)
	}
	s.app.own(h)
}

// contentSecurityPolicy is the application's own, or a strict one (M1–M3): as
// everything comes through this origin, nothing else need be reached. A form
// that signs out is led on to the provider, which browsers hold against
// form-action.
func (s *Server) contentSecurityPolicy() string {
	if s.App.CSP != "" {
		return s.App.CSP
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

// sendNonced answers with a page whose scripts are allowed by a nonce (CSP Level 3,
// 7.1: a new one with each answer). So it has no tag, no ranges and no encoded
// variant.
func (s *Server) sendNonced(w http.ResponseWriter, r *http.Request, page opened, kind string) error {
	content, err := io.ReadAll(page)
	if err != nil {
		return err
	}
	nonce := newNonce()
	content = bytes.ReplaceAll(content, []byte(`nonce="`+noncePlace+`"`), []byte(`nonce="`+nonce+`"`))
	h := w.Header()
	s.pageHeaders(h, nonce)
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(content)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(content)
	}
	return nil
}

// newNonce returns 128 random bits.
func newNonce() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// coversAny reports whether path is one of prefixes or below it, as routes cover:
// a slash at the end of a prefix makes no difference.
func coversAny(prefixes []string, path string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool {
		prefix = strings.TrimSuffix(prefix, "/")
		return strings.HasPrefix(path, prefix) && (len(path) == len(prefix) || path[len(prefix)] == '/')
	})
}
