package main_test

import (
	"testing"
)

// TestAppMeaning covers what can't be meant of the app's pages and files.
func TestAppMeaning(t *testing.T) {
	tests := []broken{
		{name: "a folder and a server", new: "spa: {dir: dist, upstream: 'http://127.0.0.1:5173'}\n",
			want: `10:18: spa.upstream: spa.dir is given too, and only one of them can have the app's files; remove one`},
		{name: "a server that is none", new: "spa: {upstream: 'ftp://127.0.0.1'}\n",
			want: `10:7: spa.upstream: must begin with http:// or https://`},
		{name: "a server with a query", new: "spa: {upstream: 'http://127.0.0.1:5173/?x'}\n",
			want: `10:7: spa.upstream: must not have credentials, a query or a fragment`},
		{name: "a route that hides the server", new: "  - {path: /, upstream: https://b.example}\nspa: {upstream: 'http://127.0.0.1:5173'}\n",
			want: `10:6: routes[1].path: takes every path, so spa.upstream would never be served; remove one of them`},
		{name: "a nonce from a server", new: "spa: {upstream: 'http://127.0.0.1:5173', csp: \"script-src 'nonce-{nonce}'\"}\n",
			want: `10:42: spa.csp: has {nonce}, but what comes from spa.upstream is not rewritten; leave spa.csp out there, or serve the built app with spa.dir`},
		{name: "a nonce without its form", new: "spa: {dir: dist, csp: \"script-src '{nonce}'\"}\n",
			want: `10:18: spa.csp: write 'nonce-{nonce}', with the quotes, wherever a nonce goes`},
		{name: "public pages without a gate", new: "spa: {dir: dist, public: [/welcome/]}\n",
			want: `10:18: spa.public: spa.gate is false, so that every page is open; write gate: true, or remove this`},
		{name: "everything public", new: "spa: {dir: dist, gate: true, public: [/]}\n",
			want: `10:39: spa.public[0]: covers everything; write gate: false instead`},
		{name: "everything kept", new: "spa: {dir: dist, immutable: [/, assets, /a//b, /x, /x]}\n",
			want: `
10:30: spa.immutable[0]: covers everything, and some file without a hash in its name would be kept for a year; name a folder, such as /assets/
10:33: spa.immutable[1]: must begin with /
10:41: spa.immutable[2]: has an empty segment (//)
10:52: spa.immutable[4]: is given twice`},
		{name: "an app from Cloakroom itself", new: "spa: {upstream: 'http://localhost:8080'}\n",
			want: `10:7: spa.upstream: leads back to Cloakroom itself (listen), which would call itself until nothing is left; write the address of the server behind`},
		{name: "pages of ours that are public", new: "spa: {dir: dist, gate: true, public: [/bff/x]}\n",
			want: `10:39: spa.public[0]: lies under base_path, where there is nothing of the app; remove it`},
		{name: "a gate before nothing", new: "spa: {gate: true}\n",
			want: `10:7: spa.gate: spa.dir and spa.upstream are missing, so there is no page to keep`},
		{name: "headers of nothing", new: "spa: {headers: {X-A: b}}\n",
			want: `10:7: spa.headers: spa.dir and spa.upstream are missing, so there is nothing to send them with`},
		{name: "headers that are not for here", new: `spa:
  dir: dist
  headers:
    set-cookie: a=b
    Content-Security-Policy: x
    Content-Length: "5"
    Connection: close
    Cdn-Cache-Control: max-age=5
    X_Y: z
    X-A: "a\tb"
    x-frame-options: ""
    X-Frame-Options: DENY
    Content-Security-Policy-Report-Only: default-src 'self'
`,
			want: `
13:5: spa.headers.set-cookie: is not set here: the app's files set no cookies; remove it
14:5: spa.headers.Content-Security-Policy: is not set here: write it in spa.csp
15:5: spa.headers.Content-Length: is decided for each answer by HTTP or by Cloakroom; remove it
16:5: spa.headers.Connection: is decided for each answer by HTTP or by Cloakroom; remove it
17:5: spa.headers.Cdn-Cache-Control: is decided for each answer by HTTP or by Cloakroom; remove it
18:5: spa.headers.X_Y: is no header's name: letters, digits and dashes
19:5: spa.headers.X-A: must be one line of ASCII without spaces at its ends; fold long text with >-
20:5: spa.headers.x-frame-options: is given twice, in another spelling`},
		{name: "reports twice", new: "spa: {dir: dist, csp_report: true, csp: \"script-src 'report-sample'; report-uri /x\", headers: {Reporting-Endpoints: x}}\n",
			want: `
10:18: spa.csp_report: adds report-uri and report-to itself; take them out of spa.csp
10:96: spa.headers.Reporting-Endpoints: is set by spa.csp_report; remove one of them`},
		{name: "HSTS over http", old: "public_url: https://app.example.com", new: "public_url: http://localhost:8080\nhsts: preload",
			want: `2:1: hsts: public_url is http, so that browsers would not hear of it; remove this, or write https`},
		{name: "another HSTS", new: "hsts: off\n",
			want: `10:1: hsts: must be one of host, subdomains, preload`},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}

// What is right is taken as it is written.
func TestAppOptions(t *testing.T) {
	cfg := parse(t, minimal+"hsts: preload\nspa: {upstream: 'http://127.0.0.1:5173', gate: true, public: [/welcome/], immutable: [/assets/], headers: {X-Frame-Options: '', Permissions-Policy: camera=(self)}}\n")
	s := cfg.SPA
	if cfg.HSTS != "preload" || s.Upstream.Host != "127.0.0.1:5173" || !s.Gate || s.Public[0] != "/welcome/" || s.Immutable[0] != "/assets/" {
		t.Errorf("got %+v", s)
	}
	if v, ok := s.Headers["X-Frame-Options"]; !ok || v != "" || s.Headers["Permissions-Policy"] != "camera=(self)" {
		t.Errorf("headers %q", s.Headers)
	}
}
