package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// What lies in spa.dir is served to everybody, so nothing of Cloakroom's own may
// lie there, nor get there by a link: neither check nor serve goes on (N1).
func TestNothingIsPublished(t *testing.T) {
	const provider = "client_secret: " + canary
	link := func(target, name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		name   string
		config string // behind minimal, or in place of it
		change func(*testing.T, string)
		want   string // what is named; empty: check is content
	}{
		{"nothing", "spa: {dir: dist}\n", nil, ""},
		{"a folder whose name begins alike", "spa: {dir: dist}\nkeys_file: dist-keys/keys\n", nil, ""},
		{"the configuration's own folder", "spa: {dir: .}\n", nil, "this configuration itself, keys_file, store.bolt.path, admin.token_file"},
		{"the folder above", "spa: {dir: ..}\n", func(t *testing.T, dir string) { write(t, dir, "../index.html", "") }, "this configuration itself, keys_file, store.bolt.path"},
		{"the keys", "spa: {dir: dist}\nkeys_file: dist/keys\n", nil, "keys_file"},
		{"the keys, further down", "spa: {dir: dist}\nkeys_file: dist/a/../b/c/keys\n", nil, "keys_file"},
		{"the store", "spa: {dir: dist}\nstore: {bolt: {path: dist/sessions.db}}\n", nil, "store.bolt.path"},
		{"the mark of a store that is a link", "spa: {dir: dist}\nstore: {bolt: {path: dist/sessions.db}}\n", link("../real.db", "dist/sessions.db"), "store.bolt.path"},
		{"the admin token", "spa: {dir: dist}\nadmin: {token_file: dist/token}\n", nil, "admin.token_file"},
		{"the certificate's key", "spa: {dir: dist}\ntls: {cert_file: cert.pem, key_file: dist/key.pem}\n", func(t *testing.T, dir string) {
			certificateIn(t, dir, "dist/key.pem")
		}, "tls.key_file"},
		{"a provider's secret", strings.Replace(minimal, provider, "client_secret_file: dist/secret", 1) + "spa: {dir: dist}\n",
			func(t *testing.T, dir string) { write(t, dir, "dist/secret", canary) }, "providers[0].client_secret_file"},
		{"an upstream's authorities", minimal + "    upstream_tls: {ca_file: dist/ca.pem}\nspa: {dir: dist}\n", func(t *testing.T, dir string) {
			text, _ := os.ReadFile(filepath.Join(dir, "config.yaml"))
			write(t, dir, "config.yaml", strings.Replace(string(text), "http://127", "https://127", 1))
			certificateIn(t, dir, "key.pem")
			if err := os.Rename(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "dist/ca.pem")); err != nil {
				t.Fatal(err)
			}
		}, "routes[0].upstream_tls.ca_file"},
		{"a link to the folder of secrets", "spa: {dir: app}\n", func(t *testing.T, dir string) {
			write(t, dir, "data/index.html", "")
			link("data", "app")(t, dir)
		}, "keys_file, store.bolt.path, admin.token_file"},
		{"keys that a link leads into it", "spa: {dir: dist}\nkeys_file: keys\n", func(t *testing.T, dir string) {
			write(t, dir, "dist/k", session.NewKey()+"\n")
			link("dist/k", "keys")(t, dir)
		}, "keys_file"},
		{"keys that a link will lead into it", "spa: {dir: dist}\nkeys_file: keys\n", link("dist/not-there-yet", "keys"), "keys_file"},
		{"keys in a folder that a link leads into it", "spa: {dir: dist}\nkeys_file: way/keys\n", link("dist", "way"), "keys_file"},
		{"a link out of it", "spa: {dir: dist}\nkeys_file: dist/keys\n", func(t *testing.T, dir string) {
			write(t, dir, "k", session.NewKey()+"\n")
			link("../k", "dist/keys")(t, dir)
		}, "keys_file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "site")
			if !strings.HasPrefix(tt.config, "public_url") {
				tt.config = minimal + tt.config
			}
			write(t, dir, "config.yaml", tt.config)
			write(t, dir, "dist/index.html", "")
			write(t, dir, "index.html", "")
			if tt.change != nil {
				tt.change(t, dir)
			}
			if tt.want == "" {
				if r := cloakroom(t, dir, "check"); r.code != 0 || r.stderr != "" {
					t.Errorf("check = exit %d, %q, want no complaint", r.code, r.stderr)
				}
				return
			}
			want := "spa.dir: everything in this folder is served to everybody, and here lies: " + tt.want
			for _, command := range []string{"check", "serve"} {
				r := cloakroom(t, dir, command)
				if r.code != 3 || !strings.Contains(r.stderr, want) || !strings.Contains(r.stderr, "name the folder that the app's build makes") {
					t.Fatalf("%s = exit %d, %q, want exit 3 and %q", command, r.code, r.stderr, want)
				}
			}
		})
	}
}

// certificateIn makes cert.pem, and its key where it is said.
func certificateIn(t *testing.T, dir, key string) {
	t.Helper()
	certificate(t, dir, time.Now().Add(90*24*time.Hour))
	if err := os.Rename(filepath.Join(dir, "key.pem"), filepath.Join(dir, key)); err != nil {
		t.Fatal(err)
	}
}

// A token file that names another secret is refused, however it is spelt, and
// nobody is told to remove that secret.
func TestAdminTokenIsItsOwn(t *testing.T) {
	secretFile := strings.Replace(minimal, "client_secret: "+canary, "client_secret_file: secret", 1)
	for _, tt := range []struct{ name, config, want string }{
		{"the keys", minimal + "keys_file: data/../data/keys\nadmin: {token_file: link}\n", "keys_file"},
		{"the store", minimal + "store: {bolt: {path: data/keys}}\nkeys_file: data/other\nadmin: {token_file: link}\n", "store.bolt.path"},
		{"a mark", minimal + "admin: {token_file: data/sessions.db.mark}\n", "store.bolt.path"},
		{"a provider's secret", secretFile + "admin: {token_file: secret}\n", "providers[0].client_secret_file"},
		{"the configuration", minimal + "admin: {token_file: config.yaml}\n", "this configuration"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "config.yaml", tt.config)
			write(t, dir, "secret", canary+"-and-it-is-long-enough-for-a-token\n")
			write(t, dir, "data/keys", session.NewKey()+"\n")
			write(t, dir, "data/other", session.NewKey()+"\n")
			if err := os.Symlink("data/keys", filepath.Join(dir, "link")); err != nil {
				t.Fatal(err)
			}
			for _, command := range []string{"check", "serve"} {
				r := cloakroom(t, dir, command)
				if r.code != 3 || !strings.Contains(r.stderr, "admin.token_file: is the same file as "+tt.want+"; name one of its own") {
					t.Fatalf("%s = exit %d, %q, want exit 3 and %q", command, r.code, r.stderr, tt.want)
				}
				if strings.Contains(r.stderr, "remove") || strings.Contains(r.stderr, canary) {
					t.Errorf("%s says %q: nothing is to be removed, or shown", command, r.stderr)
				}
			}
		})
	}
}
