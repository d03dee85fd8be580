package main_test

import (
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	app "github.com/cloakroom/cloakroom/cmd/cloakroom"
)

const reference = "../../config.yaml"

// env stands in for the environment.
func env(name string) (string, bool) {
	value, ok := map[string]string{"OIDC_CLIENT_SECRET": canary, "NAME": "value: [1", "EMPTY": ""}[name]
	return value, ok
}

func readReference(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// off matches an option that is commented out: prose has one space behind the
// "#", an option none, or as many as its indentation needs.
var off = regexp.MustCompile(`(?m)^( *)#((?:  )*(?:- )?[a-z_]+:(?: .*)?)$`)

func uncomment(text string) string { return off.ReplaceAllString(text, "$1$2") }

// TestReferenceShowsTheDefaults proves that every value in config.yaml is the
// default, apart from those that have none.
func TestReferenceShowsTheDefaults(t *testing.T) {
	got, warnings, err := app.ParseConfig("config.yaml", []byte(readReference(t)), env)
	if err != nil || len(warnings) > 0 {
		t.Fatalf("config.yaml does not load:\n%v\n%v", err, warnings)
	}
	want := app.DefaultConfig()
	want.PublicURL = &url.URL{Scheme: "https", Host: "app.example.com"}
	provider := app.DefaultProvider()
	provider.Name, provider.Issuer, provider.ClientID = "main", "https://id.example.com/realms/app", "spa"
	provider.ClientSecret = canary
	want.Providers = []app.Provider{provider}
	route := app.DefaultRoute()
	route.Path, route.Upstream = "/api/", &url.URL{Scheme: "http", Host: "127.0.0.1:9000"}
	want.Routes = []app.Route{route}

	for _, field := range reflect.VisibleFields(reflect.TypeFor[app.Config]()) {
		if !field.IsExported() {
			continue
		}
		got, want := reflect.ValueOf(*got).FieldByIndex(field.Index), reflect.ValueOf(*want).FieldByIndex(field.Index)
		if !reflect.DeepEqual(got.Interface(), want.Interface()) {
			t.Errorf("%s = %+v in config.yaml, want the default %+v", field.Name, got, want)
		}
	}
}

// TestReferenceIsComplete proves that config.yaml explains every option there
// is, and that what is commented out there loads when it is not.
func TestReferenceIsComplete(t *testing.T) {
	text := uncomment(readReference(t))
	dir := t.TempDir()
	write(t, dir, "config.yaml", text)
	write(t, dir, "secrets/staff", canary+"-staff\n")
	if _, _, err := app.LoadConfig(filepath.Join(dir, "config.yaml"), env); err == nil {
		t.Fatal("TLS towards an http upstream was accepted")
	}
	text = strings.Replace(text, "upstream: http://", "upstream: https://", 1)
	write(t, dir, "config.yaml", text)
	cfg, _, err := app.LoadConfig(filepath.Join(dir, "config.yaml"), env)
	if err != nil {
		t.Fatalf("uncommented, config.yaml does not load:\n%v", err)
	}
	if len(cfg.Providers) != 3 || cfg.Providers[1].ClientSecret.Reveal() != canary+"-staff" || cfg.Routes[0].UpstreamTLS.ServerName == "" {
		t.Errorf("uncommented, config.yaml lacks what was commented out")
	}
	keys := app.Keys()
	if len(keys) < 70 {
		t.Errorf("Keys = %d options, want all of them", len(keys))
	}
	for _, key := range keys {
		if !shown(text, key) {
			t.Errorf("config.yaml does not explain %s", key)
		}
	}
}

// shown reports whether text has a line for key, by its last word and depth: a
// list makes two levels of a path, as the dash and the key are indented.
func shown(text, key string) bool {
	depth := strings.Count(key, ".") + strings.Count(key, "[]")
	name := key[strings.LastIndexByte(key, '.')+1:]
	section, _, _ := strings.Cut(strings.ReplaceAll(key, "[]", ""), ".")
	if depth > 0 {
		_, text, _ = strings.Cut("\n"+text, "\n"+section+":")
		if end := regexp.MustCompile(`(?m)^[a-z]`).FindStringIndex(text); end != nil {
			text = text[:end[0]]
		}
	}
	// The first key of a list entry stands behind its dash.
	line := `(?m)^ {` + string('0'+rune(2*depth)) + `}` + name + `:`
	dash := `(?m)^ {` + string('0'+rune(max(0, 2*depth-2))) + `}- ` + name + `:`
	return regexp.MustCompile(line).MatchString(text) || regexp.MustCompile(dash).MatchString(text)
}

func parse(t *testing.T, content string) *app.Config {
	t.Helper()
	cfg, _, err := app.ParseConfig("/etc/cloakroom/config.yaml", []byte(content), env)
	if err != nil {
		t.Fatalf("ParseConfig:\n%v", err)
	}
	return cfg
}

func TestPathsStartAtTheFile(t *testing.T) {
	cfg := parse(t, minimal+"keys_file: /run/keys\nspa: {dir: ../dist}\n")
	for _, tt := range []struct{ name, got, want string }{
		{"a default", cfg.Store.Bolt.Path, "/etc/cloakroom/data/sessions.db"},
		{"an absolute one", cfg.KeysFile, "/run/keys"},
		{"one folder up", cfg.SPA.Dir, "/etc/dist"},
		{"none", cfg.TLS.CertFile, ""},
	} {
		if tt.got != tt.want {
			t.Errorf("%s = %q, want %q", tt.name, tt.got, tt.want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"a whole value", "${NAME}", "value: [1"}, // read as text, never as YAML
		{"a part", "a-${NAME}-${NAME}-z", "a-value: [1-value: [1-z"},
		{"escaped", "$${NAME}", "${NAME}"},
		{"escaped and not", "$${NAME}${NAME}", "${NAME}value: [1"},
		{"a lone dollar", "$NAME $ 5$", "$NAME $ 5$"},
		{"empty", "a${EMPTY}b", "ab"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := parse(t, strings.Replace(minimal, canary, "'"+tt.text+"'", 1))
			if got := cfg.Providers[0].ClientSecret.Reveal(); got != tt.want {
				t.Errorf("client_secret = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRouteWithoutSession(t *testing.T) {
	cfg := parse(t, minimal+"    auth: none\n")
	if got := cfg.Routes[0].Token; got != "none" {
		t.Errorf("token of a route with auth: none = %q, want none", got)
	}
}

func TestSizes(t *testing.T) {
	for _, tt := range []struct {
		text string
		want app.Size
		ok   bool
	}{
		{"0B", 0, true}, {"512B", 512, true}, {"32KiB", 32 << 10, true}, {"10MiB", 10 << 20, true}, {"2GiB", 2 << 30, true},
		{"", 0, false}, {"B", 0, false}, {"10", 0, false}, {"-1B", 0, false}, {"1.5MiB", 0, false}, {"10 MiB", 0, false}, {"10MB", 0, false},
	} {
		got, ok := app.ParseSize(tt.text)
		if got != tt.want || ok != tt.ok {
			t.Errorf("ParseSize(%q) = %d, %v, want %d, %v", tt.text, got, ok, tt.want, tt.ok)
		}
		if ok && got.String() != tt.text {
			t.Errorf("String of %s = %q", tt.text, got)
		}
	}
}
