package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
)

// TestSeveralProvidersMeaning covers providers that can't stand beside each other.
func TestSeveralProvidersMeaning(t *testing.T) {
	const secret, before = "client_secret: canary-7f3a9c", "providers:"
	tests := []broken{
		{name: "one registration under two names", old: secret, new: secret + "\n  - {name: other, issuer: https://id.example.com, client_id: spa, client_secret: b}",
			want: `7:51: providers[1].client_id: is the client of providers[0] at the same issuer already; remove one of the two`},
		{name: "two redirect URIs without a name", old: secret, new: secret + "\n    callback: plain\n  - {name: other, issuer: https://a.example, client_id: a, client_secret: b, callback: plain}",
			want: `8:78: providers[1].callback: is plain at providers[0] already; only one redirect URI can be without a name`}, // H2
		{name: "endpoints anywhere", old: secret, new: secret + "\n    endpoint_origins: [https://a.example/token, http://a.example, HTTPS://A.example, https://b.example, https://b.example, 'https://b.example:99999']",
			want: `
7:24: providers[0].endpoint_origins[0]: must be an origin in lower case, such as https://oauth2.example.com
7:49: providers[0].endpoint_origins[1]: must be https; plain http is for localhost, 127.0.0.1 and [::1] only
7:67: providers[0].endpoint_origins[2]: must be an origin in lower case, such as https://oauth2.example.com
7:105: providers[0].endpoint_origins[4]: is given twice
7:124: providers[0].endpoint_origins[5]: the port must be a number from 1 to 65535`}, // H4
		{name: "a callback of another kind", old: secret, new: secret + "\n    callback: /cb",
			want: `7:5: providers[0].callback: must be one of auto, plain, named`},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}

// H3: it is the content that two may not share, wherever it comes from.
func TestOneSecretFromAFile(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "config.yaml", strings.Replace(several("", ""), "client_secret: b", "client_secret_file: secret", 1))
	write(t, dir, "secret", canary+"\n")
	r := cloakroom(t, dir, "check")
	if want := "providers[1].client_secret_file: is the secret of providers[0] too"; r.code != 3 || !strings.Contains(r.stderr, want) {
		t.Errorf("check = exit %d, %q, want exit 3 and %q", r.code, r.stderr, want)
	}
}

// several is a configuration with a second provider, whose options follow those
// that it needs.
func several(first, second string) string {
	return strings.Replace(minimal, "client_secret: "+canary, "client_secret: "+canary+first+
		"\n  - name: partner\n    issuer: https://id.partner.example\n    client_id: a\n    client_secret: b"+second, 1)
}

// H2: which provider has which redirect URI, and that only the list's order
// decides it, is said where it can be copied from.
func TestCheckRedirectURIs(t *testing.T) {
	const plain, ours = "https://app.example.com/bff/callback", "register at "
	for _, tt := range []struct {
		name, first, second string
		want                []string // redirect URIs of main and partner
		order               bool     // decides
	}{
		{"by order", "", "", []string{plain, plain + "/partner"}, true},
		{"the second is plain", "", "\n    callback: plain", []string{plain + "/main", plain}, false},
		{"the first is plain", "\n    callback: plain", "", []string{plain, plain + "/partner"}, false},
		{"none is plain", "\n    callback: named", "", []string{plain + "/main", plain + "/partner"}, false},
		{"all are named", "\n    callback: named", "\n    callback: named", []string{plain + "/main", plain + "/partner"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "config.yaml", several(tt.first, tt.second))
			r := cloakroom(t, dir, "check")
			for i, name := range []string{"main", "partner"} {
				if want := ours + name + ": redirect URI " + tt.want[i] + ","; !strings.Contains(r.stdout, want) {
					t.Errorf("check does not say %q:\n%s%s", want, r.stdout, r.stderr)
				}
			}
			if got := strings.Contains(r.stdout, "because it stands first"); got != tt.order {
				t.Errorf("check says that the order decides: %v, want %v\n%s", got, tt.order, r.stdout)
			}
		})
	}
}

// H3, L4: one key in two files, in two forms, is one key.
func TestCheckOneKeyForTwo(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	old := "client_secret: " + canary
	config := strings.Replace(minimal, old, "auth: private_key_jwt\n    private_key_file: a.pem\n"+
		"  - {name: partner, issuer: https://a.example, client_id: a, auth: private_key_jwt, private_key_file: b.pem}", 1)
	for _, tt := range []struct {
		name, second string
		code         int
		want         string
	}{
		{"the same", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})), 3,
			"providers[1].private_key_file: holds the same key as that of providers[0]; give each provider a key of its own"},
		{"two", privatePEM(t, other), 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "config.yaml", config)
			write(t, dir, "a.pem", privatePEM(t, key))
			write(t, dir, "b.pem", tt.second)
			r := cloakroom(t, dir, "check")
			if r.code != tt.code || !strings.Contains(r.stderr, tt.want) {
				t.Errorf("check = exit %d, %q, want exit %d and %q", r.code, r.stderr, tt.code, tt.want)
			}
			if at := "partner: reads the public key at https://app.example.com/bff/jwks/partner"; tt.code == 0 && !strings.Contains(r.stdout, at) {
				t.Errorf("check does not say %q:\n%s", at, r.stdout)
			}
		})
	}
}

// B9: what may mix people up is allowed, and said.
func TestSeveralProvidersWarnings(t *testing.T) {
	headers := func(list string) string {
		return strings.Replace(several("", ""), "path: /api/", "path: /api/\n    headers: "+list, 1)
	}
	demand := func(text string) string {
		return strings.Replace(several("", ""), "path: /api/", "path: /api/\n    "+text, 1)
	}
	const nameless = "tells the API who a user is"
	for _, tt := range []struct {
		name, config, want string // empty: no warning
	}{
		{"two issuers", several("", ""), ""},
		{"an API that knows only sub", headers("{X-User: sub, X-Mail: email, X-Name: name}"), nameless + " (X-Mail, X-User), and not at which of the providers"},
		{"an API that knows sub and iss", headers("{X-User: sub, X-Issuer: iss}"), ""},
		{"an API that knows a name", headers("{X-Name: name}"), ""},
		{"a rule of any provider", demand("require: {claim: groups, any: [admin]}"), "routes[0].require: takes the word of every provider here"},
		{"a level of any provider", demand("acr_values: [gold]"), "routes[0].acr_values: takes the word of every provider here"},
		{"a rule of one provider", demand("acr_values: [gold]\n    require: [{claim: groups, any: [admin]}, {claim: iss, any: ['https://id.example.com']}]"), ""},
		{"one issuer twice", strings.Replace(headers("{X-User: sub}"), "https://id.partner.example", "https://id.example.com", 1),
			"providers[1].issuer: is that of providers[0] too: its users are the same people there and here"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "config.yaml", tt.config)
			r := cloakroom(t, dir, "check")
			if r.code != 0 || tt.want == "" && r.stderr != "" || !strings.Contains(r.stderr, tt.want) {
				t.Errorf("check = exit %d, %q, want exit 0 and %q", r.code, r.stderr, tt.want)
			}
			if tt.name == "one issuer twice" && strings.Contains(r.stderr, nameless) {
				t.Errorf("one issuer has one person for each sub: %s", r.stderr)
			}
		})
	}
}
