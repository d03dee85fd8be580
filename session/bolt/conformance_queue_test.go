package bolt_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// I2: what the contract says of revocations.
var queueRules = []rule{
	{"revocations, earliest first", testRevocations},
	{"a revocation replaces the one with its ID", testRevocationReplaced},
	{"drop a revocation", testRevocationDropped},
	{"delete with a revocation", testDeleteRevocation},
	{"revocations are not shared", testRevocationSlices},
}

var scanRules = []rule{
	{"scan in portions", testScan},
	{"scan finds tombstones", testScanTombstones},
}

// revocation is due so long after the start.
func revocation(i int, due time.Duration) session.Revocation {
	return session.Revocation{ID: [16]byte{byte(i), 0xBB}, Due: at(due), Sealed: fmt.Appendf(nil, "token %d", i)}
}

func (f fixture) put(r session.Revocation) {
	f.Helper()
	f.wantError("PutRevocation", f.PutRevocation(f.Context(), r), nil)
}

func (f fixture) wantRevocations(now time.Time, limit int, want ...session.Revocation) {
	f.Helper()
	got, err := f.Revocations(f.Context(), now, limit)
	if err != nil {
		f.Errorf("Revocations: %v", err)
	}
	same := slices.EqualFunc(got, want, func(a, b session.Revocation) bool {
		return a.ID == b.ID && a.Due.Equal(b.Due) && bytes.Equal(a.Sealed, b.Sealed)
	})
	if !same {
		f.Errorf("Revocations = %v, want %v", got, want)
	}
}

func testRevocations(f fixture) {
	f.wantRevocations(at(time.Hour), 10)
	early, late, later := revocation(9, time.Minute), revocation(1, 2*time.Minute), revocation(5, 2*time.Minute+time.Millisecond)
	long := session.Revocation{ID: [16]byte{3}, Due: time.Unix(-5, 0), Sealed: nil} // long ago, and empty
	for _, r := range []session.Revocation{later, late, early, long} {
		f.put(r)
	}
	f.wantRevocations(at(time.Hour), 10, long, early, late, later)
	f.wantRevocations(at(time.Hour), 2, long, early)
	f.wantRevocations(at(time.Hour), 0)
	f.wantRevocations(at(2*time.Minute), 10, long, early, late) // at the moment itself it is due
	f.wantRevocations(at(2*time.Minute-time.Millisecond), 10, long, early)
	f.wantRevocations(time.Unix(-6, 0), 10)
	f.wantRevocations(at(time.Hour), 10, long, early, late, later) // reading takes nothing away
	f.sweep(at(1000*time.Hour), 10, 0)                             // nor does sweeping
	f.wantRevocations(at(time.Hour), 10, long, early, late, later)
}

func testRevocationReplaced(f fixture) {
	other := revocation(2, 30*time.Minute)
	f.put(revocation(1, time.Minute))
	f.put(other)
	again := revocation(1, time.Hour)
	again.Sealed = []byte("another token")
	f.put(again)
	f.wantRevocations(at(30*time.Minute), 10, other) // nothing is left of the old time
	f.wantRevocations(at(time.Hour), 10, other, again)
	f.put(revocation(1, time.Second)) // and back
	f.wantRevocations(at(time.Hour), 10, revocation(1, time.Second), other)
	f.put(revocation(1, time.Second)) // the same once more
	f.wantRevocations(at(time.Hour), 10, revocation(1, time.Second), other)
}

func testRevocationDropped(f fixture) {
	f.put(revocation(1, 0))
	f.put(revocation(2, 0))
	f.wantError("DropRevocation", f.DropRevocation(f.Context(), revocation(1, 0).ID), nil)
	f.wantError("DropRevocation again", f.DropRevocation(f.Context(), revocation(1, 0).ID), nil)
	f.wantError("DropRevocation of an unknown one", f.DropRevocation(f.Context(), [16]byte{99}), nil)
	f.wantRevocations(at(time.Hour), 10, revocation(2, 0))
	f.put(revocation(1, time.Minute))
	f.wantRevocations(at(time.Hour), 10, revocation(2, 0), revocation(1, time.Minute))
}

func testDeleteRevocation(f fixture) {
	f.create(1, filing())
	first, second := revocation(1, 0), revocation(2, 0)
	f.wantError("Delete", f.Delete(f.Context(), key(1), &first), nil)
	f.wantNone(1)
	f.wantFound(index(1))
	f.wantRevocations(at(0), 10, first)
	f.wantError("Delete of an unknown key", f.Delete(f.Context(), key(7), &second), nil)
	f.wantRevocations(at(0), 10, first, second)

	moved := revocation(1, time.Minute)
	f.create(1, filing())
	f.wantError("Delete", f.Delete(f.Context(), key(1), &moved), nil)
	f.wantRevocations(at(0), 10, second)
	f.wantRevocations(at(time.Minute), 10, second, moved)
}

func testRevocationSlices(f fixture) {
	for i := range 50 {
		f.put(revocation(100+i, time.Hour))
	}
	r := revocation(1, 0)
	f.put(r)
	clear(r.Sealed)
	f.wantRevocations(at(0), 10, revocation(1, 0))
	got, err := f.Revocations(f.Context(), at(0), 10)
	if err != nil || len(got) != 1 {
		f.Fatalf("Revocations = %d, %v, want 1", len(got), err)
	}
	clear(got[0].Sealed)
	f.wantRevocations(at(0), 10, revocation(1, 0))
}

// scan reads everything in portions of the given size.
func (f fixture) scan(limit int) []session.Entry {
	f.Helper()
	var all []session.Entry
	var after session.Key
	for {
		some, err := f.Scan(f.Context(), after, limit)
		if err != nil {
			f.Fatalf("Scan: %v", err)
		}
		all = append(all, some...)
		if len(some) > limit {
			f.Errorf("Scan = %d entries, want at most %d", len(some), limit)
		}
		if len(some) < limit {
			return all
		}
		if last := some[len(some)-1].Key; byBytes(last, after) <= 0 {
			f.Fatalf("Scan after %s ends with %s", after.Ref(), last.Ref())
		}
		after = some[len(some)-1].Key
	}
}

func (f fixture) wantScan(got []session.Entry, want ...session.Entry) {
	f.Helper()
	if !slices.EqualFunc(got, want, func(a, b session.Entry) bool { return a.Key == b.Key && same(a.Record, b.Record) }) {
		f.Errorf("Scan = %v, want %v", got, want)
	}
}

func testScan(f fixture) {
	f.wantScan(f.scan(10))
	var want []session.Entry
	for i := range 25 {
		j := (i*7 + 3) % 25 // in another order than that of the keys
		f.create(j, filing())
		want = append(want, session.Entry{Key: key(i), Record: record(i)})
	}
	for _, limit := range []int{1, 7, 25, 26, 1000} {
		f.wantScan(f.scan(limit), want...)
	}
	got, err := f.Scan(f.Context(), key(9), 3)
	f.wantError("Scan", err, nil)
	f.wantScan(got, want[10:13]...)
	between := key(9)
	binary.BigEndian.PutUint64(between[8:], 1) // a key that is not there
	got, err = f.Scan(f.Context(), between, 3)
	f.wantError("Scan", err, nil)
	f.wantScan(got, want[10:13]...)
	got, err = f.Scan(f.Context(), key(24), 3)
	f.wantError("Scan", err, nil)
	f.wantScan(got)
	clear(f.scan(1)[0].Tokens)
	f.wantRecord(0, record(0)) // what is returned is the caller's
}

func testScanTombstones(f fixture) {
	f.create(1, filing())
	f.create(2, filing())
	f.create(3, filing())
	f.bury(session.Burial{Keys: []session.Key{key(2)}}, 2)
	f.wantError("Delete", f.Delete(f.Context(), key(3), nil), nil)
	f.wantScan(f.scan(10), session.Entry{Key: key(1), Record: record(1)}, session.Entry{Key: key(2), Record: tombstone(2)})
}
