package bolt_test

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// D12, I8: what the contract says of burials.
var burialRules = []rule{
	{"bury by key", testBuryKeys},
	{"bury by index", testBuryUnder},
	{"bury keeps tokens until the end", testBuriedTokens},
	{"nothing brings a buried session back", testBuriedStays},
	{"a mark that was used stops a burial", testBuryRepeated},
	{"one of many burials with a mark happens", testBuryRace},
	{"a fence keeps older sign-ins out", testFence},
	{"of several fences the later counts", testFencesMerge},
	{"fences are swept", testFenceSwept},
	{"zero index keys bury nothing", testBuryZero},
}

// burial is under index keys, at the start of the tests, for an hour.
func burial(under ...session.IndexKey) session.Burial {
	return session.Burial{Under: under, At: at(0), Until: at(time.Hour)}
}

func (f fixture) bury(b session.Burial, want ...int) {
	f.Helper()
	got, err := f.Bury(f.Context(), b)
	if err != nil {
		f.Errorf("Bury: %v", err)
	}
	f.wantKeys("Bury", got, want...)
}

func (f fixture) wantKeys(what string, got []session.Key, want ...int) {
	f.Helper()
	var keys []session.Key
	for _, i := range want {
		keys = append(keys, key(i))
	}
	slices.SortFunc(got, func(a, b session.Key) int { return bytes.Compare(a[:], b[:]) })
	if !slices.Equal(got, keys) {
		f.Errorf("%s = %d keys, want those of %v", what, len(got), want)
	}
}

func tombstone(i int) session.Record {
	r := record(i)
	r.Head = nil
	return r
}

func testBuryKeys(f fixture) {
	for i := range 4 {
		f.create(i, filing())
	}
	f.wantError("Delete", f.Delete(f.Context(), key(3), nil), nil)
	f.bury(session.Burial{Keys: []session.Key{key(0), key(2), key(2), key(3), key(9)}}, 0, 2)
	f.wantRecord(0, tombstone(0))
	f.wantRecord(1, record(1))
	f.wantRecord(2, tombstone(2))
	f.wantNone(3)
	f.wantNone(9)
	f.wantFound(index(1), 1)
	f.wantFound(index(2), 1)
	f.bury(session.Burial{Keys: []session.Key{key(0), key(2)}}) // over already
	f.bury(session.Burial{})

	f.create(4, filing()) // keys alone make no fence
	f.wantRecord(4, record(4))
}

func testBuryUnder(f fixture) {
	file := func(i int, subject, sid session.IndexKey) {
		f.create(i, session.Filing{Subject: subject, SID: sid, Expires: at(time.Hour), Until: at(time.Hour)})
	}
	file(1, index(1), index(2))
	file(2, index(1), index(3))
	file(3, index(4), index(5))
	file(4, index(6), index(7))
	file(5, index(8), index(8))
	f.bury(burial(index(2)), 1)
	f.wantFound(index(1), 2)
	f.bury(burial(index(1), index(5), index(9)), 2, 3)
	f.wantFound(index(1))
	f.wantFound(index(4))
	both := burial(index(8))
	both.Keys = []session.Key{key(4), key(5)}
	f.bury(both, 4, 5)
	for i := 1; i <= 5; i++ {
		f.wantRecord(i, tombstone(i))
	}
	f.bury(burial(index(1), index(8)))
}

func testBuriedTokens(f fixture) {
	f.create(1, filing())
	f.create(2, filing())
	f.bury(session.Burial{Keys: []session.Key{key(1)}}, 1)
	f.sweep(at(time.Hour), 10, 1) // key 2 alone: key 1 has no head to lose
	f.wantRecord(1, tombstone(1))
	f.sweep(at(8*time.Hour-time.Second), 10, 0)
	f.wantRecord(1, tombstone(1))
	f.sweep(at(8*time.Hour), 10, 2)
	f.wantNone(1)
	f.sweep(at(1000*time.Hour), 10, 0)
}

func testBuriedStays(f fixture) {
	f.create(1, filing())
	f.bury(session.Burial{Keys: []session.Key{key(1)}}, 1)
	f.wantError("UpdateHeads", f.UpdateHeads(f.Context(), []session.HeadUpdate{
		{Key: key(1), Head: []byte("back"), Expires: at(5 * time.Hour), Until: at(9 * time.Hour)}}), nil)
	f.wantError("SwapTokens", f.SwapTokens(f.Context(), key(1),
		session.TokensUpdate{From: 1, To: 2, Tokens: []byte("late")}), session.ErrNotFound)
	f.wantError("Create", f.Create(f.Context(), key(1), record(1), filing()), session.ErrConflict)
	f.wantRecord(1, tombstone(1))
	f.wantFound(index(1))
	f.wantError("Delete", f.Delete(f.Context(), key(1), nil), nil)
	f.wantNone(1)
	f.sweep(at(1000*time.Hour), 10, 0)
}

func testBuryRepeated(f fixture) {
	f.create(1, filing())
	first := burial(index(7))
	first.Mark, first.MarkUntil = [32]byte{1}, at(10*time.Minute)
	f.bury(first)

	again := burial(index(1))
	again.Keys, again.Mark, again.MarkUntil = []session.Key{key(1)}, first.Mark, at(time.Hour)
	keys, err := f.Bury(f.Context(), again)
	f.wantError("Bury with a used mark", err, session.ErrRepeated)
	f.wantKeys("Bury with a used mark", keys)
	f.wantRecord(1, record(1))
	f.wantFound(index(1), 1)
	f.create(2, filing()) // and there is no fence

	// MarkUsed and Bury share their marks, and the first time is what counts.
	fresh, err := f.MarkUsed(f.Context(), first.Mark, at(time.Hour))
	if fresh || err != nil {
		f.Errorf("MarkUsed of a burial's mark = %v, %v, want false", fresh, err)
	}
	f.sweep(at(10*time.Minute), 10, 1)
	again.Under = nil
	f.bury(again, 1)

	if _, err := f.MarkUsed(f.Context(), [32]byte{2}, at(time.Hour)); err != nil {
		f.Error(err)
	}
	again.Mark = [32]byte{2}
	_, err = f.Bury(f.Context(), again)
	f.wantError("Bury with a mark of MarkUsed", err, session.ErrRepeated)

	// Without a mark nothing is a repetition.
	f.bury(burial(index(7)))
	f.bury(burial(index(7)))
}

func testBuryRace(f fixture) {
	for i := range 20 {
		f.create(i, filing())
	}
	var happened, ended atomic.Int32
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			b := burial(index(1))
			b.Mark, b.MarkUntil = [32]byte{9}, at(time.Hour)
			keys, err := f.Bury(f.Context(), b)
			switch {
			case err == nil:
				happened.Add(1)
				ended.Add(int32(len(keys)))
			case !errors.Is(err, session.ErrRepeated):
				f.Errorf("Bury: %v, want ErrRepeated", err)
			}
		})
	}
	wg.Wait()
	if happened.Load() != 1 || ended.Load() != 20 {
		f.Errorf("%d burials happened and ended %d sessions, want 1 and 20", happened.Load(), ended.Load())
	}
}

// since is a filing whose sign-in began at one time for the subject and at
// another for the sid.
func since(subject, sid time.Duration) session.Filing {
	f := filing()
	f.SubjectSince, f.SIDSince = at(subject), at(sid)
	return f
}

func testFence(f fixture) {
	f.bury(session.Burial{Under: []session.IndexKey{index(1)}, At: at(time.Minute), Until: at(time.Hour)})
	tests := []struct {
		name   string
		filing session.Filing
		want   error
	}{
		{"before", since(0, 2*time.Minute), session.ErrSignedOut},
		{"just before", since(time.Minute-time.Millisecond, 2*time.Minute), session.ErrSignedOut},
		{"at the same moment", since(time.Minute, 2*time.Minute), session.ErrSignedOut},
		{"after", since(time.Minute+time.Millisecond, 0), nil}, // no fence under the sid
		{"never", session.Filing{Subject: index(1), Expires: at(time.Hour), Until: at(time.Hour)}, session.ErrSignedOut},
		{"as the sid", session.Filing{SID: index(1), Expires: at(time.Hour), Until: at(time.Hour)}, session.ErrSignedOut},
		{"under an older key", session.Filing{Subject: index(3), SubjectOlder: []session.IndexKey{index(4), index(1)}, Expires: at(time.Hour), Until: at(time.Hour)}, session.ErrSignedOut},
		{"under the sid's older key", session.Filing{Subject: index(3), SIDOlder: []session.IndexKey{index(1)}, Expires: at(time.Hour), Until: at(time.Hour)}, session.ErrSignedOut},
		{"another user", session.Filing{Subject: index(3), Expires: at(time.Hour), Until: at(time.Hour)}, nil},
		{"nobody in particular", session.Filing{Expires: at(time.Hour), Until: at(time.Hour)}, nil},
	}
	for i, tt := range tests {
		f.wantError("Create "+tt.name, f.Create(f.Context(), key(i), record(i), tt.filing), tt.want)
		if tt.want != nil {
			f.wantNone(i)
		} else {
			f.wantRecord(i, record(i))
		}
	}
	f.wantFound(index(1), 3)

	f.bury(session.Burial{Under: []session.IndexKey{index(2)}, At: at(time.Minute), Until: at(time.Hour)}, 3)
	f.wantError("Create with an older sid", f.Create(f.Context(), key(50), record(50), since(2*time.Minute, time.Minute)), session.ErrSignedOut)
	f.wantError("Create with newer ones", f.Create(f.Context(), key(50), record(50), since(2*time.Minute, 2*time.Minute)), nil)
}

func testFencesMerge(f fixture) {
	fence := func(at1, until time.Duration) {
		f.Helper()
		f.bury(session.Burial{Under: []session.IndexKey{index(1)}, At: at(at1), Until: at(until)})
	}
	fence(2*time.Minute, time.Hour)
	fence(time.Minute, 3*time.Hour) // an earlier one that lasts longer
	f.wantError("Create", f.Create(f.Context(), key(1), record(1), since(2*time.Minute, 0)), session.ErrSignedOut)
	f.sweep(at(3*time.Hour-time.Second), 10, 0)
	f.wantError("Create", f.Create(f.Context(), key(1), record(1), since(2*time.Minute, 0)), session.ErrSignedOut)
	fence(3*time.Minute, time.Minute) // a later one that is shorter
	f.wantError("Create", f.Create(f.Context(), key(1), record(1), since(3*time.Minute, 0)), session.ErrSignedOut)
	f.sweep(at(3*time.Hour-time.Second), 10, 0)
	f.wantError("Create", f.Create(f.Context(), key(1), record(1), since(3*time.Minute, 0)), session.ErrSignedOut)
	f.sweep(at(3*time.Hour), 10, 1)
	f.create(1, since(0, 0))
}

func testFenceSwept(f fixture) {
	f.bury(session.Burial{Under: []session.IndexKey{index(1), index(2)}, At: at(time.Minute), Until: at(time.Hour)})
	f.sweep(at(time.Hour-time.Second), 10, 0)
	f.wantError("Create", f.Create(f.Context(), key(1), record(1), since(0, 0)), session.ErrSignedOut)
	f.sweep(at(time.Hour), 10, 2)
	f.sweep(at(time.Hour), 10, 0)
	f.create(1, since(0, 0))
}

func testBuryZero(f fixture) {
	f.create(1, session.Filing{Subject: index(1), Expires: at(time.Hour), Until: at(time.Hour)})
	f.bury(burial(session.IndexKey{}))
	f.create(2, session.Filing{Subject: index(1), Expires: at(time.Hour), Until: at(time.Hour)})
	f.wantFound(index(1), 1, 2)
}
