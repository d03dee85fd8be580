package main_test

import "testing"

// TestRouteMeaning covers routes that can't work or must not be.
func TestRouteMeaning(t *testing.T) {
	const path, upstream = "path: /api/", "upstream: http://127.0.0.1:9000"
	tests := []broken{
		{name: "a path without a slash", old: path, new: "path: api",
			want: `8:5: routes[0].path: must begin with /`},
		{name: "a path with dots", old: path, new: "path: /api/../x",
			want: `8:5: routes[0].path: has a dot segment (/./ or /../)`},
		{name: "a path with an empty segment", old: path, new: "path: /api//x",
			want: `8:5: routes[0].path: has an empty segment (//)`},
		{name: "a path with an escape", old: path, new: "path: /api%2fx",
			want: `8:5: routes[0].path: may hold letters, digits, "-", ".", "_", "~" and "/" only: other characters have two spellings, and servers disagree about them`}, // G3
		{name: "a path under base_path", old: path, new: "path: /bff/user",
			want: `8:5: routes[0].path: lies under base_path, where Cloakroom's own endpoints are; take another path`}, // G18
		{name: "base_path itself", old: path, new: "path: /bff",
			want: `8:5: routes[0].path: lies under base_path, where Cloakroom's own endpoints are; take another path`}, // G18
		{name: "the same path twice", new: "  - {path: /api, upstream: https://b.example}\n",
			want: `10:6: routes[1].path: is the path of routes[0] already`},
		{name: "a prefix of something else", new: "    strip_prefix: /ap\n",
			want: `10:5: routes[0].strip_prefix: is not a prefix of the route's path, so it could not be taken off`},
		{name: "a prefix that is everything", new: "    strip_prefix: /\n",
			want: `10:5: routes[0].strip_prefix: must be a path that begins with / and is more than that`},
		{name: "no upstream", old: upstream, new: "timeout: 5s",
			want: `8:5: routes[0].upstream: is missing; give the URL of the server behind, such as http://127.0.0.1:9000`},
		{name: "an upstream that is Cloakroom itself", old: upstream, new: "upstream: http://127.0.0.1:8080",
			want: `9:5: routes[0].upstream: leads back to Cloakroom itself (listen), which would call itself until nothing is left; write the address of the server behind`},
		{name: "an upstream that is a name", old: upstream, new: "upstream: api",
			want: `9:5: routes[0].upstream: must be a URL with scheme and host, such as https://app.example.com`},
		{name: "an upstream without a scheme", old: upstream, new: "upstream: 127.0.0.1:9000",
			want: `9:5: routes[0].upstream: must be a URL with scheme and host, such as https://app.example.com; did you mean http://127.0.0.1:9000?`},
		{name: "an upstream elsewhere without a scheme", old: upstream, new: "upstream: canary-7f3a9c:9000",
			want: `9:5: routes[0].upstream: must be a URL with scheme and host, such as https://app.example.com; write https:// or http:// before the host`},
		{name: "an upstream that is no web server", old: upstream, new: "upstream: ftp://api.example",
			want: `9:5: routes[0].upstream: must begin with http:// or https://`},
		{name: "an upstream of another alphabet", old: upstream, new: "upstream: http://b\u00fccher.example",
			want: `9:5: routes[0].upstream: has a character that no URL has, or a space; write host names of other alphabets in Punycode (xn--...)`},
		{name: "an upstream with a zone", old: upstream, new: "upstream: http://[fe80::1%25eth0]:9000",
			want: `9:5: routes[0].upstream: has a host that none can have: host names have letters, digits, -, _ and single dots; write those of other alphabets in Punycode (xn--...), and addresses without a zone`},
		{name: "an upstream with a zone as people write it", old: upstream, new: "upstream: 'http://[fe80::1%eth0]:9000'",
			want: `9:5: routes[0].upstream: must be a URL with scheme and host, such as https://app.example.com; host names have letters, digits, -, _ and single dots; write those of other alphabets in Punycode (xn--...), and addresses without a zone; ports are numbers`},
		{name: "an upstream with a space", old: upstream, new: "upstream: 'http://my host:9000'",
			want: `9:5: routes[0].upstream: has a character that no URL has, or a space; write host names of other alphabets in Punycode (xn--...)`},
		{name: "an upstream with a port in words", old: upstream, new: "upstream: 'http://api.example:http'",
			want: `9:5: routes[0].upstream: must be a URL with scheme and host, such as https://app.example.com; host names have letters, digits, -, _ and single dots; write those of other alphabets in Punycode (xn--...), and addresses without a zone; ports are numbers`},
		{name: "an upstream with half an address", old: upstream, new: "upstream: http://127.1:9000",
			want: `9:5: routes[0].upstream: has a host that browsers take for an address, and that is none; write all four numbers`},
		{name: "an upstream with a scheme alone", old: upstream, new: "upstream: 'http://'",
			want: `9:5: routes[0].upstream: must be a URL with scheme and host, such as https://app.example.com`},
		{name: "an upstream without a name", old: upstream, new: "upstream: 'http://..'",
			want: `9:5: routes[0].upstream: has a host that none can have: host names have letters, digits, -, _ and single dots; write those of other alphabets in Punycode (xn--...), and addresses without a zone`},
		{name: "an upstream with a port that is none", old: upstream, new: "upstream: http://api.example:99999",
			want: `9:5: routes[0].upstream: the port must be a number from 1 to 65535`},
		{name: "an upstream with a password", old: upstream, new: "upstream: https://u:canary-7f3a9c@api.example",
			want: `9:5: routes[0].upstream: must not have credentials, a query or a fragment`},
		{name: "an upstream with an escape", old: upstream, new: "upstream: https://api.example/a%2fb",
			want: `9:5: routes[0].upstream: has a path that servers read differently; keep to letters, digits, - . _ ~ and /`},
		{name: "a token without a session", new: "    auth: none\n    token: access\n",
			want: `11:5: routes[0].token: auth is none, so there is no session to take a token from; write token: none`},
		{name: "a rule without a claim", new: "    require: {any: [admin]}\n",
			want: `10:5: routes[0].require[0].claim: is missing; name the claim that decides, such as groups`},
		{name: "a rule without values", new: "    require: [{claim: groups}]\n",
			want: `10:15: routes[0].require[0].any: is missing; list the values of which the claim must have one, or all of them under all`},
		{name: "a misspelt rule", new: "    require: {claim: groups, anny: [admin]}\n",
			want: `10:30: routes[0].require[0].anny: unknown key; did you mean "any"?`},
		{name: "a rule that is a word", new: "    require: admin\n",
			want: `10:5: routes[0].require: expected keys and values, such as {claim: groups, any: [admin]}, or a list of these, found a single value`},
		{name: "a rule for those without a session", new: "    auth: optional\n    require: {claim: groups, any: [admin]}\n",
			want: `11:5: routes[0].require: needs auth: required; with optional calls pass that have no session at all`},
		{name: "a step-up for those without a session", new: "    auth: optional\n    acr_values: [gold]\n    max_age: 5m\n",
			want: `11:5: routes[0].acr_values: needs auth: required; with optional calls pass that have no session at all
12:5: routes[0].max_age: needs auth: required; with optional calls pass that have no session at all`},
		{name: "an age that nobody meets", new: "    max_age: 10s\n",
			want: `10:5: routes[0].max_age: must be 1m or longer: whoever has just signed in would be sent to sign in again`},
		{name: "an age in fractions", new: "    max_age: 90500ms\n",
			want: `10:5: routes[0].max_age: must be whole seconds`},
		{name: "contexts in one word", new: "    acr_values: [gold silver]\n",
			want: `10:18: routes[0].acr_values[0]: must be printable ASCII without spaces, " and \`},
		{name: "claims without a session", new: "    auth: none\n    headers: {X-User: sub}\n",
			want: `11:5: routes[0].headers: auth is none, so there are no claims to send; remove them`},
		{name: "methods that aren't", new: "    methods: [get, TRACE, GET, GET]\n",
			want: `
10:15: routes[0].methods[0]: must be a method in capital letters, such as GET
10:20: routes[0].methods[1]: never goes upstream; remove it
10:32: routes[0].methods[3]: is given twice`},
		{name: "a websocket that can't begin", new: "    methods: [POST]\n    websocket: true\n",
			want: `11:5: routes[0].websocket: a WebSocket begins with GET, which methods leaves out; add it`},
		{name: "pages that can't be asked for", new: "    methods: [POST]\n    documents: allow\n",
			want: `11:5: routes[0].documents: a page is asked for with GET, which methods leaves out; add it`},
		{name: "our cookies for the upstream", new: "    cookies: [__Host-session, theme]\n    set_cookies: [__host-LOGIN-abc, 'a b']\n",
			want: `
10:15: routes[0].cookies[0]: is Cloakroom's own cookie, which no upstream sees or sets; remove it
11:19: routes[0].set_cookies[0]: is Cloakroom's own cookie, which no upstream sees or sets; remove it
11:37: routes[0].set_cookies[1]: must be a cookie name`}, // G5, G6
		{name: "headers with a meaning of their own", new: "    headers: {Authorization: sub, x-forwarded-for: ip, X_User: sub, X-A: a, x-a: b, X-Empty: ''}\n",
			want: `
10:15: routes[0].headers.Authorization: has a meaning of its own; take another name, such as X-User
10:35: routes[0].headers.x-forwarded-for: has a meaning of its own; take another name, such as X-User
10:56: routes[0].headers.X_User: write the header with dashes: many servers take X_User and X-User for the same
10:77: routes[0].headers.x-a: is given twice, in another spelling
10:85: routes[0].headers.X-Empty: name the claim that the header carries, such as sub`},
		{name: "TLS for plain http", new: "    upstream_tls: {server_name: x}\n",
			want: `10:5: routes[0].upstream_tls: upstream is http; write https, or remove this`},
		{name: "a route that hides the app", new: "  - {path: /, upstream: https://b.example}\nspa: {dir: dist}\n",
			want: `10:6: routes[1].path: takes every path, so spa.dir would never be served; remove one of them`},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}
