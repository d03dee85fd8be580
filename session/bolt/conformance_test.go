package bolt_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// fixture is a store under test and what the steps of a test have in common.
type fixture struct {
	*testing.T
	session.Store
}

// rule is a part of the contract, and its test.
type rule struct {
	name string
	test func(f fixture)
}

// testStore tests every sentence of the contract of [session.Store] that needs
// no look behind it. Each test gets a store of its own from open.
func testStore(t *testing.T, open func(t *testing.T) session.Store) {
	rules := []rule{
		{"create and load", testCreate},
		{"slices are not shared", testSlices},
		{"update heads", testUpdateHeads},
		{"file anew", testRefile},
		{"update of what has ended", testUpdateEnded},
		{"swap tokens", testSwap},
		{"swap of what has ended", testSwapEnded},
		{"one of many swaps wins", testSwapRace},
		{"delete", testDelete},
		{"find", testFind},
		{"sweep makes tombstones, then nothing", testSweepStages},
		{"sweep at the edge", testSweepEdge},
		{"sweep in portions, oldest first", testSweepPortions},
		{"sweep follows moved ends", testSweepMoved},
		{"marks", testMarks},
		{"one of many marks is new", testMarkRace},
		{"ended contexts", testContext},
		{"close", testClose},
	}
	for _, tt := range slices.Concat(rules, burialRules, queueRules, scanRules) {
		t.Run(tt.name, func(t *testing.T) { tt.test(fixture{t, open(t)}) })
	}
}

func at(d time.Duration) time.Time { return start.Add(d) }

func key(i int) session.Key { return session.Key{byte(i >> 8), byte(i), 0xAA} }

func index(i int) session.IndexKey { return session.IndexKey{31: byte(i)} }

func record(i int) session.Record {
	return session.Record{Head: fmt.Appendf(nil, "head %d", i), Tokens: fmt.Appendf(nil, "tokens %d", i), Version: 1}
}

// filing ends after one hour and is gone after eight.
func filing() session.Filing {
	return session.Filing{Subject: index(1), SID: index(2), Expires: at(time.Hour), Until: at(8 * time.Hour)}
}

func (f fixture) create(i int, filing session.Filing) {
	f.Helper()
	if err := f.Create(f.Context(), key(i), record(i), filing); err != nil {
		f.Fatalf("Create(%d): %v", i, err)
	}
}

func (f fixture) sweep(now time.Time, limit, want int) {
	f.Helper()
	got, err := f.Sweep(f.Context(), now, limit)
	if err != nil || got != want {
		f.Errorf("Sweep = %d, %v, want %d", got, err, want)
	}
}

func (f fixture) wantRecord(i int, want session.Record) {
	f.Helper()
	got, err := f.Load(f.Context(), key(i))
	if err != nil {
		f.Errorf("Load(%d): %v", i, err)
		return
	}
	if !same(got, want) {
		f.Errorf("Load(%d) = %q %q %d, want %q %q %d", i,
			got.Head, got.Tokens, got.Version, want.Head, want.Tokens, want.Version)
	}
}

func same(a, b session.Record) bool {
	return bytes.Equal(a.Head, b.Head) && bytes.Equal(a.Tokens, b.Tokens) && a.Version == b.Version
}

func (f fixture) wantNone(i int) {
	f.Helper()
	if _, err := f.Load(f.Context(), key(i)); !errors.Is(err, session.ErrNotFound) {
		f.Errorf("Load(%d): %v, want ErrNotFound", i, err)
	}
}

func (f fixture) wantFound(ix session.IndexKey, want ...int) {
	f.Helper()
	got, err := f.Find(f.Context(), ix)
	if err != nil {
		f.Errorf("Find: %v", err)
	}
	var keys []session.Key
	for _, i := range want {
		keys = append(keys, key(i))
	}
	slices.SortFunc(got, func(a, b session.Key) int { return bytes.Compare(a[:], b[:]) })
	if !slices.Equal(got, keys) {
		f.Errorf("Find = %d keys, want those of %v", len(got), want)
	}
}

func (f fixture) wantError(what string, got, want error) {
	f.Helper()
	if !errors.Is(got, want) {
		f.Errorf("%s: %v, want %v", what, got, want)
	}
}

func testCreate(f fixture) {
	f.wantNone(1)
	f.create(1, filing())
	f.create(2, filing())
	f.wantRecord(1, record(1))
	f.wantRecord(2, record(2))

	f.wantError("Create again", f.Create(f.Context(), key(1), record(3), filing()), session.ErrConflict)
	f.wantRecord(1, record(1))

	f.sweep(at(time.Hour), 10, 2)
	f.wantError("Create over a tombstone", f.Create(f.Context(), key(1), record(3), filing()), session.ErrConflict)
	f.wantRecord(1, session.Record{Tokens: record(1).Tokens, Version: 1})

	// Past its time, but not swept: Load still has it.
	late := filing()
	late.Expires, late.Until = at(-2*time.Hour), at(-time.Hour)
	f.create(3, late)
	f.wantRecord(3, record(3))
}

func testSlices(f fixture) {
	for i := range 50 { // a store with little in it may copy anyway
		f.create(100+i, filing())
	}
	r := record(1)
	if err := f.Create(f.Context(), key(1), r, filing()); err != nil {
		f.Fatal(err)
	}
	clear(r.Head)
	clear(r.Tokens)
	f.wantRecord(1, record(1))

	got, err := f.Load(f.Context(), key(1))
	if err != nil {
		f.Fatal(err)
	}
	clear(got.Head)
	clear(got.Tokens)
	f.wantRecord(1, record(1))
}

func testUpdateHeads(f fixture) {
	f.create(1, filing())
	f.create(2, filing())
	f.create(3, filing())
	err := f.UpdateHeads(f.Context(), []session.HeadUpdate{
		{Key: key(1), Head: []byte("new 1"), Expires: at(2 * time.Hour), Until: at(8 * time.Hour)},
		{Key: key(9), Head: []byte("never"), Expires: at(2 * time.Hour), Until: at(8 * time.Hour)},
		{Key: key(2), Head: []byte("new 2"), Expires: at(3 * time.Hour), Until: at(8 * time.Hour)},
	})
	f.wantError("UpdateHeads", err, nil)
	f.wantRecord(1, session.Record{Head: []byte("new 1"), Tokens: record(1).Tokens, Version: 1})
	f.wantRecord(2, session.Record{Head: []byte("new 2"), Tokens: record(2).Tokens, Version: 1})
	f.wantRecord(3, record(3))
	f.wantNone(9)
	f.wantFound(index(1), 1, 2, 3)
	f.wantFound(index(2), 1, 2, 3)
	f.wantError("UpdateHeads of none", f.UpdateHeads(f.Context(), nil), nil)
}

// J5: with its head a session is filed anew: found there, and nowhere else any
// more, by whoever looks for it and by whoever buries it.
func testRefile(f fixture) {
	f.create(1, session.Filing{Subject: index(1), SID: index(2), Expires: at(time.Hour), Until: at(8 * time.Hour)})
	f.create(2, session.Filing{Subject: index(1), Expires: at(time.Hour), Until: at(8 * time.Hour)})
	update := func(n int, subject, sid session.IndexKey) {
		f.wantError("UpdateHeads", f.UpdateHeads(f.Context(), []session.HeadUpdate{
			{Key: key(n), Head: []byte("new"), Expires: at(time.Hour), Until: at(8 * time.Hour), Subject: subject, SID: sid},
		}), nil)
	}
	for range 2 { // the second time changes nothing
		update(1, index(3), index(4))
		f.wantFound(index(1), 2)
		f.wantFound(index(2))
		f.wantFound(index(3), 1)
		f.wantFound(index(4), 1)
	}
	update(1, session.IndexKey{}, session.IndexKey{})
	f.wantFound(index(3), 1)
	f.wantFound(index(4), 1)
	update(1, index(3), index(5))
	f.wantFound(index(3), 1)
	f.wantFound(index(4))
	buried, err := f.Bury(f.Context(), session.Burial{Under: []session.IndexKey{index(1), index(4), index(5)}, At: at(0), Until: at(time.Hour)})
	f.wantError("Bury", err, nil)
	if len(buried) != 2 {
		f.Errorf("buried: got %d, want 2", len(buried))
	}
	update(1, index(6), index(7)) // it is over
	f.wantFound(index(6))
	f.wantFound(index(7))
	f.sweep(at(8*time.Hour), 10, 5) // two tombstones, three fences
	f.wantNone(1)
}

func testUpdateEnded(f fixture) {
	f.create(1, filing())
	f.create(2, filing())
	f.wantError("Delete", f.Delete(f.Context(), key(2), nil), nil)
	f.sweep(at(time.Hour), 10, 1)
	err := f.UpdateHeads(f.Context(), []session.HeadUpdate{
		{Key: key(1), Head: []byte("back"), Expires: at(5 * time.Hour), Until: at(9 * time.Hour)},
		{Key: key(2), Head: []byte("back"), Expires: at(5 * time.Hour), Until: at(9 * time.Hour)},
	})
	f.wantError("UpdateHeads", err, nil)
	f.wantRecord(1, session.Record{Tokens: record(1).Tokens, Version: 1})
	f.wantNone(2)
	f.wantFound(index(1))
	f.sweep(at(8*time.Hour), 10, 1)
	f.wantNone(1)
}

func testSwap(f fixture) {
	f.create(1, filing())
	swap := func(from, to uint64) error {
		return f.SwapTokens(f.Context(), key(1), session.TokensUpdate{From: from, To: to, Tokens: fmt.Appendf(nil, "v%d", to)})
	}
	f.wantError("SwapTokens of an unknown key", f.SwapTokens(f.Context(), key(9), session.TokensUpdate{From: 1, To: 2}), session.ErrNotFound)
	f.wantError("SwapTokens of a later version", swap(2, 3), session.ErrConflict)
	f.wantRecord(1, record(1))
	f.wantError("SwapTokens", swap(1, 2), nil)
	f.wantError("SwapTokens of an earlier version", swap(1, 3), session.ErrConflict)
	f.wantRecord(1, session.Record{Head: record(1).Head, Tokens: []byte("v2"), Version: 2})
	f.wantError("SwapTokens over a gap", swap(2, 7), nil)
	f.wantRecord(1, session.Record{Head: record(1).Head, Tokens: []byte("v7"), Version: 7})
}

func testSwapEnded(f fixture) {
	f.create(1, filing())
	f.sweep(at(time.Hour), 10, 1)
	err := f.SwapTokens(f.Context(), key(1), session.TokensUpdate{From: 1, To: 2, Tokens: []byte("late")})
	f.wantError("SwapTokens of a tombstone", err, session.ErrNotFound)
	f.wantRecord(1, session.Record{Tokens: record(1).Tokens, Version: 1})
}

func testDelete(f fixture) {
	f.create(1, filing())
	f.create(2, filing())
	f.wantError("Delete", f.Delete(f.Context(), key(1), nil), nil)
	f.wantError("Delete again", f.Delete(f.Context(), key(1), nil), nil)
	f.wantError("Delete of an unknown key", f.Delete(f.Context(), key(9), nil), nil)
	f.wantNone(1)
	f.wantFound(index(1), 2)
	f.wantRecord(2, record(2))

	f.sweep(at(time.Hour), 10, 1) // key 2 alone
	f.wantError("Delete of a tombstone", f.Delete(f.Context(), key(2), nil), nil)
	f.wantNone(2)
	f.sweep(at(100*time.Hour), 10, 0)

	f.create(1, filing()) // the key is free again
	f.wantRecord(1, record(1))
}

func testFind(f fixture) {
	f.create(1, session.Filing{Subject: index(1), SID: index(2), Expires: at(time.Hour), Until: at(time.Hour)})
	f.create(2, session.Filing{Subject: index(1), SID: index(3), Expires: at(time.Hour), Until: at(time.Hour)})
	f.create(3, session.Filing{Subject: index(1), Expires: at(2 * time.Hour), Until: at(2 * time.Hour)})
	f.create(4, session.Filing{Subject: index(4), SID: index(4), Expires: at(2 * time.Hour), Until: at(2 * time.Hour)})
	f.create(5, session.Filing{Expires: at(2 * time.Hour), Until: at(2 * time.Hour)})

	f.wantFound(index(1), 1, 2, 3)
	f.wantFound(index(2), 1)
	f.wantFound(index(3), 2)
	f.wantFound(index(4), 4)
	f.wantFound(index(9))
	f.wantFound(session.IndexKey{}) // zero indexes nothing

	f.sweep(at(time.Hour), 2, 2) // both still have something left to sweep
	f.sweep(at(time.Hour), 10, 2)
	f.wantFound(index(1), 3)
	f.wantFound(index(2))
}

func testContext(f fixture) {
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	f.create(1, filing())
	f.wantError("Create", f.Create(ctx, key(2), record(2), filing()), context.Canceled)
	f.wantError("Delete", f.Delete(ctx, key(1), nil), context.Canceled)
	f.wantError("SwapTokens", f.SwapTokens(ctx, key(1), session.TokensUpdate{From: 1, To: 2}), context.Canceled)
	_, err := f.MarkUsed(ctx, [32]byte{1}, at(0))
	f.wantError("MarkUsed", err, context.Canceled)
	_, err = f.Load(ctx, key(1))
	f.wantError("Load", err, context.Canceled)
	f.wantRecord(1, record(1))
	f.wantNone(2)
}

func testClose(f fixture) {
	f.wantError("Ping", f.Ping(f.Context()), nil)
	f.create(1, filing())
	f.wantError("Close", f.Close(), nil)
	f.wantError("Close again", f.Close(), nil)
	if err := f.Ping(f.Context()); err == nil {
		f.Error("Ping after Close: nil, want an error")
	}
	if err := f.Create(f.Context(), key(2), record(2), filing()); err == nil {
		f.Error("Create after Close: nil, want an error")
	}
	if _, err := f.Load(f.Context(), key(1)); err == nil || errors.Is(err, session.ErrNotFound) {
		f.Errorf("Load after Close: %v, want an error other than ErrNotFound", err)
	}
}
