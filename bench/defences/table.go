package main

// table is the defences that are proven. Add one with each test that proves
// another.
var table = []defence{
	{
		Name: "one renewal per session (D4)", File: "session/renew.go",
		Old: "	case s.flight != nil:\n		return s.flight, nil\n", New: "",
		Package: "./session", Test: "TestOneRenewalForManyCalls",
	},
	{
		Name: "the renewal outlives the browser (D6)", File: "session/renew.go",
		Old: "	ctx = context.WithoutCancel(ctx)\n", New: "",
		Package: "./session", Test: "TestRenewalSurvivesTheBrowser",
	},
	{
		Name: "an intent precedes the call (R4, R5)", File: "session/renew.go",
		Old: "	begun.Intent = &intent{Attempt: attempt, Token: digest(v.Tokens.Refresh), Time: s.m.now()}\n", New: "	begun.Intent = nil\n",
		Package: "./session", Test: "TestKilledInRenewal",
	},
	{
		Name: "no refresh token is sent a third time", File: "session/renew.go",
		Old: "const maxAttempts = 2", New: "const maxAttempts = 3",
		Package: "./session", Test: "TestNoThirdUse",
	},
	{
		Name: "nobody uses a token before it is durable (D1)", File: "session/live.go",
		Old: "	if err != nil {\n		return nil, err\n	}\n	s.content.Store(next)\n", New: "	s.content.Store(next)\n	if err != nil {\n		return nil, err\n	}\n",
		Package: "./session", Test: "TestCommitFails",
	},
	{
		Name: "logout beats a renewal (D12)", File: "session/commit.go",
		Old: "		case err == nil && s.over.Load():\n			s.m.revoke(s.key, s.who, tokens)\n			return ErrNotFound\n", New: "",
		Package: "./session", Test: "TestLogoutBeatsRenewalWithFullDisk",
	},
	{
		Name: "what ended is not loaded again", File: "session/manager.go",
		Old: "	if _, over := m.ended.Load(key); over {\n		m.open.CompareAndDelete(key, v)\n		return nil, ErrNotFound\n	}\n", New: "",
		Package: "./session", Test: "TestEndWithFullDisk",
	},
}
