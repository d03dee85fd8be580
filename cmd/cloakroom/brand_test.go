package main_test

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	app "github.com/cloakroom/cloakroom/cmd/cloakroom"
	"github.com/cloakroom/cloakroom/internal/demo"
)

// What the folder of pages.dir holds is on the pages, and what is wrong with it is
// said by check and stops the start, all of it, with file and line.
func TestPagesFolder(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{})
	write(t, s.dir, "brand/..v1/style.css", ":root { --accent: teal }")
	for link, to := range map[string]string{"..data": "..v1", "style.css": "..data/style.css"} { // as Kubernetes mounts files
		if err := os.Symlink(to, s.dir+"/brand/"+link); err != nil {
			t.Fatal(err)
		}
	}
	write(t, s.dir, "brand/texts.it.json", `{"signed_out.title": "A presto"}`)
	write(t, s.dir, "config.yaml", s.config()+"pages: {dir: brand, name: Harbour}\n")
	p := s.serve()
	status, body := s.user().send("GET", "/bff/signed-out", "Accept-Language", "it", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "none")
	if status != http.StatusOK {
		t.Errorf("GET /bff/signed-out = %d", status)
	}
	for _, want := range []string{"--accent: teal", "<h1>A presto</h1>", "<title>A presto · Harbour</title>"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page has no %s:\n%s", want, body)
		}
	}
	p.stop()
	p.wait()
}

func TestPagesFolderRefused(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(t *testing.T, dir string)
		want []string
	}{
		{"two mistakes", func(t *testing.T, dir string) {
			write(t, dir, "brand/texts.it.json", "{\n\"choice.titel\": \"x\"}")
			write(t, dir, "brand/error.html", "{{.Cause}}")
		}, []string{`pages.dir: texts.it.json:2: there is no text "choice.titel"`}},
		{"a template", func(t *testing.T, dir string) { write(t, dir, "brand/error.html", "\n{{.Cause}}") }, []string{"pages.dir: error.html:2:2: "}},
		{"two files", func(t *testing.T, dir string) {
			write(t, dir, "brand/logo.gif", "")
			write(t, dir, "brand/logo.png", "")
		}, []string{"pages.dir: logo.gif: is none of the files", "pages.dir: logo.png: is no PNG image"}},
		{"a provider's logo misspelt", func(t *testing.T, dir string) { write(t, dir, "brand/provider-mian.svg", "<svg/>") }, []string{"pages.dir: provider-mian.svg: is none of the files"}},
		{"no folder", func(*testing.T, string) {}, []string{"pages.dir: can't open the file: no such file or directory"}},
		{"a file", func(t *testing.T, dir string) { write(t, dir, "brand", "") }, []string{"pages.dir: "}},
		{"a way out", func(t *testing.T, dir string) {
			write(t, dir, "brand/texts.it.json", "{}")
			if err := os.Symlink("/etc/passwd", dir+"/brand/style.css"); err != nil {
				t.Fatal(err)
			}
		}, []string{"pages.dir: style.css: "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "config.yaml", strings.Replace(minimal, "providers:", "pages: {dir: brand}\nproviders:", 1))
			tt.do(t, dir)
			for _, command := range []string{"check", "serve"} {
				r := cloakroom(t, dir, command)
				if r.code != 3 {
					t.Errorf("%s = exit %d, want 3: %s", command, r.code, r.stderr)
				}
				for _, want := range tt.want {
					if !strings.Contains(r.stderr, want) {
						t.Errorf("%s says\n%s\nwant %s", command, r.stderr, want)
					}
				}
			}
		})
	}
}

// After a logout people are on our page, wherever base_path is; another of our
// paths would lead them back in, or nowhere.
func TestPostLogout(t *testing.T) {
	for config, want := range map[string]string{
		minimal:                        "/bff/signed-out",
		"base_path: /auth\n" + minimal: "/auth/signed-out",
		strings.Replace(minimal, "client_id: spa", "client_id: spa\n    post_logout: /bye", 1):            "/bye",
		strings.Replace(minimal, "client_id: spa", "client_id: spa\n    post_logout: /bffs", 1):           "/bffs",
		strings.Replace(minimal, "client_id: spa", "client_id: spa\n    post_logout: /bff/signed-out", 1): "/bff/signed-out",
	} {
		if got := parse(t, config).Providers[0].PostLogout; got != want {
			t.Errorf("post_logout is %s, want %s, of\n%s", got, want, config)
		}
	}
	for _, own := range []string{"/bff", "/bff/", "/bff/login", "/bff/signed-in", "/bff/signed-out/"} {
		_, _, err := app.ParseConfig("config.yaml", []byte(strings.Replace(minimal, "client_id: spa", "client_id: spa\n    post_logout: "+own, 1)), env)
		if err == nil || !strings.Contains(err.Error(), "providers[0].post_logout: is one of Cloakroom's own paths; of these only base_path and /signed-out can be given") {
			t.Errorf("post_logout: %s: %v", own, err)
		}
	}
}

// docs/pages.md explains everything that a folder can use, and its examples work.
func TestPagesGuide(t *testing.T) {
	guide := read(t, "docs/pages.md")
	_, fields, _ := strings.Cut(read(t, "web/pages.go"), "type page struct {")
	fields, _, _ = strings.Cut(fields, "\ttexts *texts")
	names := regexp.MustCompile(`(?m)^\t([A-Z]\w+)(?:, ([A-Z]\w+))?`).FindAllStringSubmatch(fields, -1)
	style, _, _ := strings.Cut(read(t, "web/pages/page.css"), "\n}")
	names = append(names, regexp.MustCompile(`(--[a-z-]+):`).FindAllStringSubmatch(style, -1)...)
	if len(names) < 20 {
		t.Fatalf("found %d names, want all of them: do the patterns still fit?", len(names))
	}
	for _, match := range names {
		for _, name := range match[1:] {
			if name != "" && !strings.Contains(guide, "`."+name+"`") && !strings.Contains(guide, "`"+name+"`") {
				t.Errorf("docs/pages.md does not explain %s", name)
			}
		}
	}
	dir := t.TempDir()
	write(t, dir, "config.yaml", minimal+example(t, guide, "yaml"))
	write(t, dir, "pages/style.css", example(t, guide, "css"))
	write(t, dir, "pages/texts.it.json", example(t, guide, "json"))
	write(t, dir, "pages/signed-out.html", example(t, guide, "html"))
	if r := cloakroom(t, dir, "check"); r.code != 0 {
		t.Errorf("check of the guide's examples = exit %d: %s", r.code, r.stderr)
	}
}

// example returns the first block of a guide in that language.
func example(t *testing.T, guide, language string) string {
	t.Helper()
	_, text, ok := strings.Cut(guide, "```"+language+"\n")
	text, _, end := strings.Cut(text, "```")
	if !ok || !end {
		t.Fatalf("there is no example in %s", language)
	}
	return text
}
