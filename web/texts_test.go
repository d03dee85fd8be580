package web_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/web"
)

// People read pages and problems in a language of theirs, as far as there is one.
func TestLanguages(t *testing.T) {
	pages, err := web.LoadPages(fstest.MapFS{
		"texts.ar.json":    {Data: []byte(`{"signed_out.title": "تم تسجيل خروجك"}`)},
		"texts.de-CH.json": {Data: []byte(`{"signed_out.text": "Sie können dieses Fenster schliessen."}`)},
		"texts.en.json":    {Data: []byte(`{"button.start": "Home"}`)},
	}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	s := newStand(t, options{web: func(c *web.Config) { c.Pages = pages }})
	b := s.browser(t)
	for _, tt := range []struct{ accept, lang, dir, title, text string }{
		{"", "en", "ltr", "You are signed out", "You may close"},
		{"de-AT,de;q=0.9,en;q=0.8", "de", "ltr", "Sie sind abgemeldet", "schließen"},
		{"ja, fr;q=0.5, en;q=0.1", "fr", "ltr", "Votre session est fermée", "fermer"},
		{"es-419", "es", "ltr", "Ha cerrado la sesión", "cerrar"},
		{"ja", "en", "ltr", "You are signed out", "Home"},
		{"de;q=0, *", "en", "ltr", "You are signed out", ""},
		{"de-CH", "de-CH", "ltr", "Sie sind abgemeldet", "schliessen"},
		{"ar-EG", "ar", "rtl", "تم تسجيل خروجك", "You may close"},
		{"%%%, ;;q=x", "en", "ltr", "You are signed out", ""},
		{strings.Repeat("de,", 300), "en", "ltr", "You are signed out", ""},
	} {
		a := b.navigate(typed, "/bff/signed-out", "Accept-Language", tt.accept).want(http.StatusOK)
		a.has(`<html lang="`+tt.lang+`" dir="`+tt.dir+`">`, tt.title, tt.text)
		if got := a.Header.Get("Content-Language"); got != tt.lang {
			t.Errorf("Accept-Language: %s: Content-Language: %s, want %s", tt.accept, got, tt.lang)
		}
	}
}

// What a login asks for in ui_locales goes before what the browser prefers, also
// when it comes back; what it asks for in vain does not.
func TestUILocales(t *testing.T) {
	s := newStand(t, options{})
	b := s.browser(t)
	denied := func(query string) *answer {
		s.providers[0].FailNext("authorize", demo.Fault{Error: "access_denied"})
		return b.navigate(crossSite, b.approve(b.begin(query), "alice").String(), "Accept-Language", "es")
	}
	denied("?ui_locales=xx+fr-CA+de").has(`<html lang="fr"`, "La connexion a été annulée")
	denied("").has(`<html lang="es"`, "El inicio de sesión se canceló")
	denied("?ui_locales=ja").has(`<html lang="es"`)
	b.navigate(typed, "/bff/login?ui_locales=de&max_age=x", "Accept-Language", "es").has(`<html lang="de"`, "Parameter")
	b.navigate(typed, "/bff/login?ui_locales=ja&max_age=x", "Accept-Language", "es").has(`<html lang="es"`)
	b.navigate(crossSite, b.approve(b.begin("?ui_locales=de&return_to=/docs/whoami"), "alice").String()).want(http.StatusOK).has(`<html lang="de"`, "Einen Augenblick")
}

// The title of a problem is for people, and the rest of it for programs.
func TestProblemTitleLanguage(t *testing.T) {
	s := newStand(t, options{})
	a := s.browser(t).fetch("GET", "/bff/user", "Accept-Language", "de").problem(http.StatusUnauthorized, "signed_out")
	if a.json()["title"] != "Sie sind nicht angemeldet." || a.json()["type"] != "urn:cloakroom:signed_out" || a.Header.Get("Content-Language") != "de" {
		t.Errorf("the problem is %s, its language %s", a.body, a.Header.Get("Content-Language"))
	}
}

// Each language that we speak has every text, and no other.
func TestTextsAreComplete(t *testing.T) {
	read := func(file string) map[string]string {
		content, err := os.ReadFile(file)
		var texts map[string]string
		if err == nil {
			err = json.Unmarshal(content, &texts)
		}
		if err != nil {
			t.Fatal(err)
		}
		return texts
	}
	files, _ := filepath.Glob("pages/texts.*.json")
	if len(files) < 4 {
		t.Fatalf("found %v, want all languages", files)
	}
	english := slices.Sorted(maps.Keys(read("pages/texts.en.json")))
	for _, file := range files {
		texts := read(file)
		if ids := slices.Sorted(maps.Keys(texts)); !slices.Equal(ids, english) {
			t.Errorf("%s has %d texts, and English %d: %v", file, len(ids), len(english), ids)
		}
		for id, text := range texts {
			if id == "device.on" { // filled in
				text = strings.Replace(strings.Replace(text, "{browser}", "B", 1), "{system}", "S", 1)
			}
			if strings.TrimSpace(text) != text || text == "" || regexp.MustCompile(`[<>&{}]|  `).MatchString(text) {
				t.Errorf("%s: %s is %q", file, id, text)
			}
		}
	}
}
