package demo_test

import (
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// M1: the app must run under default-src 'self', from its own files alone.
func TestSPAIsSelfContained(t *testing.T) {
	files := demo.SPA()
	reference := regexp.MustCompile(`(?:src|href)="/?([^"]*\.(?:js|css|svg))"|from "\./([^"]+)"`)
	forbidden := map[string]*regexp.Regexp{
		"inline script":   regexp.MustCompile(`<script(?:\s+type="module")?>`),
		"inline style":    regexp.MustCompile(`<style|\sstyle="`),
		"event attribute": regexp.MustCompile(`\son[a-z]+="`),
		"outside URL":     regexp.MustCompile(`(?:src|href|url\()=?["']?(?:https?:)?//`),
		"markup by text":  regexp.MustCompile(`innerHTML|insertAdjacentHTML|document\.write|eval\(`),
	}
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		for what, pattern := range forbidden {
			if hit := pattern.Find(b); hit != nil {
				t.Errorf("%s has an %s: %s", path, what, hit)
			}
		}
		for _, m := range reference.FindAllStringSubmatch(string(b), -1) {
			if _, err := fs.Stat(files, m[1]+m[2]); err != nil {
				t.Errorf("%s refers to %s, which is not there", path, m[1]+m[2])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestLoginPage(t *testing.T) {
	s := start(t, demo.ProviderConfig{})
	res, body := call(t, http.MethodGet, authURL(s, url.Values{"login_hint": {"bob@example.com"}}), "", "")
	for _, want := range []string{"Alice Archer", "Bob Baker", "Carol Carter", `value="bob" autofocus`, "Development provider"} {
		if !strings.Contains(body, want) {
			t.Errorf("the login page lacks %q", want)
		}
	}
	if policy := res.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("policy %q, want default-src 'none'", policy)
	}
	for path, kind := range map[string]string{"/assets/login.css": "text/css", "/picture/alice.svg": "image/svg+xml"} {
		res, body := call(t, http.MethodGet, s.URL+path, "", "")
		if got := res.Header.Get("Content-Type"); res.StatusCode != 200 || !strings.HasPrefix(got, kind) || body == "" {
			t.Errorf("%s = %d %s, want 200 %s", path, res.StatusCode, got, kind)
		}
	}
	if res, _ := call(t, http.MethodGet, s.URL+"/picture/nobody.svg", "", ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("picture of nobody = %d, want 404", res.StatusCode)
	}
}

// A browser that goes back and clicks once more gets the same answer.
func TestLoginFormTwice(t *testing.T) {
	s := start(t, demo.ProviderConfig{})
	_, body := call(t, http.MethodGet, authURL(s, nil), "", "")
	id := regexp.MustCompile(`name="interaction" value="([^"]+)"`).FindStringSubmatch(body)[1]
	form := url.Values{"interaction": {id}, "username": {"alice"}}
	var locations []string
	for range 2 {
		hc := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		res, err := hc.PostForm(s.URL+"/login", form)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		locations = append(locations, res.Header.Get("Location"))
	}
	if locations[0] == "" || locations[0] != locations[1] {
		t.Errorf("locations %q, want the same twice", locations)
	}
}

// The app's scripts and its page name the same things: a selector or a data-do that
// only one of them knows does nothing, silently.
func TestSPANames(t *testing.T) {
	files := demo.SPA()
	var scripts strings.Builder
	names, err := fs.Glob(files, "*.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		b, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		scripts.Write(b)
	}
	b, err := fs.ReadFile(files, "index.html")
	if err != nil {
		t.Fatal(err)
	}
	page, code := string(b), scripts.String()
	for _, m := range regexp.MustCompile(`one\("#([a-z-]+)"\)|, "(h-[a-z]+)"\)`).FindAllStringSubmatch(code, -1) {
		if id := m[1] + m[2]; !strings.Contains(page, `id="`+id+`"`) {
			t.Errorf("the scripts use #%s, which the page lacks", id)
		}
	}
	for _, m := range regexp.MustCompile(`data-do="([a-z-]+)"`).FindAllStringSubmatch(page, -1) {
		if !strings.Contains(code, `on("`+m[1]+`"`) && !strings.Contains(code, "[data-do="+m[1]+"]") {
			t.Errorf("nothing happens at a click on data-do=%s", m[1])
		}
	}
	for _, path := range []string{"/bff/events", "/bff/sessions", "/api/payments", "/api/admin"} {
		if !strings.Contains(code, `"`+path) {
			t.Errorf("the app never asks for %s", path)
		}
	}
}

// Each reason that GET /bff/events gives for an end has a sentence in the app (E8).
func TestSPAKnowsReasons(t *testing.T) {
	b, err := fs.ReadFile(demo.SPA(), "events.js")
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range []string{
		"logout", "idle", "absolute", "replaced", "provider_logout", "ended_elsewhere", "operator", "security", "renewal_failed",
	} {
		if !regexp.MustCompile(`(?m)^  ` + reason + `: ".+\.",$`).Match(b) {
			t.Errorf("no sentence for the reason %s", reason)
		}
	}
}
