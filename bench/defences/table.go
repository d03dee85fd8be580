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
		Old: "	begun.Intent = next\n", New: "	begun.Intent = nil\n",
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
		Old: "		case err == nil && s.over.Load():\n			s.revokeObtained(tokens)\n			return ErrNotFound\n", New: "",
		Package: "./session", Test: "TestLogoutBeatsRenewalWithFullDisk",
	},
	{
		Name: "what ended is not loaded again", File: "session/load.go",
		Old: "	if _, over := m.ended.Load(key); over {\n		m.open.CompareAndDelete(key, s)\n		s.shut(\"\") // somebody may have found it there\n		return nil, ErrNotFound\n	}\n", New: "",
		Package: "./session", Test: "TestEndWithFullDisk",
	},
	{
		Name: "an intent precedes the call: kill -9", File: "session/renew.go",
		Old: "	begun.Intent = next\n", New: "	begun.Intent = nil\n",
		Package: "./cmd/cloakroom", Test: "TestKillMatrix/family-kill",
	},
	{
		Name: "an own crash is told from theft (R9)", File: "session/commit.go",
		Old: "attempt > 1", New: "attempt > 9",
		Package: "./cmd/cloakroom", Test: "TestKillMatrix/family-kill",
	},
	{
		Name: "a grace window is used while it is open (R3)", File: "session/renew.go",
		Old: "		return now.Sub(in.Time) < r.Window\n", New: "		return false\n",
		Package: "./cmd/cloakroom", Test: "TestKillMatrix/grace,_new_token",
	},
	{
		Name: "one renewal per session, in a crowd (D4)", File: "session/renew.go",
		Old: "	case s.flight != nil:\n		return s.flight, nil\n", New: "",
		Package: "./cmd/cloakroom", Test: "TestStampede",
	},
	{
		Name: "invalid_grant ends a session (D7)", File: "session/renew.go",
		Old: "		return s.refused(ctx, v, attempt)\n", New: "		return &Unavailable{Err: err}\n",
		Package: "./cmd/cloakroom", Test: "TestMassRevocation",
	},
	{
		Name: "renewals are held back in an outage (K3)", File: "session/gate.go",
		Old: "c.ConsecutiveFailures >= tripAfter", New: "false",
		Package: "./cmd/cloakroom", Test: "TestProviderOutage",
	},
	{
		Name: "a stop waits for renewals (K5)", File: "cmd/cloakroom/serve.go",
		Old: "a.manager.Close(renewing), ", New: "renewing.Err(), ",
		Package: "./cmd/cloakroom", Test: "TestDrainUnderLoad",
	},
	{
		Name: "an unknown end leaves one more use (R3)", File: "session/renew.go",
		Old: "const maxAttempts = 2", New: "const maxAttempts = 1",
		Package: "./cmd/cloakroom", Test: "TestSlowProvider",
	},
	{
		Name: "new tokens are durable before they are used: soak (D1)", File: "session/live.go",
		Old:     "	err = s.m.store.SwapTokens(ctx, s.key, TokensUpdate{From: from.number, To: next.number, Tokens: sealed, Patient: patient})\n",
		New:     "	if from.Intent != nil {\n		time.AfterFunc(time.Second, func() {\n			_ = s.m.store.SwapTokens(ctx, s.key, TokensUpdate{From: from.number, To: next.number, Tokens: sealed, Patient: patient})\n		})\n	} else {\n		err = s.m.store.SwapTokens(ctx, s.key, TokensUpdate{From: from.number, To: next.number, Tokens: sealed})\n	}\n",
		Package: "./cmd/cloakroom", Test: "TestSoak",
	},
	{
		Name: "a token that is about to expire is not used: soak (C9)", File: "session/access.go",
		Old: "left < dead(lifetime)", New: "left < -time.Second",
		Package: "./cmd/cloakroom", Test: "TestSoak",
	},
	{
		Name: "a refresh token in a useless answer is kept: soak (R20)", File: "session/renew.go",
		Old: "	if answer.Refresh != \"\" && answer.Refresh", New: "	if false && answer.Refresh",
		Package: "./cmd/cloakroom", Test: "TestSoak",
	},
}
