package main_test

import "testing"

// TestProviderMeaning covers providers that can't work or must not be.
func TestProviderMeaning(t *testing.T) {
	const secret, id = "client_secret: canary-7f3a9c", "client_id: spa"
	tests := []broken{
		{name: "a public client", old: secret, new: "auth: none",
			want: `6:5: providers[0].auth: must be one of client_secret_basic, client_secret_post, private_key_jwt`}, // A1
		{name: "no credential", old: secret, new: "auth: client_secret_post",
			want: `3:5: providers[0].client_secret: is missing; give it as ${NAME} from the environment, or name a file in client_secret_file`}, // A1
		{name: "an empty credential", old: secret, new: `client_secret: ""`,
			want: `6:5: providers[0].client_secret: is empty; Cloakroom is never a public client`}, // A1
		{name: "a key without a file", old: secret, new: "auth: private_key_jwt",
			want: `3:5: providers[0].private_key_file: is missing; private_key_jwt signs with it; give a PEM file with an RSA or EC key`}, // A1
		{name: "a secret beside a key", old: id, new: id + "\n    auth: private_key_jwt\n    private_key_file: k.pem",
			want: `8:5: providers[0].client_secret: is not used by private_key_jwt; remove it`}, // A1
		{name: "a key beside a secret", old: id, new: id + "\n    private_key_file: k.pem",
			want: `6:5: providers[0].private_key_file: is used by private_key_jwt only; remove it, or write auth: private_key_jwt`},
		{name: "two secrets", old: id, new: id + "\n    client_secret_file: s",
			want: `6:5: providers[0].client_secret_file: client_secret is given too; keep one of them`},
		{name: "a secret in place of its file", old: secret, new: "client_secret_file: " + canary + "/x", // N1
			want: `6:5: providers[0].client_secret_file: can't open the file: no such file or directory; looked for below DIR; relative paths start at config.yaml's folder`, files: true},
		{name: "a secret's file that isn't there", old: secret, new: "client_secret_file: s",
			want: `6:5: providers[0].client_secret_file: can't open the file: no such file or directory; looked for in DIR; relative paths start at config.yaml's folder`, files: true},
		{name: "a name that is no word", old: "name: main", new: "name: Main IdP",
			want: `3:5: providers[0].name: must be at most 32 lower-case letters, digits and dashes`},
		{name: "the same name twice", old: "providers:", new: "providers:\n  - {name: main, issuer: https://a.example, client_id: a, client_secret: b}",
			want: `4:5: providers[1].name: is the name of providers[0] already`},
		{name: "one secret for two providers", old: "providers:", new: "providers:\n  - {name: other, issuer: https://a.example, client_id: a, client_secret: canary-7f3a9c}",
			want: `7:5: providers[1].client_secret: is the secret of providers[0] too; give each provider a secret of its own`}, // H3
		{name: "one key for two providers", old: secret, new: "auth: private_key_jwt\n    private_key_file: k.pem\n  - {name: other, issuer: https://a.example, client_id: a, auth: private_key_jwt, private_key_file: k.pem}",
			want: `8:83: providers[1].private_key_file: is the key of providers[0] too; give each provider a key of its own`}, // H3
		{name: "an issuer over plain http", old: "https://id", new: "http://id",
			want: `4:5: providers[0].issuer: must be https; plain http is for localhost, 127.0.0.1 and [::1] only`}, // C5
		{name: "an issuer with a query", old: "https://id.example.com", new: "https://id.example.com?x=canary-7f3a9c",
			want: `4:5: providers[0].issuer: must be a URL without credentials, query and fragment, such as https://id.example.com`},
		{name: "an issuer without a scheme", old: "https://id.example.com", new: "localhost:8080",
			want: `4:5: providers[0].issuer: must be a URL with scheme and host, such as https://app.example.com; did you mean http://localhost:8080?`},
		{name: "an issuer with no address", old: "https://id.example.com", new: "https://256.1.1.1",
			want: `4:5: providers[0].issuer: has a host that browsers take for an address, and that is none; write all four numbers`},
		{name: "an issuer of another alphabet", old: "https://id.example.com", new: "https://b\u00fccher.example",
			want: `4:5: providers[0].issuer: has a character that no URL has, or a space; write host names of other alphabets in Punycode (xn--...)`},
		{name: "an issuer with a space", old: "https://id.example.com", new: "'https://id.example.com/a realm'",
			want: `4:5: providers[0].issuer: has a character that no URL has, or a space; write host names of other alphabets in Punycode (xn--...)`},
		{name: "an issuer with a zone", old: "https://id.example.com", new: "'https://[fe80::1%25eth0]'",
			want: `4:5: providers[0].issuer: has a host that none can have: host names have letters, digits, -, _ and single dots; write those of other alphabets in Punycode (xn--...), and addresses without a zone`},
		{name: "an issuer of no name", old: "https://id.example.com", new: "'https://id$.example.com'",
			want: `4:5: providers[0].issuer: has a host that none can have: host names have letters, digits, -, _ and single dots; write those of other alphabets in Punycode (xn--...), and addresses without a zone`},
		{name: "an issuer with a port that is none", old: "https://id.example.com", new: "https://id.example.com:99999",
			want: `4:5: providers[0].issuer: the port must be a number from 1 to 65535`},
		{name: "the metadata instead of the issuer", old: "https://id.example.com", new: "https://id.example.com/.well-known/openid-configuration",
			want: `4:5: providers[0].issuer: is the metadata's address; the issuer is what comes before /.well-known`},
		{name: "no client id", old: id, new: "display_name: x",
			want: `3:5: providers[0].client_id: is missing; the provider gave it to you when you registered Cloakroom`},
		{name: "no openid", old: id, new: id + "\n    scopes: [profile]",
			want: `6:5: providers[0].scopes: openid is missing: without it there is no sign-in`},
		{name: "scopes as one text", old: id, new: id + "\n    scopes: [openid profile]",
			want: `
6:5: providers[0].scopes: openid is missing: without it there is no sign-in
6:14: providers[0].scopes[0]: must be one scope; write several as a list`},
		{name: "parameters of the protocol", old: id, new: id + "\n    params: {redirect_uri: x, code_challenge_method: plain, audience: a}",
			want: `
6:14: providers[0].params.redirect_uri: is set by Cloakroom itself and can't be overridden; remove it
6:31: providers[0].params.code_challenge_method: is set by Cloakroom itself and can't be overridden; remove it`},
		{name: "a stop shorter than a token call", old: id, new: id + "\n    token_timeout: 31s",
			want: `6:5: providers[0].token_timeout: is longer than shutdown_timeout: a stop would cut off a renewal under way`}, // K5
		{name: "logout to a plain site", old: id, new: id + "\n    post_logout: http://example.com",
			want: `6:5: providers[0].post_logout: must be a path here, such as /goodbye, or an absolute https URL`},
		{name: "logout to another host in disguise", old: id, new: id + "\n    post_logout: //evil.example",
			want: `6:5: providers[0].post_logout: must be a path here, such as /goodbye, or an absolute https URL`}, // A10
		{name: "logout to a host of another alphabet", old: id, new: id + "\n    post_logout: https://b\u00fccher.example",
			want: `6:5: providers[0].post_logout: has a character that no URL has, or a space; write host names of other alphabets in Punycode (xn--...)`},
		{name: "logout to no host", old: id, new: id + "\n    post_logout: 'https://id$.example.com'",
			want: `6:5: providers[0].post_logout: has a host that none can have: host names have letters, digits, -, _ and single dots; write those of other alphabets in Punycode (xn--...), and addresses without a zone`},
		{name: "logout to a port that is none", old: id, new: id + "\n    post_logout: https://example.com:99999",
			want: `6:5: providers[0].post_logout: the port must be a number from 1 to 65535`},
		{name: "a resource that is no URI", old: id, new: id + "\n    resource: [api]",
			want: `6:16: providers[0].resource[0]: must be an absolute URI without a fragment (RFC 8707)`},
		{name: "the same claim twice", old: id, new: id + "\n    claims: [sub, sub]",
			want: `6:19: providers[0].claims[1]: is given twice`},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}
