package main

// memory is the bound on sessions in memory, and what they take there: what leaves
// loses nothing.
var memory = []defence{
	{
		Name: "memory is bounded", File: "session/memory.go",
		Old: "		m.makeRoom(now)\n", New: "",
		Package: "./session", Test: "TestLeastRecentlyUsedLeave",
	},
	{
		Name: "the least recently used leave", File: "session/memory.go",
		Old: "cmp.Compare(a.used, b.used)", New: "cmp.Compare(b.used, a.used)",
		Package: "./session", Test: "TestLeastRecentlyUsedLeave",
	},
	{
		Name: "activity is written before its session leaves (E9)", File: "session/memory.go",
		Old: "fresh() || s.dirty.Load() ||", New: "fresh() ||",
		Package: "./session", Test: "TestUnwrittenActivityIsNeverDropped",
	},
	{
		Name: "who must leave is written soon", File: "session/memory.go",
		Old: "c.dirty.Load() && !c.urgent.Swap(true)", New: "false",
		Package: "./session", Test: "TestActivityIsWrittenBeforeLeaving",
	},
	{
		Name: "a renewal of unknown end stays in memory (R3)", File: "session/memory.go",
		Old: "s.flight != nil || pending ||", New: "s.flight != nil || pending && false ||",
		Package: "./session", Test: "TestNeededStayInMemory",
	},
	{
		Name: "a renewal under way stays in memory (D4)", File: "session/memory.go",
		Old: "s.flight != nil || pending ||", New: "pending && s.flight == nil ||",
		Package: "./session", Test: "TestNeededStayInMemory",
	},
	{
		Name: "what has a stream stays in memory (E12)", File: "session/memory.go",
		Old: "s.open() ||", New: "",
		Package: "./session", Test: "TestNeededStayInMemory",
	},
	{
		Name: "what is in use within a second stays", File: "session/memory.go",
		Old: "= time.Second      // and one unused", New: "= 0 * time.Second  // and one unused",
		Package: "./session", Test: "TestMoreInUseThanTheLimit",
	},
	{
		Name: "a head under way keeps its session in memory", File: "session/upkeep.go",
		Old: "		s.writing.Add(1)\n", New: "		s.writing.Add(0)\n",
		Package: "./session", Test: "TestHeadUnderWayStays",
	},
	{
		Name: "the end of a replaced session is not overtaken (B10)", File: "session/end.go",
		Old: "	s.writing.Add(1) // what is loaded before it is written would go on\n	defer s.writing.Add(-1)\n", New: "",
		Package: "./session", Test: "TestHeadUnderWayStays",
	},
	{
		Name: "what was read slowly is read again", File: "session/load.go",
		Old: "err == nil && m.now().Sub(began) >= restFor/2", New: "began.IsZero()",
		Package: "./session", Test: "TestSlowReadIsRepeated",
	},
	{
		Name: "activity on a session that left counts (E9)", File: "session/live.go",
		Old: "			successor.Touch()\n", New: "			_ = successor\n",
		Package: "./session", Test: "TestHeldSessionLeaves",
	},
	{
		Name: "a session that left writes nothing", File: "session/upkeep.go",
		Old: "		if s.gone() {\n			continue // its successor knows better\n		}\n", New: "",
		Package: "./session", Test: "TestGoneWritesNothing",
	},
	{
		Name: "a live session is small", File: "session/live.go",
		Old: "	s.settle()\n	return s\n", New: "	s.settle()\n	s.done.wait()\n	s.stream.wait()\n	return s\n",
		Package: "./session", Test: "TestMemoryOfLiveSession",
	},
	{
		Name: "a ticket's key is derived once", File: "session/ticket.go",
		Old: "func (t Ticket) Key() Key { return t.key }", New: "func (t Ticket) Key() Key { return newTicket(t.secret, 1).key }",
		Package: "./session", Test: "TestWarmAllocations",
	},
}
