package web_test

import (
	"bytes"
	"image"
	"image/png"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cloakroom/cloakroom/web"
)

const drawing = `<?xml version="1.0"?><!-- ours --><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><script>alert(1)</script></svg>`

func picture(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func folder(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, content := range files {
		out[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return out
}

// A folder of files makes the pages the application's own, and loosens nothing: a
// logo is an image, whatever it holds.
func TestBranding(t *testing.T) {
	pages, err := web.LoadPages(folder(map[string]string{
		"style.css":            "/* url(x) */ :root { --accent: teal } h1 { background: url( \"data:image/png;base64,AA\") }",
		"logo.svg":             drawing,
		"logo-dark.png":        picture(t),
		"provider-partner.png": picture(t),
		"texts.it.json":        "\ufeff" + `{"choice.title": "Accedi <qui>"}`,
		"signed-out.html":      `{{template "top" .}}<h1>Bye from {{.Name}}</h1><p>{{.T "signed_out.text"}}</p>{{template "actions" .}}{{template "bottom" .}}`,
		".hidden":              "x",
	}), "Tea & Co", []string{"main", "partner"})
	if err != nil {
		t.Fatal(err)
	}
	s := newStand(t, options{providers: []string{"main", "partner"}, web: func(c *web.Config) { c.Pages = pages }})
	b := s.browser(t)
	a := b.navigate(typed, "/bff/login", "Accept-Language", "it").want(http.StatusOK)
	a.has(`<html lang="it"`, "Accedi &lt;qui&gt;", "--accent: teal", `<img src="data:image/svg&#43;xml;base64,`, `alt="Tea &amp; Co"`,
		`<source srcset="data:image/png;base64,`, `<title>Accedi &lt;qui&gt; · Tea &amp; Co</title>`, `Choose where you have your account.`)
	if n := strings.Count(a.body, `<img src="data:image/png;base64,`); n != 1 {
		t.Errorf("%d providers have a logo, want the one with a file", n)
	}
	if strings.Contains(a.body, "<script") || strings.Contains(a.Header.Get("Content-Security-Policy"), "script-src") {
		t.Error("a script may run")
	}
	b.navigate(typed, "/bff/signed-out").want(http.StatusOK).has("<h1>Bye from Tea &amp; Co</h1>", `href="/bff/login"`)
	b.navigate(typed, "/x.js").problem(http.StatusNotFound, "not_found") // which stays ours
}

// The name alone stands above the pages and in their titles.
func TestBrandingByName(t *testing.T) {
	pages, err := web.LoadPages(nil, "Tea", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := newStand(t, options{web: func(c *web.Config) { c.Pages = pages }})
	s.browser(t).navigate(typed, "/bff/signed-out").has("<header><p>Tea</p></header>", "<title>You are signed out · Tea</title>")
}

// What is wrong with the folder is said at the start, all of it, with file and
// place.
func TestBrandingRefused(t *testing.T) {
	large := strings.Repeat("x", 300<<10)
	for _, tt := range []struct{ name, file, content, want string }{
		{"a file that nobody reads", "sytle.css", "", "sytle.css: is none of the files that are read here: style.css, "},
		{"a page that there is not", "login.html", "", "choice.html, error.html, hop.html, layout.html, signed-in.html, signed-out.html"},
		{"a name like a format", "%d%s.css", "", "%d%s.css: is none"},
		{"our style", "page.css", "", "page.css: is none"},
		{"a logo of no provider", "provider-other.svg", drawing, "provider-other.svg: is none"},
		{"another image", "logo.gif", "", "logo.gif: is none"},
		{"a long style", "style.css", large, "style.css: is longer than 256 KiB"},
		{"a large logo", "logo.svg", large, "logo.svg: is longer than 64 KiB"},
		{"a style that ends itself", "style.css", "</STYLE><script>", "style.css: holds </style"},
		{"a font from elsewhere", "style.css", "/* a\n */\nx { src: url('https://fonts.example/x') }", "style.css:3: loads another file"},
		{"an image of the folder", "style.css", "x { background: url(bg.png) }", "style.css:1: loads another file"},
		{"an import", "style.css", "@import 'x.css';", "style.css:1: loads another file"},
		{"no SVG", "logo.svg", "<html/>", "logo.svg: is no SVG image"},
		{"no XML", "logo.svg", "PNG", "logo.svg: is no SVG image"},
		{"no PNG", "logo.png", drawing, "logo.png: is no PNG image"},
		{"a template that breaks off", "error.html", "<h1>\n{{.Title", "error.html:2: "},
		{"a template without a field", "error.html", "<h1>{{.Title}}</h1>\n{{.Cause}}", "error.html:2:2: "},
		{"a field that is there sometimes", "error.html", "\n\n{{with .Reference}}{{.Cause}}{{end}}", "error.html:3:"},
		{"a template without a text", "hop.html", `{{.T "hop.titel"}}`, `there is no text "hop.titel"`},
		{"a template in a bad place", "hop.html", `<a href={{.Title}}{{.Title}}`, "hop.html"},
		{"a broken layout", "layout.html", `{{define "top"}}{{.Nothing}}{{end}}`, "layout.html:1:"},
		{"no language", "texts.klingonisch.json", "{}", "texts.klingonisch.json: has no language tag"},
		{"an unknown text", "texts.it.json", "{\n\"choice.titel\": \"x\"}", `texts.it.json:2: there is no text "choice.titel"`},
		{"a text twice", "texts.it.json", `{"choice.title": "x", "choice.title": "y"}`, `texts.it.json:1: "choice.title" is given twice`},
		{"an empty text", "texts.it.json", `{"choice.title": " "}`, `texts.it.json:1: "choice.title" must be a text`},
		{"no text", "texts.it.json", `{"choice.title": {"a": "b"}}`, `texts.it.json:1: "choice.title" must be a text`},
		{"a list", "texts.it.json", `[]`, `texts.it.json:1: must be one JSON object`},
		{"a comma too many", "texts.it.json", "{\n\n\"choice.title\": \"x\",\n}", `texts.it.json:4: is no JSON`},
		{"an end too early", "texts.it.json", `{"choice.title": "x"`, `texts.it.json:1: is no JSON`},
		{"more behind it", "texts.it.json", `{} {}`, `texts.it.json:1: has something behind`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := web.LoadPages(folder(map[string]string{tt.file: tt.content}), "", []string{"main"})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("LoadPages = %v, want %s", err, tt.want)
			}
		})
	}
	_, err := web.LoadPages(folder(map[string]string{"logo.svg": drawing, "logo.png": picture(t), "error.html": "{{", "texts.it.json": "{"}), "", nil)
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("LoadPages = %v, want all three at once", err)
	}
	if _, err := web.LoadPages(fstest.MapFS{"style.css/x": {}}, "", nil); err == nil || !strings.Contains(err.Error(), "style.css: ") {
		t.Errorf("LoadPages = %v, want that a folder is no style", err)
	}
}
