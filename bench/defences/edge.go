package main

// edge is what stands between browsers and sessions: cookies, limits, binding.
var edge = []defence{
	{
		Name: "no cookie on an informational or cacheable answer", File: "web/rotate.go",
		Old: "if status >= http.StatusOK && private {", New: "if status >= http.StatusOK || !private {",
		Package: "./web", Test: "TestWhichAnswersCarryIssues",
	},
	{
		Name: "a route that sets its own cache rules carries no issue", File: "web/rotate.go",
		Old: "len(cache) == 1 && cache[0] == privateAnswer", New: "len(cache) >= 1 && cache[0] == privateAnswer",
		Package: "./web", Test: "TestIssueIsDecidedLate",
	},
	{
		Name: "an answer that a CDN may keep carries no issue (E16)", File: "web/rotate.go",
		Old: " && !overruled(w.Header())", New: "",
		Package: "./web", Test: "TestIssueIsDecidedLate",
	},
	{
		Name: "an answer of our own cache rules has no others (G11)", File: "proxy/response.go",
		Old: "rt.Cache != CacheUpstream || res.Header[\"Cache-Control\"] == nil", New: "rt.Cache != CacheUpstream",
		Package: "./proxy", Test: "TestResponseHeaders",
	},
	{
		Name: "refusals carry no issue", File: "web/rotate.go",
		Old: "if w.Status == http.StatusOK {", New: "if w.Status != 0 {",
		Package: "./web", Test: "TestWhichAnswersCarryIssues",
	},
	{
		Name: "the issue is decided with the header", File: "web/proxied.go",
		Old: "w = &reissuing{ResponseWriter: w, s: s, session: current, ticket: t}", New: "s.reissue(w, current, t)",
		Package: "./web", Test: "TestIssueIsDecidedLate",
	},
	{
		Name: "handshakes carry no issue", File: "web/proxied.go",
		Old: "if !isWebSocket(r) && current.Due(t) {", New: "if current.Due(t) {",
		Package: "./web", Test: "TestHandshakeCarriesNoIssue",
	},
	{
		Name: "an ended session gets no issue", File: "session/issue.go",
		Old: "if every <= 0 || s.ends.Load() != 0 || s.over.Load() {", New: "if every <= 0 {",
		Package: "./web", Test: "TestNoIssueOnceOver",
	},
	{
		Name: "each request shows where it comes from (E17)", File: "web/server.go",
		Old: "err = current.From(session.UserContext{UserAgent: r.UserAgent(), Address: client})", New: "_ = current.From",
		Package: "./web", Test: "TestUserContext",
	},
	{
		Name: "no answer begins after its session's end (E12)", File: "proxy/answer.go",
		Old: "c.session != nil && c.session.Over(res.ContentLength != unknown && !stream)", New: "c.session != nil && false",
		Package: "./proxy", Test: "TestAnswerAfterTheEnd",
	},
	{
		Name: "a body for no upstream has its time (G16)", File: "web/unread.go",
		Old: "\t_ = b.SetReadDeadline(until)\n", New: "",
		Package: "./web", Test: "TestStalledBody",
	},
	{
		Name: "such a body holds up no stop (K5)", File: "web/unread.go",
		Old: "\t\t_ = b.SetReadDeadline(time.Now().Add(lastBody))\n", New: "\t\t_ = b\n",
		Package: "./web", Test: "TestStopWithStalledBodies",
	},
	{
		Name: "sign-ins that come back are limited (K2)", File: "web/login.go",
		Old: "\tif err := s.limits.callbacks.take(byAddress(s.Client(r))); err != nil {\n\t\treturn err\n\t}\n", New: "",
		Package: "./web", Test: "TestFinishedSignInsAreLimited",
	},
	{
		Name: "stray callbacks are limited (K2)", File: "web/login.go",
		Old: "\tif over := s.limits.strays.take(byAddress(s.Client(r))); over != nil {\n\t\treturn over\n\t}\n", New: "",
		Package: "./web", Test: "TestCallbacksAreLimited",
	},
	{
		Name: "stray callbacks keep nobody from signing in (K2)", File: "web/login.go",
		Old: "s.limits.strays.take(", New: "s.limits.callbacks.take(",
		Package: "./web", Test: "TestOthersKeepNobodyFromSigningIn",
	},
	{
		Name: "what a page fetches is no way back from a provider (K2)", File: "web/guard.go",
		Old: "r.Header.Get(\"Sec-Fetch-Mode\") != \"\" && !isNavigation(r)", New: "false && !isNavigation(r)",
		Package: "./web", Test: "TestReturnsAreNavigations",
	},
	{
		Name: "a sign-in ends at none of our own addresses but one (A10)", File: "web/path.go",
		Old: "returnTo != s.base+\"/signed-in\"", New: "path != s.base+\"/signed-in\"",
		Package: "./web", Test: "TestSignedInPage",
	},
	{
		Name: "no script runs on our pages but where one is ours (M1)", File: "web/pages.go",
		Old: "if data.Page == signedInPage {", New: "if true {",
		Package: "./web", Test: "TestEveryPage",
	},
	{
		Name: "a page shows no reference that the log lacks (N5)", File: "web/log.go",
		Old: "shownIf(s.log.Enabled(r.Context(), levelOf(from.line)), s.untold", New: "shownIf(true, s.untold",
		Package: "./web", Test: "TestPageReferenceOfAQuietLog",
	},
	{
		Name: "a style of the operator's loads nothing", File: "web/branding.go",
		Old: "at := outside.FindStringIndex(bare); at != nil", New: "at := outside.FindStringIndex(bare); false && at != nil",
		Package: "./web", Test: "TestBrandingRefused",
	},
	{
		Name: "a logout leads into no sign-in of ours", File: "cmd/cloakroom/config_valid_provider.go",
		Old: "case s != base+signedOutPath && (", New: "case false && (",
		Package: "./cmd/cloakroom", Test: "TestPostLogout",
	},
	{
		Name: "tickets that open nothing are limited (K2)", File: "web/server.go",
		Old: "\tif err := s.mayOpen(t, byAddress(client)); err != nil {\n\t\treturn nil, t, err\n\t}\n", New: "",
		Package: "./web", Test: "TestRefusedTicketsAreLimited",
	},
	{
		Name: "who is in memory is served whoever else floods", File: "web/limit.go",
		Old: "case spent == nil || s.Manager.Open(t):", New: "case spent == nil:",
		Package: "./web", Test: "TestRefusedTicketsAreLimited",
	},
	{
		Name: "a sign-in knows when it began (I8)", File: "web/login.go",
		Old: "in.Began, in.From = p.request.Started,", New: "_, in.From = p.request.Started,",
		Package: "./web", Test: "TestSignInKnowsWhenItBegan",
	},
	{
		Name: "sign-ins are limited (K2)", File: "web/login.go",
		Old: "\tif err := s.limits.signIns.take(byAddress(s.Client(r))); err != nil {\n\t\treturn err\n\t}\n", New: "",
		Package: "./web", Test: "TestSignInsAreLimited",
	},
	{
		Name: "renewals are limited per session (K1)", File: "web/user.go",
		Old: "\tif err := s.limits.renewals.take(current.Ref()); err != nil {\n\t\treturn err\n\t}\n", New: "",
		Package: "./web", Test: "TestRenewalsAreLimited",
	},
	{
		Name: "IPv6 is limited by /64 (K2)", File: "web/limit.go",
		Old: "a.Prefix(64)", New: "a.Prefix(128)",
		Package: "./web", Test: "TestSignInsAreLimited",
	},
	{
		Name: "a flood does not fill the log", File: "web/untold.go",
		Old: "if now.Sub(h.at) < tellEvery {", New: "if false {",
		Package: "./web", Test: "TestFloodInTheLog",
	},
	{
		Name: "nor does one of what rules refuse (N3)", File: "web/log.go",
		Old: "times := s.untold.tell(from, attrs); times > 0", New: "times := 1; times > 0",
		Package: "./web", Test: "TestFloodOfRefusals",
	},
	{
		Name: "each API that is down has its first line (N3)", File: "web/log.go",
		Old: "\t\t\tfrom.route = route\n", New: "",
		Package: "./web", Test: "TestFloodOfAnOutageOfAnAPI",
	},
	{
		Name: "what was not told is told at the end (N3)", File: "web/untold.go",
		Old: "\t\tcase <-ctx.Done():\n\t\t\ts.tellUntold()\n", New: "\t\tcase <-ctx.Done():\n",
		Package: "./web", Test: "TestFloodIsToldToItsEnd",
	},
	{
		Name: "the memory of counters is bounded (K2)", File: "web/limit.go",
		Old: "lru.New[K, V](maxCounters)", New: "lru.New[K, V](1 << 30)",
		Package: "./web", Test: "TestAllowanceMemory",
	},
	{
		Name: "429 says when to come again", File: "web/errors.go",
		Old: "\t\tp.retryAfter = wholeSeconds(over.wait)\n", New: "",
		Package: "./web", Test: "TestSignInsAreLimited",
	},
	{
		Name: "rotate_every has a floor", File: "cmd/cloakroom/config_valid.go",
		Old: "case s.RotateEvery < leastRotation:", New: "case false:",
		Package: "./cmd/cloakroom", Test: "TestCustodyMeaning",
	},
	{
		Name: "bind reaches the sessions", File: "cmd/cloakroom/wire.go",
		Old: "Bind: session.Bind(cfg.Session.Bind), ", New: "",
		Package: "./cmd/cloakroom", Test: "TestCustodyOptions",
	},
	{
		Name: "max_per_user reaches the sessions", File: "cmd/cloakroom/wire.go",
		Old: "PerUser: cfg.Session.MaxPerUser, ", New: "",
		Package: "./cmd/cloakroom", Test: "TestCustodyOptions",
	},
	{
		Name: "nothing is revoked of a user who signs in again (B10)", File: "session/end.go",
		Old: "\tif successor != nil && who.Same(*successor) {", New: "\tif false && who.Same(*successor) {",
		Package: "./session", Test: "TestRevokeNothingOfTheSameUser",
	},
	{
		Name: "a renewal is waited for beyond the life of its refresh token (R14)", File: "session/access.go",
		Old: "} else if f = s.underWay(); f == nil {", New: "} else if f == nil {",
		Package: "./session", Test: "TestRenewalOutlivesRefreshToken",
	},
	{
		Name: "no token is used that ran out while its renewal was waited for (C9)", File: "session/access.go",
		Old: "\tcase s.freshness(v, s.m.now()) != expired:\n", New: "\tcase true:\n",
		Package: "./session", Test: "TestBlockingRenewalOutlivesToken",
	},
	{
		Name: "what was not consumed costs no use, though it can't be written (R15)", File: "session/renew.go",
		Old: "\t\ts.unsure = v.Intent // it can't", New: "\t\t// it can't",
		Package: "./session", Test: "TestNotConsumedNotWritten",
	},
	{
		Name: "an opened file is on the disk before its mark is (J4)", File: "session/bolt/open.go",
		Old: "\t\tif err := s.file.Sync(); err != nil {\n", New: "\t\tif err := error(nil); err != nil {\n",
		Package: "./session/bolt", Test: "TestOpenSyncsBeforeItMarks",
	},
}
