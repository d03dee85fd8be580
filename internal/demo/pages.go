package demo

import (
	"bytes"
	"embed"
	"hash/crc32"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

//go:embed pages
var pageFiles embed.FS

var pages = template.Must(template.New("").Funcs(template.FuncMap{"initials": initials, "colour": colour}).ParseFS(pageFiles, "pages/*.html", "pages/picture.svg"))

// pagePolicy has no form-action: browsers apply it to the redirect that
// follows the form, which leads to the client.
const pagePolicy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"

// loginView is what the login page shows.
type loginView struct {
	Interaction string

	Client, Host, Issuer, Why string

	Strong bool // a second factor is asked for

	Scopes []string
	Users  []userView
}

type userView struct {
	User
	Current, Hinted bool
}

func (v loginView) render() answer { return page(http.StatusOK, "login.html", v) }

func messagePage(status int, title, text string) answer {
	return page(status, "message.html", map[string]string{"Title": title, "Text": text})
}

func page(status int, name string, data any) answer {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, name, data); err != nil {
		return answer{status: http.StatusInternalServerError, header: http.Header{}}
	}
	return answer{status: status, body: b.Bytes(), header: http.Header{
		"Content-Type": {"text/html; charset=utf-8"}, "Cache-Control": {"no-store"},
		"Content-Security-Policy": {pagePolicy}, "Referrer-Policy": {"no-referrer"},
		"X-Content-Type-Options": {"nosniff"},
	}}
}

// asset serves the pages' style sheet and the users' pictures.
func (p *Provider) asset(w http.ResponseWriter, r *http.Request, path string) {
	if name, ok := strings.CutPrefix(path, "/picture/"); ok {
		if u, ok := p.user(strings.TrimSuffix(name, ".svg")); ok {
			a := page(http.StatusOK, "picture.svg", u)
			a.header.Set("Content-Type", "image/svg+xml")
			a.send(w)
			return
		}
	}
	switch path {
	case "/assets/login.css", "/assets/icon.svg":
		http.ServeFileFS(w, r, pageFiles, "pages"+strings.TrimPrefix(path, "/assets"))
	case "/", "":
		messagePage(http.StatusOK, "Development provider", "Sign-ins start at an application, not here.").send(w)
	default:
		messagePage(http.StatusNotFound, "Nothing here", "The development provider has no page at this address.").send(w)
	}
}

func initials(name string) string {
	var out []rune
	for _, word := range strings.Fields(name) {
		out = append(out, []rune(word)[0])
	}
	return string(out[:min(len(out), 2)])
}

// colour gives each user's picture one of a few colours.
func colour(username string) string {
	palette := []string{"#4a4fb5", "#9c3d62", "#1f6f5c", "#8a5a12", "#2f6690"}
	return palette[crc32.ChecksumIEEE([]byte(username))%uint32(len(palette))]
}

// addQuery adds a parameter to a URL without touching what is there.
func addQuery(target, name, value string) string {
	sep := "?"
	if strings.Contains(target, "?") {
		sep = "&"
	}
	return target + sep + url.Values{name: {value}}.Encode()
}
