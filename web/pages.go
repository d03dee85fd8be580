package web

import (
	"bytes"
	"cmp"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
)

// page is what a template gets. docs/pages.md explains it to those who write
// templates of their own.
type page struct {
	Page      string // which one: choice, error, hop, signed-in, signed-out
	Lang, Dir string
	Name      string // of the application; may be empty
	Title     string
	Text      string // what to do; may be empty
	Actions   []action
	Choices   []choice
	Refresh   string // where the page goes by itself; empty: it stays
	Code      string // of a problem
	Reference string // under which the log has it; empty: it doesn't

	Logo     template.URL
	LogoDark template.Srcset // for dark mode; as a URL its comma would be escaped there
	Style    template.CSS
	Nonce    string

	texts *texts
}

// action is something that a person can do next. The first is the one most want.
type action struct{ Text, Link string }

// choice is a provider.
type choice struct {
	Name, Link string
	Logo       template.URL // may be empty
}

// Initial is the first letter of its name.
func (c choice) Initial() string {
	first, _ := utf8.DecodeRuneInString(c.Name)
	return string(unicode.ToUpper(first))
}

// T returns the text of id in the page's language.
func (p page) T(id string) (string, error) {
	text, ok := p.texts.find(id)
	if !ok {
		return "", fmt.Errorf("there is no text %q", id)
	}
	return text, nil
}

// samplePage has a value in every field.
func samplePage(t *texts) page {
	return page{
		Page: "error", Lang: "en", Dir: "ltr", Name: "App", Title: "Title", Text: "Text", Actions: []action{{"Go", "/"}, {"Back", "/"}},
		Choices: []choice{{"Provider", "/", "data:,"}, {"Other", "/", ""}}, Refresh: "/", Code: "code", Reference: "reference",
		Logo: "data:,", LogoDark: "data:,", Nonce: "nonce", texts: t,
	}
}

// hopPage answers with a page that opens local itself, so that the browser
// takes the navigation for our own and sends the Strict cookie along. It needs no
// script.
func (s *Server) hopPage(w http.ResponseWriter, t *texts, local string) {
	s.writePage(w, http.StatusOK, page{
		Page: "hop", Title: t.get("hop.title"), Text: t.get("hop.text"), Refresh: local,
		Actions: []action{{t.get("button.continue"), local}}, texts: t,
	})
}

// errorPage answers a navigation with p.
func (s *Server) errorPage(w http.ResponseWriter, r *http.Request, p Problem, t *texts) {
	title, advice := t.problem(p.texts)
	s.writePage(w, p.Status, page{
		Page: "error", Title: title, Text: advice, Code: p.Code, Reference: p.shown, Actions: s.waysOn(r, p, t), texts: t,
	})
}

// waysOn returns what a person can do about p, and the start page.
func (s *Server) waysOn(r *http.Request, p Problem, t *texts) []action {
	start := action{t.get("button.start"), "/"}
	var first []action
	switch {
	case p.Code == errHost.Code:
		start.Link = s.origin + "/"
	case p.Code == errPermission.Code:
		login := withQuery(cmp.Or(p.LoginURL, s.base+"/login"), "prompt", "login")
		first = []action{{t.get("button.other_user"), s.andBack(login, r)}}
	case p.Code == errStepUp.Code:
		first = []action{{t.get("button.confirm"), s.andBack(p.LoginURL, r)}}
	case p.Code == errSignedOut.Code:
		first = []action{{t.get("button.sign_in"), s.andBack(p.LoginURL, r)}}
	case p.LoginURL != "":
		first = []action{{t.get("button.sign_in_again"), p.LoginURL}}
	case s.mayRepeat(r, p):
		first = []action{{t.get("button.try_again"), r.URL.RequestURI()}}
	}
	return append(first, start)
}

// mayRepeat reports whether the same request may fare better: nothing was done by
// it, and what refused it passes.
func (s *Server) mayRepeat(r *http.Request, p Problem) bool {
	passing := p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests ||
		p.Status == http.StatusInternalServerError || strings.HasPrefix(p.Code, "upstream_")
	return passing && r.Method == http.MethodGet && (!s.owns(r.URL.Path) || r.URL.Path == s.base+"/login")
}

// andBack lets a login lead back to the page that r asked for, unless it leads
// somewhere already.
func (s *Server) andBack(login string, r *http.Request) string {
	here := r.URL.RequestURI()
	if r.Method != http.MethodGet || strings.Contains(login, "return_to=") {
		return login
	}
	if local, err := s.localPath(here); err != nil || local == "/" {
		return login
	}
	return withQuery(login, "return_to", here)
}

// withQuery adds a parameter to a link of ours.
func withQuery(link, name, value string) string {
	separator := "?"
	if strings.Contains(link, "?") {
		separator = "&"
	}
	return link + separator + name + "=" + url.QueryEscape(value)
}

// choicePage lets a user choose a provider where a login names none of several.
func (s *Server) choicePage(w http.ResponseWriter, r *http.Request) {
	t := s.language(r, "")
	data := page{Page: "choice", Title: t.get("choice.title"), Text: t.get("choice.text"), texts: t}
	for _, p := range s.Providers {
		q, _ := url.ParseQuery(r.URL.RawQuery)
		q.Set("provider", p.Name())
		data.Choices = append(data.Choices, choice{p.DisplayName, s.base + "/login?" + q.Encode(), s.Pages.logos["provider-"+p.Name()]})
	}
	s.writePage(w, http.StatusOK, data)
}

// signedOut answers GET /bff/signed-out: where a logout ends unless the
// configuration says otherwise. No session is looked at, so it says so to
// everybody.
func (s *Server) signedOut(c echo.Context) error {
	t := s.language(c.Request(), "")
	s.writePage(c.Response(), http.StatusOK, page{
		Page: "signed-out", Title: t.get("signed_out.title"), Text: t.get("signed_out.text"), texts: t,
		Actions: []action{{t.get("button.sign_in_again"), s.base + "/login"}, {t.get("button.start"), "/"}},
	})
	return nil
}

// signedIn answers GET /bff/signed-in: where a sign-in in a window of its own
// ends. It tells the application's other pages, and closes itself; without script
// it says that the window may be closed. It proves nothing: who is told asks
// /bff/session.
func (s *Server) signedIn(c echo.Context) error {
	t := s.language(c.Request(), "")
	s.writePage(c.Response(), http.StatusOK, page{
		Page: signedInPage, Title: t.get("signed_in.title"), Text: t.get("signed_in.text"), texts: t,
	})
	return nil
}

// signedInPage is the one page with a script.
const signedInPage = "signed-in"

// writePage answers with one of our pages. Nothing of it comes from elsewhere; of
// scripts only ours runs, on the one page that has one.
func (s *Server) writePage(w http.ResponseWriter, status int, data page) {
	p := s.Pages
	data.Lang, data.Dir = data.texts.tag.String(), data.texts.direction()
	data.Name, data.Logo, data.LogoDark = p.name, p.logos["logo"], template.Srcset(p.logos["logo-dark"])
	data.Style, data.Nonce = p.style, newReference()+newReference()
	var b bytes.Buffer
	if err := p.templates.ExecuteTemplate(&b, data.Page+".html", data); err != nil {
		s.log.Error("page can't be written", slog.String("page", data.Page), slog.Any("error", err))
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	policy := "default-src 'none'; style-src 'nonce-" + data.Nonce + "'; img-src data:; font-src data:; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	if data.Page == signedInPage {
		policy += "; script-src 'nonce-" + data.Nonce + "'"
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", data.Lang)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", policy)
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
