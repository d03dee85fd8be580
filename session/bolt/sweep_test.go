package bolt_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/cloakroom/cloakroom/session"
)

// The cost of a sweep is that of what has expired: it changes as many pages
// among thousands of sessions as among a few, and looks at no entry that is not
// due.
func TestSweepCost(t *testing.T) {
	few, many := sweepCost(t, 60), sweepCost(t, 6000)
	t.Logf("nodes: %d of 60 sessions, %d of 6000", few, many)
	if many > few+40 {
		t.Errorf("sweeping 10 sessions of 6000 took %d nodes, of 60 %d: want about the same", many, few)
	}
}

// sweepCost returns how many nodes of the tree a sweep of 10 sessions takes
// when so many others are live.
func sweepCost(t *testing.T, live int) int64 {
	path := filepath.Join(t.TempDir(), "sessions.db")
	f := fixture{t, openPath(t, path)}
	var wg sync.WaitGroup
	for i := range live {
		wg.Go(func() { f.create(i, filing()) })
	}
	for i := range 10 {
		wg.Go(func() { f.create(20_000+i, session.Filing{Expires: at(-time.Hour), Until: at(time.Hour)}) })
	}
	wg.Wait()
	f.wantError("Close", f.Close(), nil)

	// A malformed entry goes as soon as a sweep comes by. This one is last.
	last := []byte{0xFF}
	edit(t, path, func(tx *bbolt.Tx) error { return tx.Bucket([]byte("expiry")).Put(last, nil) })

	s := openPath(t, path)
	f.Store = s
	before := s.Stats().TxStats
	f.sweep(start, 100, 10)
	after := s.Stats().TxStats
	f.wantError("Close", f.Close(), nil)
	edit(t, path, func(tx *bbolt.Tx) error {
		if tx.Bucket([]byte("expiry")).Get(last) == nil {
			t.Error("the sweep came by the last entry, which is not due")
		}
		return nil
	})
	return after.GetNodeCount() - before.GetNodeCount()
}

// Moving the end of a session leaves nothing behind, however often.
func TestMovedEndsLeaveNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	f := fixture{t, openPath(t, path)}
	f.create(1, filing())
	for i := range 50 {
		end := at(time.Duration(i) * time.Minute)
		f.wantError("UpdateHeads", f.UpdateHeads(t.Context(), []session.HeadUpdate{
			{Key: key(1), Head: []byte("head"), Expires: end, Until: end.Add(time.Hour)}}), nil)
	}
	f.wantError("Close", f.Close(), nil)
	edit(t, path, func(tx *bbolt.Tx) error {
		if got := tx.Bucket([]byte("expiry")).Stats().KeyN; got != 2 {
			t.Errorf("%d entries in expiry, want 2", got)
		}
		return nil
	})

	f.Store = openPath(t, path)
	f.wantError("Delete", f.Delete(t.Context(), key(1), nil), nil)
	f.wantError("Close", f.Close(), nil)
	edit(t, path, func(tx *bbolt.Tx) error {
		for _, bucket := range []string{"sessions", "tokens", "index", "expiry", "marks"} {
			if got := tx.Bucket([]byte(bucket)).Stats().KeyN; got != 0 {
				t.Errorf("%d entries in %s after Delete, want none", got, bucket)
			}
		}
		return nil
	})
}
