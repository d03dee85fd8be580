package main

// ofApp is what keeps the app's pages and files as they are meant to be seen, and
// its own server apart from the session.
var ofApp = []defence{
	{
		Name: "a page that is compressed is gated too", File: "web/gate.go",
		Old: "return isPage(contentType(page)) || isXML(contentType(page))", New: "return page == \"\"",
		Package: "./web", Test: "TestGateSignedOut",
	},
	{
		Name: "a gated page of a folder needs a session", File: "web/spa.go",
		Old: "if s.gates(escaped) && ", New: "if false && ",
		Package: "./web", Test: "TestGateSignedOut",
	},
	{
		Name: "a gated page of a server needs a session", File: "web/spa_upstream.go",
		Old: "if w.gated && ", New: "if false && ",
		Package: "./web", Test: "TestGateSignedOut",
	},
	{
		Name: "nothing of a gated page's answer gets through", File: "web/spa_upstream.go",
		Old: "clear(h)", New: "",
		Package: "./web", Test: "TestGateSignedOut",
	},
	{
		Name: "a gated page is no activity", File: "web/gate.go",
		Old: "_, _, err := s.resume(r)\n", New: "current, _, err := s.resume(r)\n\tif err == nil {\n\t\tcurrent.Touch()\n\t}\n",
		Package: "./web", Test: "TestGateIsNoActivity",
	},
	{
		Name: "a sign-in ends at a gated page by way of a hop (B12)", File: "web/proxied.go",
		Old: "return s.gates(u.EscapedPath())", New: "return false",
		Package: "./web", Test: "TestGateSignIn",
	},
	{
		Name: "what changes something at the app's server is our own pages'", File: "web/spa_upstream.go",
		Old: "return s.guard(r)", New: "return nil",
		Package: "./web", Test: "TestAppServerGuard",
	},
	{
		Name: "a page of the app's server has a policy", File: "web/spa_upstream.go",
		Old: "h.Set(\"Content-Security-Policy\", leastPolicy+w.s.app.reports)", New: "delete(h, \"Content-Security-Policy\")",
		Package: "./web", Test: "TestAppServerPages",
	},
	{
		Name: "no cache keeps a page of the app's server (M7)", File: "web/spa_upstream.go",
		Old: "maps.DeleteFunc(h, func(name string, _ []string) bool { return overrules(name) })", New: "_ = maps.Keys[http.Header]",
		Package: "./web", Test: "TestAppServerPages",
	},
	{
		Name: "a word is no hash", File: "web/spa_hashed.go",
		Old: "return strange > 0 && loneLower(part)", New: "return strange > 0",
		Package: "./web", Test: "TestHashedName",
	},
	{
		Name: "a nonce is new each time (M1)", File: "web/spa_headers.go",
		Old: "nonce := newNonce()", New: "nonce := \"AAAAAAAAAAAAAAAAAAAAAA\"\n\t_ = newNonce",
		Package: "./web", Test: "TestNonce",
	},
	{
		Name: "a stale variant is not used", File: "web/spa_variants.go",
		Old: " && !v.ModTime().Before(file.info.ModTime())", New: "",
		Package: "./web", Test: "TestVariants",
	},
	{
		Name: "a file that may still be written has no tag that is kept", File: "web/spa_versions.go",
		Old: "age < settled && age > -settled", New: "age < 0 && age > 0",
		Package: "./web", Test: "TestTags",
	},
	{
		Name: "reports are limited per address (M6)", File: "web/cspreport.go",
		Old: "if err := s.limits.reports.take(client); err != nil {", New: "if err := s.limits.reports.take(client); false {",
		Package: "./web", Test: "TestCSPReportBounds",
	},
	{
		Name: "a report's size is bounded (M6)", File: "web/cspreport.go",
		Old: "http.MaxBytesReader(w, r.Body, maxReportSize)", New: "http.MaxBytesReader(w, r.Body, 100*maxReportSize)",
		Package: "./web", Test: "TestCSPReportBounds",
	},
	{
		Name: "a report's words are ours (N8)", File: "web/cspreport.go",
		Old: "if !directives[directive] {", New: "if directive == \"\" {",
		Package: "./web", Test: "TestCSPReport",
	},
	{
		Name: "of a report's addresses no query is told (N1)", File: "web/cspreport.go",
		Old: "pathOf(document), pathOf(script)}", New: "document, pathOf(script)}",
		Package: "./web", Test: "TestCSPReport",
	},
}
