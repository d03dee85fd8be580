package bolt_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

func testSweepStages(f fixture) {
	f.create(1, filing())
	f.sweep(at(time.Hour-time.Second), 10, 0)
	f.wantRecord(1, record(1))

	f.sweep(at(time.Hour), 10, 1)
	f.wantRecord(1, session.Record{Tokens: record(1).Tokens, Version: 1})
	f.wantFound(index(1))
	f.wantFound(index(2))

	f.sweep(at(8*time.Hour-time.Second), 10, 0)
	f.wantRecord(1, session.Record{Tokens: record(1).Tokens, Version: 1})
	f.sweep(at(8*time.Hour), 10, 1)
	f.wantNone(1)
	f.sweep(at(1000*time.Hour), 10, 0)
}

func testSweepEdge(f fixture) {
	both := filing()
	both.Until = both.Expires
	f.create(1, both)
	f.create(2, session.Filing{Expires: time.Unix(-10, 0), Until: time.Unix(5, 0)}) // long ago
	f.sweep(time.Unix(-11, 0), 10, 0)
	f.sweep(time.Unix(-10, 0), 10, 1)
	f.sweep(time.Unix(5, 0), 10, 1)
	f.wantNone(2)
	// An instant before the end is not the end.
	f.sweep(at(time.Hour-time.Nanosecond), 10, 0)
	f.wantRecord(1, record(1))
	// Both ends at once: nothing is left, however that is counted.
	n, err := f.Sweep(f.Context(), at(time.Hour), 10)
	if err != nil || n < 1 || n > 2 {
		f.Errorf("Sweep = %d, %v, want 1 or 2", n, err)
	}
	f.wantNone(1)
	f.sweep(at(0), 0, 0)
}

func testSweepPortions(f fixture) {
	const sessions = 40
	for i := range sessions { // the later created, the earlier to end
		end := at(time.Duration(sessions-i) * time.Minute)
		f.create(i, session.Filing{Subject: index(1), Expires: end, Until: at(100 * time.Hour)})
	}
	f.sweep(at(99*time.Hour), 10, 10)
	for i := range sessions {
		r, err := f.Load(f.Context(), key(i))
		if err != nil {
			f.Fatal(err)
		}
		if got, want := r.Live(), i < sessions-10; got != want {
			f.Errorf("session %d of %d is live: %v, want %v", i, sessions, got, want)
		}
	}
	f.sweep(at(99*time.Hour), 1000, 30)
	f.sweep(at(100*time.Hour), 1000, 40)
	f.sweep(at(100*time.Hour), 1000, 0)
}

func testSweepMoved(f fixture) {
	f.create(1, filing())
	f.create(2, filing())
	head := record(1).Head
	err := f.UpdateHeads(f.Context(), []session.HeadUpdate{
		{Key: key(1), Head: head, Expires: at(3 * time.Hour), Until: at(9 * time.Hour)},     // later
		{Key: key(2), Head: head, Expires: at(30 * time.Minute), Until: at(4 * time.Hour)},  // sooner
		{Key: key(1), Head: head, Expires: at(2 * time.Hour), Until: at(9 * time.Hour)},     // once more
		{Key: key(2), Head: head, Expires: at(30 * time.Minute), Until: at(10 * time.Hour)}, // once more
	})
	f.wantError("UpdateHeads", err, nil)
	f.sweep(at(time.Hour), 10, 1) // key 2; nothing is left of the first plan
	f.wantRecord(1, session.Record{Head: head, Tokens: record(1).Tokens, Version: 1})
	f.wantRecord(2, session.Record{Tokens: record(2).Tokens, Version: 1})
	f.sweep(at(2*time.Hour), 10, 1)
	f.wantRecord(1, session.Record{Tokens: record(1).Tokens, Version: 1})
	f.sweep(at(9*time.Hour), 10, 1)
	f.wantNone(1)
	f.sweep(at(10*time.Hour), 10, 1)
	f.wantNone(2)
}

func testMarks(f fixture) {
	use := func(mark byte, until time.Duration, want bool) {
		f.Helper()
		got, err := f.MarkUsed(f.Context(), [32]byte{mark}, at(until))
		if err != nil || got != want {
			f.Errorf("MarkUsed(%d) = %v, %v, want %v", mark, got, err, want)
		}
	}
	use(1, time.Minute, true)
	use(1, time.Minute, false)
	use(1, time.Hour, false)
	use(2, time.Minute+time.Millisecond, true)
	f.sweep(at(time.Minute-time.Second), 10, 0)
	use(1, time.Minute, false)
	f.sweep(at(time.Minute), 10, 1) // not mark 2: its minute is not quite over
	use(2, time.Minute, false)
	use(1, time.Minute, true)

	// A session of the same name is something else.
	f.create(1, filing())
	got, err := f.MarkUsed(f.Context(), [32]byte(key(1)), at(time.Hour))
	if err != nil || !got {
		f.Errorf("MarkUsed = %v, %v, want true", got, err)
	}
	f.wantRecord(1, record(1))
}

func testMarkRace(f fixture) {
	var fresh atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			ok, err := f.MarkUsed(f.Context(), [32]byte{7}, at(time.Hour))
			if err != nil {
				f.Errorf("MarkUsed: %v", err)
			}
			if ok {
				fresh.Add(1)
			}
		})
	}
	wg.Wait()
	if got := fresh.Load(); got != 1 {
		f.Errorf("%d callers were told true, want 1", got)
	}
}

func testSwapRace(f fixture) {
	f.create(1, filing())
	var won atomic.Int32
	var winner atomic.Value
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			tokens := fmt.Appendf(nil, "of %d", i)
			err := f.SwapTokens(f.Context(), key(1), session.TokensUpdate{From: 1, To: 2, Tokens: tokens})
			switch {
			case err == nil:
				won.Add(1)
				winner.Store(tokens)
			case !errors.Is(err, session.ErrConflict):
				f.Errorf("SwapTokens: %v, want ErrConflict", err)
			}
		})
	}
	wg.Wait()
	if got := won.Load(); got != 1 {
		f.Fatalf("%d swaps were told to have won, want 1", got)
	}
	f.wantRecord(1, session.Record{Head: record(1).Head, Tokens: winner.Load().([]byte), Version: 2})
}
