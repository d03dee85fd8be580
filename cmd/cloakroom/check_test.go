package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

const checkable = minimal + `tls: {cert_file: cert.pem, key_file: key.pem}
spa: {dir: dist}
`

// complete writes all the files that checkable refers to.
func complete(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "config.yaml", checkable)
	write(t, dir, "dist/index.html", "<!doctype html>")
	write(t, dir, "data/keys", session.NewKey()+"\n")
	certificate(t, dir, time.Now().Add(90*24*time.Hour))
	return dir
}

// certificate writes cert.pem and key.pem for app.example.com.
func certificate(t *testing.T, dir string, until time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: until.Add(-365 * 24 * time.Hour), NotAfter: until,
		DNSNames: []string{"app.example.com"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, dir, "key.pem", privatePEM(t, key))
}

func privatePEM(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func TestCheckIsContent(t *testing.T) {
	dir := complete(t)
	before := list(t, dir)
	r := cloakroom(t, dir, "check")
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("check = exit %d, %q, want exit 0 and no complaint", r.code, r.stderr)
	}
	want := "config.yaml: ok\n  https://app.example.com on 127.0.0.1:8080; 1 provider (main); 1 route; files from dist\n" +
		"  register at main: redirect URI https://app.example.com/bff/callback, post-logout redirect URI https://app.example.com/bff/logout/callback," +
		" back-channel logout URI https://app.example.com/bff/backchannel-logout/main (or, only if it knows no back-channel, front-channel logout URI https://app.example.com/bff/frontchannel-logout/main)\n" +
		"  main: refresh_reuse none: a refresh token is never sent twice, unless the access token has run out and the first use had no known end\n"
	if r.stdout != want {
		t.Errorf("check said %q, want %q", r.stdout, want)
	}
	if after := list(t, dir); !slices.Equal(after, before) {
		t.Errorf("check left files behind: %v, want %v", after, before)
	}
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		files = append(files, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestCheckFiles covers what is wrong with the files that a good configuration
// refers to: code 3 for an error, 0 for a warning.
func TestCheckFiles(t *testing.T) {
	remove := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	loop := func(name string) func(*testing.T, string) { // as root may read everything else
		return func(t *testing.T, dir string) {
			remove(name)(t, dir)
			if err := os.Symlink(filepath.Base(name), filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	put := func(name, content string) func(*testing.T, string) {
		return func(t *testing.T, dir string) { write(t, dir, name, content) }
	}
	valid := func(d time.Duration) func(*testing.T, string) {
		return func(t *testing.T, dir string) { certificate(t, dir, time.Now().Add(d)) }
	}
	for _, tt := range []struct {
		name   string
		change func(*testing.T, string)
		code   int
		want   string
	}{
		{"no keys yet", remove("data"), 0, ""},
		{"a weak key", put("data/keys", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"), 3, "keys_file: data/keys: line 1: all bytes are equal"}, // J6
		{"a short key", put("data/keys", "c2hvcnQ=\n"), 3, "keys_file: data/keys: line 1: a key has 32 bytes, this has 5"},                         // J6
		{"no key", put("data/keys", "# none\n"), 3, "keys_file: data/keys: there is no key"},                                                       // J6
		{"a key that is none", put("data/keys", session.NewKey()+"\nnot a key\n"), 3, "keys_file: data/keys: line 2: not base64; restore the key file that was used with the store"},
		{"keys lost", func(t *testing.T, dir string) { remove("data/keys")(t, dir); write(t, dir, "data/sessions.db", "x") }, 3,
			"keys_file: data/keys is missing, but data/sessions.db was sealed with it; restore the key file"}, // J5
		{"keys emptied beside a store", func(t *testing.T, dir string) {
			put("data/keys", "# none\n")(t, dir)
			write(t, dir, "data/sessions.db", "x")
		}, 3,
			"keys_file: data/keys holds no key, but data/sessions.db was sealed with one; restore the key file"}, // J5
		{"keys lost, and nothing in the store", func(t *testing.T, dir string) { remove("data/keys")(t, dir); write(t, dir, "data/sessions.db", "") }, 0, ""},
		{"keys others can read", func(t *testing.T, dir string) {
			if err := os.Chmod(filepath.Join(dir, "data/keys"), 0o644); err != nil {
				t.Fatal(err)
			}
		}, 0, "config.yaml: warning: keys_file: others may read or write this file (mode 0644); run: chmod 600 data/keys"}, // J5
		{"data is a file", func(t *testing.T, dir string) { remove("data")(t, dir); write(t, dir, "data", "") }, 3, "keys_file: can't open the file: not a directory"},
		{"the store is a folder", put("data/sessions.db/x", ""), 3, "store.bolt.path: can't open the file: is a directory"},
		{"no certificate", remove("cert.pem"), 3, "10:7: tls.cert_file: can't open the file"},
		{"no certificate's key", remove("key.pem"), 3, "10:28: tls.key_file: can't open the file"},
		{"another certificate's key", func(t *testing.T, dir string) {
			old, _ := os.ReadFile(filepath.Join(dir, "cert.pem"))
			certificate(t, dir, time.Now().Add(time.Hour))
			write(t, dir, "cert.pem", string(old))
		}, 3, "tls.cert_file: certificate and key can't be used together: tls: private key does not match public key"},
		{"an old certificate", valid(-time.Hour), 3, "tls.cert_file: the certificate ended at"},
		{"a certificate of the future", valid(400 * 24 * time.Hour), 3, "tls.cert_file: the certificate begins at"},
		{"a certificate near its end", valid(24 * time.Hour), 0, "warning: tls.cert_file: the certificate ends at"},
		{"a certificate for another host", put("config.yaml", strings.Replace(checkable, "app.example", "b.example", 1)), 0,
			"warning: tls.cert_file: the certificate is not for the host of public_url"},
		{"no app", remove("dist"), 3, "spa.dir: can't stat the file: no such file or directory; build the app first"},
		{"an app without pages", remove("dist/index.html"), 3, "spa.dir: there is no index.html in it"},
		{"a page that is a folder", func(t *testing.T, dir string) {
			remove("dist/index.html")(t, dir)
			write(t, dir, "dist/index.html/x", "")
		}, 3,
			"spa.dir: index.html in it is no file"},
		{"a page that can't be read", loop("dist/index.html"), 3, "spa.dir: can't open the file: too many levels of symbolic links; "},
		{"a mark that can't be read", func(t *testing.T, dir string) {
			write(t, dir, "data/sessions.db", "")
			loop("data/sessions.db.mark")(t, dir)
		}, 3,
			"store.bolt.path: can't open the file: too many levels of symbolic links; "},
		{"a provider's bundle without certificates", put("config.yaml", strings.Replace(checkable, "client_id: spa", "client_id: spa\n    ca_file: key.pem", 1)), 3,
			"providers[0].ca_file: the file holds no PEM certificate"},
		{"tokens in the clear", put("config.yaml", strings.Replace(checkable, "127.0.0.1:9000", "api:9000", 1)), 0,
			"warning: routes[0].upstream: tokens travel unencrypted"}, // C5
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := complete(t)
			tt.change(t, dir)
			r := cloakroom(t, dir, "check")
			if r.code != tt.code || !strings.Contains(r.stderr, tt.want) {
				t.Errorf("check = exit %d, %q, want exit %d and %q", r.code, r.stderr, tt.code, tt.want)
			}
		})
	}
}

// TestCheckPrivateKey covers the keys of private_key_jwt (A1).
func TestCheckPrivateKey(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	strong, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	big, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, pem string
		code      int
		want      string
	}{
		{"P-384", privatePEM(t, strong), 0, ""},
		{"RSA of 1024 bits", privatePEM(t, weak), 3, "the RSA key has 1024 bits"},
		{"P-521", privatePEM(t, big), 3, "the EC key must be on P-256 or P-384"},
		{"a passphrase", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", 3, "the key has a passphrase"},
		{"no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 3, "no private key that can be read"},
		{"no PEM", canary, 3, "the file holds no PEM block"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "config.yaml", strings.Replace(minimal, "client_secret: "+canary, "auth: private_key_jwt\n    private_key_file: client.pem", 1))
			write(t, dir, "client.pem", tt.pem)
			r := cloakroom(t, dir, "check")
			if r.code != tt.code || !strings.Contains(r.stderr, tt.want) {
				t.Errorf("check = exit %d, %q, want exit %d and %q", r.code, r.stderr, tt.code, tt.want)
			}
		})
	}
}
