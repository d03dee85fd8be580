package main

// operator is what keeps an operator from harm: keys, admin listener, copies of
// the store.
var operator = []defence{
	{
		Name: "the key file is looked at by itself (J5)", File: "cmd/cloakroom/reload.go",
		Old: "\t\tcase <-tick:\n\t\t\tw.look(ctx)\n", New: "\t\tcase <-tick:\n",
		Package: "./cmd/cloakroom", Test: "TestWrongKeysWhileServing",
	},
	{
		Name: "a key that goes too early is told of", File: "cmd/cloakroom/reload.go",
		Old: "if len(removed) > 0 {", New: "if len(removed) > 9 {",
		Package: "./cmd/cloakroom", Test: "TestKeyRemovedTooEarly",
	},
	{
		Name: "a copy of the store is checked before it has its name", File: "cmd/cloakroom/admin_store.go",
		Old: "\tif err := check(f.Name()); err != nil {\n\t\treturn err\n\t}\n", New: "",
		Package: "./cmd/cloakroom", Test: "TestBackupOfRunningStore",
	},
	{
		Name: "losing all keys does not begin anew by itself (J6)", File: "cmd/cloakroom/files.go",
		Old: "\tif info, err := os.Stat(cfg.Store.Bolt.Path); err != nil ||", New: "\tif info, err := os.Stat(cfg.Store.Bolt.Path); true || err != nil ||",
		Package: "./cmd/cloakroom", Test: "TestServeKeys",
	},
	{
		Name: "keys that do not fit the store end the start (J6)", File: "session/unlock.go",
		Old: "\tplain, err := m.keys.Load().open(slot{bucketHead, probeKey, 0}, nil, record.Head)\n\tif err != nil {\n\t\treturn probe{}, ErrWrongKeys\n\t}\n", New: "\tplain, _ := m.keys.Load().open(slot{bucketHead, probeKey, 0}, nil, record.Head)\n",
		Package: "./cmd/cloakroom", Test: "TestKeysLost",
	},
	{
		Name: "check tries the keys at the store (J6)", File: "cmd/cloakroom/check.go",
		Old: "\tcase errors.Is(err, session.ErrWrongKeys):\n\t\treturn false, \"\", wrongKeys(cfg)\n", New: "\tcase errors.Is(err, session.ErrWrongKeys):\n\t\treturn false, \"\", nil\n",
		Package: "./cmd/cloakroom", Test: "TestCheckOpensTheStore",
	},
	{
		Name: "no token for whoever took a stopped server's address", File: "cmd/cloakroom/admin_client.go",
		Old: "case err == nil && !locked:", New: "case err == nil && !locked && false:",
		Package: "./cmd/cloakroom", Test: "TestAdminTokenStaysHere",
	},
	{
		Name: "a backup that nobody reads is cut off", File: "cmd/cloakroom/admin_store.go",
		Old: "SetWriteDeadline(time.Now().Add(piecePatience))", New: "SetWriteDeadline(time.Time{})",
		Package: "./cmd/cloakroom", Test: "TestBackupStalls",
	},
	{
		Name: "the admin listener asks for a token", File: "cmd/cloakroom/admin_token.go",
		Old: "if !right && !openPaths[r.URL.Path] {", New: "if !right && false {",
		Package: "./cmd/cloakroom", Test: "TestAdminToken",
	},
	{
		Name: "an empty token opens nothing", File: "cmd/cloakroom/admin_token.go",
		Old: " && a.token != \"\"", New: "",
		Package: "./cmd/cloakroom", Test: "TestNoTokenOpensNothing",
	},
	{
		Name: "the token is the owner's alone: 0600", File: "cmd/cloakroom/keys.go",
		Old: "os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600", New: "os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644",
		Package: "./cmd/cloakroom", Test: "TestAdminTokenMade",
	},
	{
		Name: "a short admin token is refused", File: "cmd/cloakroom/admin_token.go",
		Old: "case len(token) < leastToken:", New: "case false:",
		Package: "./cmd/cloakroom", Test: "TestAdminTokenRefused",
	},
	{
		Name: "a wide admin token is warned of", File: "cmd/cloakroom/inspect.go",
		Old: "\tdefault:\n\t\tc.privateFile(key, file)\n\t}\n}\n\n// writableFor", New: "\t}\n}\n\n// writableFor",
		Package: "./cmd/cloakroom", Test: "TestAdminTokenRefused",
	},
	{
		Name: "a foreign site is refused though it has the token (G18)", File: "cmd/cloakroom/admin.go",
		Old: "return a.localOnly(a.authorized(mux))", New: "return a.authorized(mux)",
		Package: "./cmd/cloakroom", Test: "TestAdminToken",
	},
	{
		Name: "the token follows no redirect", File: "cmd/cloakroom/admin_client.go",
		Old: "\t\tCheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },\n", New: "",
		Package: "./cmd/cloakroom", Test: "TestAdminClientElsewhere",
	},
	{
		Name: "a key file at rest only is read (J5)", File: "cmd/cloakroom/reload.go",
		Old: "settled := sameFile(info, w.seen)", New: "settled := true",
		Package: "./cmd/cloakroom", Test: "TestKeyWatch",
	},
	{
		Name: "keys that can't be used change nothing (J5)", File: "session/unlock.go",
		Old: "\tif _, ok := k.find(last); !ok {\n\t\treturn ErrWrongKeys\n\t}\n", New: "",
		Package: "./cmd/cloakroom", Test: "TestKeyWatch",
	},
	{
		Name: "the cookies change their keys too (J5)", File: "cmd/cloakroom/reload.go",
		Old: "\tw.app.web.SetKeys(ring)\n", New: "",
		Package: "./cmd/cloakroom", Test: "TestRotationUnderLoad",
	},
	{
		Name: "the sessions refuse a ring before the cookies have it (J5)", File: "cmd/cloakroom/reload.go",
		Old: "\tif errors.Is(err, session.ErrWrongKeys) {\n\t\treturn", New: "\tif errors.Is(err, session.ErrWrongKeys) {\n\t\tw.app.web.SetKeys(ring)\n\t\treturn",
		Package: "./cmd/cloakroom", Test: "TestWrongKeysWhileServing",
	},
	{
		Name: "older keys open cookies (J5)", File: "web/cookie.go",
		Old: "\tfor _, codec := range codecs {", New: "\tfor _, codec := range codecs[:1] {",
		Package: "./web", Test: "TestSetKeys",
	},
	{
		Name: "older keys open sessions (J5)", File: "session/keyring.go",
		Old: "\tfor i := range k.keys {\n\t\tif k.keys[i].id == id {", New: "\tfor i := range k.keys[:1] {\n\t\tif k.keys[i].id == id {",
		Package: "./cmd/cloakroom", Test: "TestRotationUnderLoad",
	},
	{
		Name: "a key waits for absolute before it may go (J5)", File: "cmd/cloakroom/keys_list.go",
		Old: "case now.Before(from):", New: "case now.Before(from) && false:",
		Package: "./cmd/cloakroom", Test: "TestRotationUnderLoad",
	},
	{
		Name: "a key that seals something may not go (J5)", File: "cmd/cloakroom/keys_list.go",
		Old: "\tcase carried > 0:\n\t\treturn \"not yet: \" + strconv.Itoa(carried) + \" sealed\"\n", New: "",
		Package: "./cmd/cloakroom", Test: "TestMayGo",
	},
	{
		Name: "SIGHUP does not end the process", File: "cmd/cloakroom/serve.go",
		Old: "signal.Notify(hup, syscall.SIGHUP)", New: "signal.Notify(hup, syscall.SIGCONT)",
		Package: "./cmd/cloakroom", Test: "TestKeysList",
	},
	{
		Name: "metrics know configured providers only (N8)", File: "cmd/cloakroom/metrics.go",
		Old: "if slices.Contains(m.providers, name) {", New: "if true || slices.Contains(m.providers, name) {",
		Package: "./cmd/cloakroom", Test: "TestMetricsOfStrangers",
	},
	{
		Name: "half a backup is none", File: "cmd/cloakroom/admin_store.go",
		Old: "\t\tpanic(http.ErrAbortHandler) // else", New: "\t\t// else",
		Package: "./cmd/cloakroom", Test: "TestBackupFails",
	},
	{
		Name: "a half backup is not kept", File: "cmd/cloakroom/admin_store.go",
		Old: "\tif err = errors.Join(err, f.Sync(), f.Close()); err != nil {", New: "\tif err = errors.Join(f.Sync(), f.Close()); err != nil {",
		Package: "./cmd/cloakroom", Test: "TestBackupCutOff",
	},
	{
		Name: "one backup at a time", File: "cmd/cloakroom/admin_store.go",
		Old: "\tdefer a.backup.Unlock()\n", New: "\ta.backup.Unlock()\n",
		Package: "./cmd/cloakroom", Test: "TestBackupOneAtATime",
	},
	{
		Name: "a stop tells WebSockets and streams to come again (K5)", File: "cmd/cloakroom/serve.go",
		Old: "\ta.proxy.Close()\n", New: "",
		Package: "./cmd/cloakroom", Test: "TestDrainStreams",
	},
}
