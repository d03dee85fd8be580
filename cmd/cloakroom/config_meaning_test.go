package main_test

import "testing"

// TestConfigMeaning covers what is well-formed but can't work or must not be.
func TestConfigMeaning(t *testing.T) {
	tests := []broken{
		{name: "nothing that is required", old: minimal, new: "listen: 127.0.0.1:8080\n",
			want: `
public_url: is missing; give the origin browsers use, such as https://app.example.com
providers: is missing; name at least one OpenID Provider
routes: there is neither a route nor spa.dir: nothing would be served`},
		{name: "listen without port", new: "listen: localhost\n",
			want: `10:1: listen: must be host:port, such as 127.0.0.1:8080 or :8080`},
		{name: "a port that is too high", new: "listen: 127.0.0.1:65536\n",
			want: `10:1: listen: must be host:port, such as 127.0.0.1:8080 or :8080`},
		{name: "admin for everybody", new: "admin: {listen: 0.0.0.0:9090}\n",
			want: `10:9: admin.listen: must be a loopback address, such as 127.0.0.1:9090: it speaks plain HTTP, and health and metrics ask for no token`}, // G18
		{name: "admin on every address", new: "admin: {listen: :9090}\n",
			want: `10:9: admin.listen: must be a loopback address, such as 127.0.0.1:9090: it speaks plain HTTP, and health and metrics ask for no token`},
		{name: "admin where browsers are", new: "admin: {listen: 127.0.0.1:8080}\n",
			want: `10:9: admin.listen: is the same as listen; take another port`},
		{name: "half a certificate", new: "tls: {cert_file: a.pem}\n",
			want: `10:7: tls.cert_file: tls.key_file is missing; give both or neither`},
		{name: "the other half", new: "tls: {key_file: a.pem}\n",
			want: `10:7: tls.key_file: tls.cert_file is missing; give both or neither`},
		{name: "plain http", old: "https://app", new: "http://app",
			want: `1:1: public_url: must be https; plain http is for localhost, 127.0.0.1 and [::1] only, because browsers then get cookies without Secure`}, // C5
		{name: "a host that looks like this machine", old: "https://app.example.com", new: "http://localhost.example.com",
			want: `1:1: public_url: must be https; plain http is for localhost, 127.0.0.1 and [::1] only, because browsers then get cookies without Secure`},
		{name: "public_url with a path", old: "https://app.example.com", new: "https://app.example.com/x",
			want: `1:1: public_url: must be an origin, scheme and host only, such as https://app.example.com`},
		{name: "public_url with a password", old: "https://app.example.com", new: "https://u:canary-7f3a9c@app.example.com",
			want: `1:1: public_url: must be an origin, scheme and host only, such as https://app.example.com`},
		{name: "public_url in capitals", old: "https://app.example.com", new: "https://App.example.com",
			want: `1:1: public_url: write the host as browsers send it: lower case, international names as xn--`},
		{name: "public_url with a port as nobody writes it", old: "https://app.example.com", new: "https://app.example.com:08443",
			want: `1:1: public_url: the port must be a number from 1 to 65535, without a zero before it`},
		{name: "public_url with no host that can be", old: "https://app.example.com", new: "https://app$.example.com",
			want: `1:1: public_url: has a host that none can have: host names have letters, digits, -, _ and single dots; write those of other alphabets in Punycode (xn--...), and addresses without a zone`},
		{name: "public_url with https's own port", old: "https://app.example.com", new: "https://app.example.com:443",
			want: `1:1: public_url: leave the port out: browsers don't send the scheme's own one`},
		{name: "http in front of a certificate", old: "public_url: https://app.example.com",
			new:  "public_url: http://localhost\ntls: {cert_file: a, key_file: b}",
			want: `1:1: public_url: is http, but tls is configured; write https`},
		{name: "base_path is everything", new: "base_path: /\n",
			want: `10:1: base_path: must not end with /; /bff is the usual one`},
		{name: "base_path with an escape", new: "base_path: /b%66f\n",
			want: `10:1: base_path: may hold letters, digits, "-", ".", "_", "~" and "/" only: other characters have two spellings, and servers disagree about them`},
		{name: "idle longer than absolute", new: "session: {idle: 2h, absolute: 1h}\n",
			want: `10:11: session.idle: is longer than session.absolute, so it would never end a session`},
		{name: "no time at all", new: "session: {idle: 0s, renew_timeout: 0s}\n",
			want: `
10:11: session.idle: must be longer than 0s
10:21: session.renew_timeout: must be longer than 0s`},
		{name: "a cookie with the prefix", new: "session: {cookie: {name: __Host-session}}\n",
			want: `10:20: session.cookie.name: leave the prefix __Host- out; it is put before every name`},
		{name: "a cookie name with a space", new: "session: {cookie: {name: my session}}\n",
			want: `10:20: session.cookie.name: must be a cookie name: at most 64 letters, digits, - and _`},
		{name: "a cookie name of ours", new: "session: {cookie: {name: login-x}}\n",
			want: `10:20: session.cookie.name: is taken by the cookies of a sign-in or a logout under way; session is the usual one`},
		{name: "a cookie that outlives the session", new: "session: {absolute: 1h, cookie: {max_age: 2h}}\n",
			want: `10:34: session.cookie.max_age: is longer than session.absolute: the cookie would outlive every session`},
		{name: "limits that let nothing through", new: "limits: {header: 1KiB, body: 0B, streams_per_session: 0, sessions_in_memory: 99}\n",
			want: `
10:10: limits.header: must be between 4KiB and 1MiB
10:24: limits.body: must be more than 0B
10:34: limits.streams_per_session: must be 1 or more
10:58: limits.sessions_in_memory: must be 100 or more: with fewer every call would read its session from the store`},
		{name: "one file for two things", new: "keys_file: data/x\nstore: {bolt: {path: ./data/x}}\n",
			want: `10:1: keys_file: is the same file as store.bolt.path`},
		{name: "a policy without pages", new: "spa: {csp: default-src 'self'}\n",
			want: `10:7: spa.csp: spa.dir and spa.upstream are missing, so there is no page to protect`},
		{name: "nothing to serve", old: "routes:\n  - path: /api/\n    upstream: http://127.0.0.1:9000\n", new: "",
			want: `routes: there is neither a route nor spa.dir: nothing would be served`},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}
