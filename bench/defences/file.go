package main

// file is what keeps the store file from lying.
var file = []defence{
	{
		Name: "a crowd shares commits", File: "session/bolt/writer.go",
		Old: "\t\truntime.Gosched()\n", New: "\t\t_ = runtime.Gosched\n",
		Package: "./session/bolt", Test: "TestCrowdSharesCommits",
	},
	{
		Name: "the mark follows the commits (J4)", File: "session/bolt/writer.go",
		Old: "s.marker.committed(uint64(id))", New: "_ = id",
		Package: "./session/bolt", Test: "TestMarkFollows",
	},
	{
		Name: "the mark is written every 5 s at most", File: "session/bolt/marker.go",
		Old: "pause := time.NewTimer(markEvery)", New: "pause := time.NewTimer(0)",
		Package: "./session/bolt", Test: "TestMarkFollows",
	},
	{
		Name: "the mark is right after a close", File: "session/bolt/marker.go",
		Old: "0\n\t}\n\tm.write()\n", New: "0\n\t}\n",
		Package: "./session/bolt", Test: "TestMarkFollows",
	},
	{
		Name: "a file behind its mark is noticed (J4, R13)", File: "session/bolt/mark.go",
		Old: "case marked.txid > p.txid:", New: "case false:",
		Package: "./session/bolt", Test: "TestRestored",
	},
	{
		Name: "a file of another store is noticed (J4)", File: "session/bolt/mark.go",
		Old: "case marked.id != p.id:", New: "case false:",
		Package: "./session/bolt", Test: "TestRestored",
	},
	{
		Name: "the mark is synced before it has its name", File: "session/bolt/mark.go",
		Old: "err = errors.Join(err, f.Sync(), f.Close())", New: "err = errors.Join(err, f.Close())",
		Package: "./session/bolt", Test: "TestPowerCut",
	},
	{
		Name: "a restored file loses its sessions (J4)", File: "session/bolt/layout.go",
		Old: "\tif restored {\n", New: "\tif restored && false {\n",
		Package: "./session/bolt", Test: "TestRestored",
	},
	{
		Name: "a new store has a mark before it opens", File: "session/bolt/layout.go",
		Old: "if err := s.mark(o, append(old, point{l.id, 0})...); err != nil {", New: "if err := error(nil); err != nil {",
		Package: "./session/bolt", Test: "TestNewStoreCrash",
	},
	{
		Name: "a store that is gone is told of (J4)", File: "session/bolt/layout.go",
		Old: "err != nil || len(old) == 0 {", New: "err != nil || true {",
		Package: "./session/bolt", Test: "TestGone",
	},
	{
		Name: "a crash while sessions are dropped drops the rest", File: "session/bolt/restored.go",
		Old: "}).drop(dropSize)", New: "}).drop(1 << 30)",
		Package: "./session/bolt", Test: "TestRestoredCrash",
	},
	{
		Name: "commits are synced (J10, experiment 13)", File: "session/bolt/open.go",
		Old: "FreelistType: bbolt.FreelistMapType,", New: "FreelistType: bbolt.FreelistMapType, NoSync: true,",
		Package: "./session/bolt", Test: "TestPowerCut",
	},
	{
		Name: "a crash in compact is no restoration", File: "session/bolt/draft.go",
		Old: "writeMark(path, append(old, d.at), os.OpenFile)", New: "writeMark(path, old, os.OpenFile)",
		Package: "./session/bolt", Test: "TestCompactCrash",
	},
	{
		Name: "a backup is another store (experiment 29)", File: "session/bolt/draft.go",
		Old: "return !bytes.Equal(k, keyID) && ", New: "return ",
		Package: "./session/bolt", Test: "TestBackupWhileWriting",
	},
	{
		Name: "a restored backup holds no session (experiment 29)", File: "session/bolt/restore.go",
		Old: "return !ofSessions(in) || keptOnDrop(in, k)", New: "return true",
		Package: "./session/bolt", Test: "TestRestore",
	},
	{
		Name: "the later of two fences counts (I8)", File: "session/bolt/bury.go",
		Old: "f.at, f.until = max(f.at, old.at), max(f.until, old.until)\n", New: "",
		Package: "./session/bolt", Test: "TestConformance",
	},
	{
		Name: "a logout keeps a sign-in under way out (I8)", File: "session/bolt/sessions.go",
		Old: "t.fenced(f.SubjectSince, subjects) || t.fenced(f.SIDSince, sids)", New: "t.fenced(f.SubjectSince, subjects) || t.fenced(f.SIDSince, sids[:0])",
		Package: "./session/bolt", Test: "TestConformance",
	},
	{
		Name: "a mark makes a burial happen once (I5)", File: "session/bolt/bury.go",
		Old: "if t.get(marksTable, b.Mark[:]) != nil {", New: "if false {",
		Package: "./session/bolt", Test: "TestConformance",
	},
	{
		Name: "a revocation is filed with the deletion (I2)", File: "session/bolt/sessions.go",
		Old: "return t.enqueue(r.ID, value)", New: "_ = value\n\t\treturn nil",
		Package: "./session/bolt", Test: "TestConformance",
	},
	{
		Name: "a sweep goes in portions (experiment 17)", File: "session/bolt/sweep.go",
		Old: "want, swept := min(sweepSize, limit-total), 0", New: "want, swept := limit-total, 0",
		Package: "./session/bolt", Test: "TestChurn",
	},
	{
		Name: "a backup holds up no growth", File: "session/bolt/mapped.go",
		Old: "options.InitialMmapSize = int(size + mapAhead)", New: "_ = size",
		Package: "./session/bolt", Test: "TestBackupWhileGrowing",
	},
	{
		Name: "a store opens without address space to spare", File: "session/bolt/mapped.go",
		Old: "if !errors.Is(err, syscall.ENOMEM) {", New: "if true || !errors.Is(err, syscall.ENOMEM) {",
		Package: "./session/bolt", Test: "TestNoAddressSpace",
	},
	{
		Name: "what a start does not look at is looked at later (experiment 12)", File: "session/bolt/bolt.go",
		Old: "s.patrol.begin(s)", New: "_ = s",
		Package: "./session/bolt", Test: "TestLeafDamagedAfterStop",
	},
	{
		Name: "branches are looked at by every start (experiment 12)", File: "session/bolt/check.go",
		Old: "c.checkTrees([]subtree{t}, false, branches)", New: "c.checkTrees([]subtree{t}, false, min(branches, 0))",
		Package: "./session/bolt", Test: "TestTreeDamagedAfterStop",
	},
	{
		Name: "a note of another transaction counts for nothing", File: "session/bolt/note.go",
		Old: "return p.txid == txid && slices", New: "return slices",
		Package: "./session/bolt", Test: "TestUncleanIsCheckedWhole",
	},
	{
		Name: "an open store is not noted as whole", File: "session/bolt/layout.go",
		Old: "\tcase noted:\n\t\treturn s.unnote(o, at)\n", New: "\tcase noted && false:\n",
		Package: "./session/bolt", Test: "TestUncleanIsCheckedWhole",
	},
	{
		Name: "a file that was written to is checked whole", File: "session/bolt/note.go",
		Old: "info.Size(), info.ModTime().UnixNano()", New: "0*info.Size(), 0*info.ModTime().UnixNano()",
		Package: "./session/bolt", Test: "TestUncleanIsCheckedWhole",
	},
	{
		Name: "a store that met damage is never noted as whole", File: "session/bolt/bolt.go",
		Old: "s.isDead() || s.harmed.Load() ||", New: "s.isDead() ||",
		Package: "./session/bolt", Test: "TestLeafDamagedAfterStop",
	},
	{
		Name: "a store whose last commit failed is not noted as whole", File: "session/bolt/bolt.go",
		Old: "s.health.get() != nil || s.file", New: "s.file",
		Package: "./session/bolt", Test: "TestUncleanIsCheckedWhole",
	},
	{
		Name: "a full disk keeps no store from opening", File: "session/bolt/layout.go",
		Old: "\t\treturn at, 0, nil\n", New: "\t\treturn at, 0, err\n",
		Package: "./session/bolt", Test: "TestNoteStaysOnFullDisk",
	},
	{
		Name: "a leaf has no pages of others", File: "session/bolt/patrol.go",
		Old: "; int(p.pages) != (need", New: "; false && int(p.pages) != (need",
		Package: "./session/bolt", Test: "TestLeafDamagedAfterStop",
	},
	{
		Name: "a busy processor keeps nobody from the disk", File: "session/bolt/writer.go",
		Old: "time.Since(began) > longestGather", New: "time.Since(began) > time.Hour+longestGather",
		Package: "./session/bolt", Test: "TestBusyProcessorHoldsNobody",
	},
	{
		Name: "a value that cannot be read is told", File: "session/bolt/tables.go",
		Old: "session.ErrMalformed, t.store.damaged(what))", New: "session.ErrMalformed, ErrDamaged)",
		Package: "./session/bolt", Test: "TestMalformedIsTold",
	},
	{
		Name: "a session that cannot be read is over (J10)", File: "session/store.go",
		Old: `fmt.Errorf("%w: its record is malformed", ErrNotFound)`, New: `fmt.Errorf("its record is malformed")`,
		Package: "./session", Test: "TestMalformedRecord",
	},
	{
		Name: "damage is found (experiment 12)", File: "session/bolt/verify.go",
		Old: "if v.damaged > 0 {", New: "if false {",
		Package: "./session/bolt", Test: "TestCheckFindings",
	},
}
