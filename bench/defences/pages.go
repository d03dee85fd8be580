package main

// told is what pages are told of a session, and what routes demand of one.
var told = []defence{
	{
		Name: "those who watch hear of the end", File: "session/end.go",
		Old: "	s.tell()\n", New: "",
		Package: "./session", Test: "TestWatchEnds",
	},
	{
		Name: "what is watched ends in time though nobody asks", File: "session/streams.go",
		Old: " || s.audience != nil }", New: " }",
		Package: "./session", Test: "TestWatchIsNoActivity",
	},
	{
		Name: "those who watch hear that another session took its place", File: "session/end.go",
		Old: "	s.replaced()\n", New: "",
		Package: "./session", Test: "TestWatchChanges",
	},
	{
		Name: "watches are bounded for each session", File: "session/watch.go",
		Old: "most > 0 && len(s.audience.watches) >= most", New: "most > 1<<20",
		Package: "./web", Test: "TestEventsBounds",
	},
	{
		Name: "event streams are bounded in all", File: "web/events.go",
		Old: "s.most > 0 && s.open >= s.most", New: "s.most > 1<<20",
		Package: "./web", Test: "TestEventsBounds",
	},
	{
		Name: "event streams are for our own pages (F1)", File: "web/server.go",
		Old: `b.GET("/events", s.events, s.guarded)`, New: `b.GET("/events", s.events)`,
		Package: "./web", Test: "TestEventsBounds",
	},
	{
		Name: "a quiet stream has a heartbeat", File: "web/events.go",
		Old: "heartbeat  = 20 * time.Second", New: "heartbeat  = 25 * time.Second",
		Package: "./web", Test: "TestEventsHeartbeat",
	},
	{
		Name: "a stream that is merely quiet is not cut (HTTP/2)", File: "web/events.go",
		Old: "	_ = e.control.SetWriteDeadline(time.Time{})\n", New: "",
		Package: "./web", Test: "TestEventsHeartbeat",
	},
	{
		Name: "the user's return is told", File: "web/events.go",
		Old: `left > 0 && e.warned != "" || `, New: "",
		Package: "./web", Test: "TestEventsExpiring",
	},
	{
		Name: "a stop ends event streams", File: "web/unread.go",
		Old: "	s.streams.close()\n", New: "",
		Package: "./web", Test: "TestEventsStop",
	},
	{
		Name: "nobody ends another user's session (I12)", File: "session/devices.go",
		Old:     "	found, err := s.m.sessionsOf(ctx, s.who.Issuer, s.who.Subject)\n	if err != nil {\n		return &Unavailable{Err: fmt.Errorf(\"end device",
		New:     "	found, err := s.m.sessionsOf(ctx, s.who.Issuer, \"u-1001\")\n	if err != nil {\n		return &Unavailable{Err: fmt.Errorf(\"end device",
		Package: "./web", Test: "TestDevices",
	},
	{
		Name: "ending others leaves the current session", File: "session/devices.go",
		Old: "if k == s.key {", New: "if false {",
		Package: "./session", Test: "TestEndDevices",
	},
	{
		Name: "ending others needs a recent authentication (ASVS 7.5.2)", File: "web/devices.go",
		Old: "d := session.Demand{MaxAge: s.RecentAuth}", New: "d := session.Demand{MaxAge: 99 * s.RecentAuth}",
		Package: "./web", Test: "TestDevicesRecentAuth",
	},
	{
		Name: "a label is no markup", File: "web/devices.go",
		Old: "case !plainName(ua.Name):", New: `case ua.Name == "":`,
		Package: "./web", Test: "TestDevices",
	},
	{
		Name: "a route's demands are held against the session (C11)", File: "web/proxied.go",
		Old: "if err := d.Check(current); err != nil {", New: "if err := d.Check(current); err != nil && false {",
		Package: "./web", Test: "TestRouteStepUp",
	},
	{
		Name: "an unknown time of authentication is not recent", File: "session/demand.go",
		Old: "c.AuthTime.IsZero() || ", New: "!c.AuthTime.IsZero() && ",
		Package: "./session", Test: "TestDemandAge",
	},
	{
		Name: "the step-up is asked of the session's provider", File: "web/errors.go",
		Old: `add("provider", step.Provider)`, New: `add("provider", "")`,
		Package: "./web", Test: "TestStepUpProvider",
	},
	{
		Name: "a rule's claim is not shown to the app", File: "web/user.go",
		Old: "p == nil || !p.Shown(name)", New: "p == nil",
		Package: "./web", Test: "TestRouteRequire",
	},
	{
		Name: "a list within a list has no items", File: "session/demand.go",
		Old: `strings.IndexByte("{[n", item[0])`, New: `strings.IndexByte("{n", item[0])`,
		Package: "./session", Test: "TestRules",
	},
}
