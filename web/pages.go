package web

import (
	"bytes"
	"embed"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
)

//go:embed pages
var pageFiles embed.FS

var pages = template.Must(template.ParseFS(pageFiles, "pages/*.html"))

// pageStyle is the only style of our pages; it stands in them and in their
// Content-Security-Policy.
var pageStyle = mustRead("pages/page.css")

func mustRead(name string) template.CSS {
	b, err := pageFiles.ReadFile(name)
	if err != nil {
		panic(err) // embedded at build time
	}
	return template.CSS(b)
}

// page is what a template gets.
type page struct {
	Style     template.CSS
	Nonce     string
	Title     string
	Code      string
	Reference string
	Link      string // where to go next
	LinkText  string
	Back      bool // whether to offer the start page too
	Choices   []choice
}

type choice struct{ Name, Link string }

// hopPage answers with a page that opens local itself, so that the browser
// takes the navigation for our own and sends the Strict cookie along. It needs no
// script.
func (s *Server) hopPage(w http.ResponseWriter, local string) {
	s.writePage(w, http.StatusOK, "hop.html", page{Link: local})
}

// errorPage answers a navigation with p.
func (s *Server) errorPage(w http.ResponseWriter, r *http.Request, p Problem) {
	data := page{Title: p.Title, Code: p.Code, Reference: p.Reference, Link: "/", LinkText: "Go to the start page"}
	if !p.logged {
		data.Reference = "" // whoever is told it would look in vain
	}
	again := !s.owns(r.URL.Path) || r.URL.Path == s.base+"/login"
	switch {
	case p.Code == errHost.Code:
		data.Link = s.origin + "/"
	case p.LoginURL != "":
		data.Link, data.LinkText, data.Back = p.LoginURL, "Sign in", true
	case p.Status == http.StatusServiceUnavailable && r.Method == http.MethodGet && again:
		data.Link, data.LinkText = r.URL.RequestURI(), "Try again"
	}
	s.writePage(w, p.Status, "error.html", data)
}

// choicePage lets a user choose a provider where a login names none of several.
func (s *Server) choicePage(w http.ResponseWriter, r *http.Request) {
	data := page{Title: "Sign in with"}
	for _, p := range s.Providers {
		q, _ := url.ParseQuery(r.URL.RawQuery)
		q.Set("provider", p.Name())
		data.Choices = append(data.Choices, choice{p.DisplayName, s.base + "/login?" + q.Encode()})
	}
	s.writePage(w, http.StatusOK, "choice.html", data)
}

// writePage answers with one of our pages. Nothing of it comes from elsewhere,
// nothing of it runs.
func (s *Server) writePage(w http.ResponseWriter, status int, name string, data page) {
	data.Style, data.Nonce = pageStyle, newReference()+newReference()
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		s.log.Error("page can't be written", slog.String("page", name), slog.Any("error", err))
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'nonce-"+data.Nonce+
		"'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	documentHeaders(h)
	// The address may be a callback's, with code and state in it (B11). These pages
	// have no forms, so no Origin suffers.
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// documentHeaders keep a document to itself (M2, M5). Referrer-Policy is not
// no-referrer: browsers then send "Origin: null" with forms, which the guard
// refuses.
func documentHeaders(h http.Header) {
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
}
