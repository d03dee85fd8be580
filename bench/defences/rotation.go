package main

// rotation is what tells the holders of one ticket apart.
var rotation = []defence{
	{
		Name: "a thief and an owner do not walk in step (E10)", File: "session/lineage.go",
		Old: "n < l.confirmed || n <= l.void", New: "n < l.confirmed",
		Package: "./session", Test: "TestThiefInStep",
	},
	{
		Name: "what is retired is served for half a minute, once", File: "session/lineage.go",
		Old: "if n >= l.before && now", New: "if now",
		Package: "./session", Test: "TestThiefInGrace",
	},
	{
		Name: "an issue under way to the browser is not retired", File: "session/lineage.go",
		Old: "rival := now-i.made < youngFor.Milliseconds() && slices.Contains(trunk, i.parent)", New: "rival := false",
		Package: "./session", Test: "TestConfirmKeeps",
	},
	{
		Name: "who takes all new issues does not keep the other at the old one", File: "session/lineage.go",
		Old: "case n == l.confirmed && len(l.open) >= maxOpen:", New: "case false:",
		Package: "./session", Test: "TestThiefTakesAll",
	},
	{
		Name: "an issue is confirmed when it is on disk for sure", File: "session/lineage.go",
		Old: "confirmAfter = 60 *", New: "confirmAfter = 59 *",
		Package: "./session", Test: "TestRotationThresholds",
	},
	{
		Name: "a confirmation is written", File: "session/issue.go",
		Old: "if v == proving {", New: "if false && v == proving {",
		Package: "./session", Test: "TestRotationThresholds",
	},
	{
		Name: "one new issue, however many answers (E10)", File: "session/issue.go",
		Old: "if !s.lineage.due(t.issue, now, s.m.limits.RotateEvery) {", New: "if false {",
		Package: "./session", Test: "TestReissueLooksAgain",
	},
}
