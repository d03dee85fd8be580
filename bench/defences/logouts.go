package main

// logouts is the defences around logouts that a provider begins, and around what
// it answers.
var logouts = []defence{
	{
		Name: "a logout token says that it is one (I5)", File: "session/oidc/logouttoken.go",
		Old: "\tif typ != logoutType && c.cfg.LogoutTyp != LogoutTypAny {\n\t\treturn refuse(ErrToken, \"typ_refused\")\n\t}\n", New: "\t_ = typ\n",
		Package: "./session/oidc", Test: "TestLogoutTokenRefused",
	},
	{
		Name: "a logout token is the provider's (I5)", File: "session/oidc/logouttoken.go",
		Old: "\tcase id.iss != c.cfg.Issuer:\n\t\treturn LogoutToken{}, refuse(ErrToken, \"iss_mismatch\")\n", New: "",
		Package: "./session/oidc", Test: "TestLogoutTokenRefused",
	},
	{
		Name: "a logout token is for us (I5)", File: "session/oidc/logouttoken.go",
		Old: "\tcase !slices.Contains(id.aud, c.cfg.ClientID):\n\t\treturn LogoutToken{}, refuse(ErrToken, \"aud_mismatch\")\n", New: "",
		Package: "./session/oidc", Test: "TestLogoutTokenRefused",
	},
	{
		Name: "a logout token is for nobody unknown (I5)", File: "session/oidc/logouttoken.go",
		Old: "\tcase slices.ContainsFunc(id.aud, c.untrusted):\n\t\treturn LogoutToken{}, refuse(ErrToken, \"aud_untrusted\")\n", New: "",
		Package: "./session/oidc", Test: "TestLogoutTokenRefused",
	},
	{
		Name: "a logout token has no nonce (I5)", File: "session/oidc/logouttoken.go",
		Old: "\tcase hasNonce:\n\t\treturn LogoutToken{}, refuse(ErrToken, \"nonce_present\")\n", New: "\tcase hasNonce && false:\n",
		Package: "./session/oidc", Test: "TestLogoutTokenRefused",
	},
	{
		Name: "a logout token has the event (I5)", File: "session/oidc/logouttoken.go",
		Old: "\tcase !isLogoutEvent(id.object):\n\t\treturn LogoutToken{}, refuse(ErrToken, \"event_missing\")\n", New: "",
		Package: "./session/oidc", Test: "TestLogoutTokenRefused",
	},
	{
		Name: "a logout token is new (I5)", File: "session/oidc/logouttoken.go",
		Old: "!hasIat || iat.After(now.Add(maxSkew)) || !now.Before(iat.Add(logoutAge))", New: "!hasIat",
		Package: "./session/oidc", Test: "TestLogoutTokenRefused",
	},
	{
		Name: "a logout token has not expired (I5)", File: "session/oidc/logouttoken.go",
		Old: "\tcase !hasExp || !now.Before(exp.Add(leeway)):\n\t\treturn LogoutToken{}, refuse(ErrToken, \"token_expired\")\n", New: "\tcase !hasExp:\n",
		Package: "./session/oidc", Test: "TestLogoutTokenRefused",
	},
	{
		Name: "a logout token has a bounded ID (I5)", File: "session/oidc/logouttoken.go",
		Old: "!ok || jti == \"\" || len(jti) > maxJTI", New: "!ok",
		Package: "./session/oidc", Test: "TestLogoutTokenRefused",
	},
	{
		Name: "a logout token is of somebody (I5)", File: "session/oidc/logouttoken.go",
		Old: "\tcase id.sub == \"\" && id.sid == \"\":\n\t\treturn LogoutToken{}, refuse(ErrToken, \"sub_missing\")\n", New: "",
		Package: "./session/oidc", Test: "TestLogoutTokenRefused",
	},
	{
		Name: "a logout token's signature counts (I5)", File: "session/oidc/logouttoken.go",
		Old: "\tif keys.payload == nil {\n\t\treturn LogoutToken{}, signatureError(raw, keys.err)\n\t}\n", New: "\tif keys.payload == nil {\n\t\tjws, _ := jose.ParseSignedCompact(raw, signingAlgs)\n\t\tkeys.payload = jws.UnsafePayloadWithoutVerification()\n\t\tverr = nil\n\t}\n",
		Package: "./session/oidc", Test: "TestLogoutTokenRefused",
	},
	{
		Name: "a logout token's ID is remembered while it is good (I5)", File: "session/oidc/logouttoken.go",
		Old: "\tuntil := exp.Add(leeway)\n", New: "\tuntil := exp\n",
		Package: "./session/oidc", Test: "TestLogoutTokenExpires",
	},
	{
		Name: "a logout token's ID is not remembered for ever", File: "session/oidc/logouttoken.go",
		Old: "; oldest.Before(until) {", New: "; false && oldest.Before(until) {",
		Package: "./session/oidc", Test: "TestLogoutTokenExpires",
	},
	{
		Name: "unknown keys are looked for once per cooldown (H6)", File: "session/oidc/keys.go",
		Old: "\tk.pauses[from] = now.Add(keysCooldown)", New: "\tk.pauses[from] = now",
		Package: "./session/oidc", Test: "TestLogoutTokenKeyFlood",
	},
	{
		Name: "forged logout tokens delay no sign-in (H6)", File: "session/oidc/logouttoken.go",
		Old: "from: fromAnybody", New: "from: fromProvider",
		Package: "./session/oidc", Test: "TestKeyRotationInFlood",
	},
	{
		Name: "a 504 may have spent the refresh token (R15)", File: "session/oidc/renew.go",
		Old: "\t\tif r.status == http.StatusGatewayTimeout {\n", New: "\t\tif false && r.status == http.StatusGatewayTimeout {\n",
		Package: "./session/oidc", Test: "TestRenewEnds",
	},
	{
		Name: "answers are read up to a limit (C8)", File: "session/oidc/fetch.go",
		Old: "io.LimitReader(r, maxBody+1)", New: "r",
		Package: "./session/oidc", Test: "TestProviderAnswersJunk",
	},
	{
		Name: "Reach asks each time (K3)", File: "session/oidc/discovery.go",
		Old: "\tif d.inflight == nil {\n\t\td.start()\n\t}\n\tcurrent := d.inflight\n\td.mu.Unlock()\n\tselect {", New: "\tif d.inflight == nil {\n\t\td.mu.Unlock()\n\t\treturn nil\n\t}\n\tcurrent := d.inflight\n\td.mu.Unlock()\n\tselect {",
		Package: "./session/oidc", Test: "TestReach",
	},
	{
		Name: "Reach is shared (K3)", File: "session/oidc/discovery.go",
		Old: "\tif d.inflight == nil {\n\t\td.start()\n\t}\n\tcurrent := d.inflight\n\td.mu.Unlock()\n\tselect {", New: "\td.start()\n\tcurrent := d.inflight\n\td.mu.Unlock()\n\tselect {",
		Package: "./session/oidc", Test: "TestReachIsShared",
	},
	{
		Name: "a logout that failed is no success (I7)", File: "web/backchannel.go",
		Old: "\tcase err != nil:\n\t\treturn s.logoutRefused(r, p, logoutFailed, because(errNotEnded, err))\n", New: "",
		Package: "./web", Test: "TestBackchannelLogoutStoreFailing",
	},
	{
		Name: "a repeated logout token is refused (I5)", File: "web/backchannel.go",
		Old: "\t\treturn s.logoutRefused(r, p, logoutRepeated, because(errLogout, err))\n", New: "",
		Package: "./web", Test: "TestBackchannelLogoutRepeated",
	},
	{
		Name: "a logout token counts once (I5)", File: "web/backchannel.go",
		Old: "\t\tID: token.ID, IDUntil: token.Expires, Reason", New: "\t\tReason",
		Package: "./web", Test: "TestBackchannelLogoutRepeated",
	},
	{
		Name: "a logout token is verified (I5)", File: "web/backchannel.go",
		Old: "\tif err != nil {\n\t\treturn s.logoutRefused(r, p, oidc.Reason(err), because(errLogout, err))\n\t}\n", New: "\t_ = oidc.Reason\n",
		Package: "./web", Test: "TestBackchannelLogoutRefused",
	},
	{
		Name: "a logout form has a limit (I5)", File: "web/backchannel.go",
		Old: "http.MaxBytesReader(w, r.Body, maxLogoutBody)", New: "r.Body",
		Package: "./web", Test: "TestBackchannelLogoutRefused",
	},
	{
		Name: "a logout form has one token (I5)", File: "web/backchannel.go",
		Old: "len(form[\"logout_token\"]) != 1", New: "len(form[\"logout_token\"]) == 0",
		Package: "./web", Test: "TestBackchannelLogoutRefused",
	},
	{
		Name: "a logout is a form (I5)", File: "web/backchannel.go",
		Old: "\tif err != nil || kind != echo.MIMEApplicationForm {", New: "\tif _ = kind; false {",
		Package: "./web", Test: "TestBackchannelLogoutRefused",
	},
	{
		Name: "no answer to a logout is kept (I7)", File: "web/backchannel.go",
		Old: "\tw.Header().Set(\"Cache-Control\", \"no-store\")\n", New: "",
		Package: "./web", Test: "TestBackchannelLogout",
	},
	{
		Name: "refused logouts fill no log (K2)", File: "web/backchannel.go",
		Old: "\tif reason != logoutFailed {\n", New: "\tif false {\n",
		Package: "./web", Test: "TestBackchannelLogoutFlood",
	},
	{
		Name: "front-channel logout checks the issuer (I9)", File: "web/frontchannel.go",
		Old: " || q.Get(\"iss\") != p.Issuer()", New: "",
		Package: "./web", Test: "TestFrontchannelLogoutRefused",
	},
	{
		Name: "front-channel logout takes each parameter once (I9)", File: "web/frontchannel.go",
		Old: "len(q[\"iss\"]) != 1 || len(q[\"sid\"]) != 1 || ", New: "",
		Package: "./web", Test: "TestFrontchannelLogoutRefused",
	},
	{
		Name: "only the provider frames the logout page (I9)", File: "web/frontchannel.go",
		Old: "; frame-ancestors \"+\n\t\tstrings.Join(p.LogoutOrigins(), \" \"))", New: "\"+strings.Join(nil, \"\"))",
		Package: "./web", Test: "TestFrontchannelLogout",
	},
	{
		Name: "a front-channel logout that failed is no success (K4)", File: "web/frontchannel.go",
		Old: "\tif err != nil {\n\t\treturn s.logoutRefused(r, p, logoutFailed, err)\n\t}\n", New: "",
		Package: "./web", Test: "TestFrontchannelLogoutStoreFailing",
	},
	{
		Name: "a logout clears what the app stored (I11)", File: "web/logout.go",
		Old: "`\"cache\", \"storage\"`", New: "`\"cache\"`",
		Package: "./web", Test: "TestLogout",
	},
	{
		Name: "a logout clears nobody else's cookies (I11)", File: "web/logout.go",
		Old: "`\"cache\", \"storage\"`", New: "`\"cache\", \"cookies\", \"storage\"`",
		Package: "./web", Test: "TestLogout",
	},
	{
		Name: "a sign-in under way is fenced off (I8)", File: "session/logout.go",
		Old: "Burial{At: now, Until: now.Add(fenceFor)}", New: "Burial{At: now.Add(-time.Hour), Until: now}",
		Package: "./web", Test: "TestBackchannelLogoutDuringSignIn",
	},
	{
		Name: "of several Sessions of one ticket one is ended (N3)", File: "session/end.go",
		Old: "\t\tif b.emptied {\n\t\t\treturn false\n\t\t}\n", New: "",
		Package: "./session", Test: "TestEndIsDoneOnce",
	},
	{
		Name: "a renewal that finds its session gone does not hide its end (N3)", File: "session/end.go",
		Old:     "\tm.note(s.key, func(*burial) bool { return false }) // before it leaves memory: see load\n",
		New:     "\tm.note(s.key, func(b *burial) bool { b.told = true; return true })\n",
		Package: "./session", Test: "TestEndFoundByRenewal",
	},
	{
		Name: "a session is filed under the key that opens it (J5, I6)", File: "session/bolt/sessions.go",
		Old: "\tif err := t.refile(u, &f); err != nil {\n\t\treturn err\n\t}\n", New: "",
		Package: "./session", Test: "TestLogoutAfterItsKeyWent",
	},
	{
		Name: "sessions in use are sealed anew when the keys change (J5)", File: "session/unlock.go",
		Old: "m.open.Range((*Session).writeSoon)", New: "m.open.Range(func(*Session) {})",
		Package: "./session", Test: "TestLogoutAfterItsKeyWent",
	},
	{
		Name: "downloads that outlived their session end with a logout (E12)", File: "session/logout.go",
		Old: "\tm.endDownloads(l, p.Issuer)\n", New: "",
		Package: "./session", Test: "TestLogoutEndsOutlivingDownload",
	},
}
