package main

// custody is what keeps sessions and tokens together, and providers upright.
var custody = []defence{
	{
		Name: "five failures hold renewals back (K3)", File: "session/gate.go",
		Old: "tripAfter = 5 ", New: "tripAfter = 6 ",
		Package: "./session", Test: "TestWhatTrips",
	},
	{
		Name: "calls at a provider are bounded (K1)", File: "session/gate.go",
		Old: "mostCalls = 32 ", New: "mostCalls = 33 ",
		Package: "./session", Test: "TestReturn",
	},
	{
		Name: "a provider that is back is met by one, then more (K3)", File: "session/gate.go",
		Old: "\tg.mu.Lock()\n\tg.limit = 1\n\tg.mu.Unlock()\n", New: "",
		Package: "./session", Test: "TestReturn",
	},
	{
		Name: "callers are told to come again at different times (K3)", File: "session/gate.go",
		Old: "RetryAfter: after + rand.N(spread)", New: "RetryAfter: after + 0*rand.N(spread)",
		Package: "./session", Test: "TestWhatTrips",
	},
	{
		Name: "who gives up waiting leaves the queue", File: "session/gate.go",
		Old: "\tg.waiting.Remove(place)\n", New: "\t_ = place\n",
		Package: "./session", Test: "TestPatience",
	},
	{
		Name: "a probe asks something harmless first", File: "session/gate.go",
		Old: "careful || g.breaker.State() == gobreaker.StateHalfOpen", New: "careful",
		Package: "./session", Test: "TestReachBeforeProbe",
	},
	{
		Name: "Retry-After counts for the provider (R16)", File: "session/gate.go",
		Old: "\t\t\tg.hold(min(passing.RetryAfter, longestHold))\n", New: "",
		Package: "./session", Test: "TestRetryAfterOfTheProvider",
	},
	{
		Name: "a session that was replaced in the queue sends nothing", File: "session/renew.go",
		Old: "\tif s.ends.Load() != 0 {", New: "\tif false {",
		Package: "./session", Test: "TestOverWhileQueued",
	},
	{
		Name: "a session loaded anew while it ends, ends", File: "session/end.go",
		Old: "if heir := m.oust(s.key, reason); heir != nil {", New: "if heir := (*Session)(nil); heir != nil {",
		Package: "./session", Test: "TestHeirEndsToo",
	},
	{
		Name: "a logout token counts once, across restarts (I5)", File: "session/logout.go",
		Old: "b.Mark, b.MarkUntil = mark(", New: "b.MarkUntil = m.ours(l.IDUntil); _, _ = mark(",
		Package: "./session", Test: "TestLogoutTokenCountsOnce",
	},
	{
		Name: "a front-channel logout of nobody writes nothing", File: "session/logout.go",
		Old: "if known, err := m.anyUnder(ctx, b.Under); err != nil || !known {", New: "if known, err := m.anyUnder(ctx, b.Under); err != nil || !known && false {",
		Package: "./session", Test: "TestFrontchannelLogoutOfNobody",
	},
	{
		Name: "a logout that the store refuses ends what is in memory", File: "session/logout.go",
		Old: "if l.Reason == ReasonFrontchannel {\n\t\treturn\n", New: "if true {\n\t\treturn\n",
		Package: "./session", Test: "TestLogoutWithSickStore",
	},
	{
		Name: "the ticket of a login transaction is not judged", File: "session/end.go",
		Old: "\ts, err := m.hold(ctx, t, &by)\n", New: "\ts, err := m.Resume(ctx, t)\n",
		Package: "./session", Test: "TestReplacedByOlderIssue",
	},
}
