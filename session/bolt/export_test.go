package bolt

import (
	"context"
	"fmt"
	"io"

	"go.etcd.io/bbolt"
)

// BatchSize is what one transaction carries at most.
const BatchSize = batchSize

// Do has the writer call fn like any change; fn's change is a write of meta if
// write is set.
func (s *Store) Do(ctx context.Context, write bool, fn func() error) error {
	return s.change(ctx, func(t *tables) error {
		if write {
			if err := t.put(metaTable, []byte("test"), nil); err != nil {
				return err
			}
		}
		return fn()
	})
}

// Stats returns bbolt's counters.
func (s *Store) Stats() bbolt.Stats { return s.db.Stats() }

// Commits returns the number of the last transaction.
func (s *Store) Commits() int {
	var id int
	_ = s.db.View(func(tx *bbolt.Tx) error { id = tx.ID(); return nil })
	return id
}

// DropSize is what one transaction removes of a restored file at most, from
// each table.
const DropSize = dropSize

// WithStep returns o with fn called before each step of Open that a crash could
// come before. An error ends Open there.
func (o Options) WithStep(fn func(step string) error) Options {
	o.step = fn
	return o
}

// Point returns what a mark would say of the store now.
func (s *Store) Point() string {
	return fmt.Sprintf("%x:%d", s.marker.id, s.Commits())
}

// CompactBy and RestoreBy are Compact and Restore with a step before which they
// may be stopped.
func CompactBy(path string, step func(string) error) error {
	_, err := compact(path, step)
	return err
}

func RestoreBy(backup, path string, step func(string) error) error {
	_, err := restore(backup, path, step)
	return err
}

// Due returns an entry of the expiry bucket.
func Due(at int64, what byte, key [32]byte) []byte { return due{at, kind(what), key}.encode() }

// SweepSize is how much of a sweep goes into one transaction.
const SweepSize = sweepSize

// CheckPages is what Open does before it trusts a file.
func CheckPages(file io.ReaderAt, size int64, pageSize int) error {
	_, _, err := check(file, size, pageSize, func(uint64) bool { return false })
	return err
}

// LookAround is what the patrol does.
func (s *Store) LookAround(ctx context.Context) error { return s.lookAround(ctx) }

// Patrolled waits for the end of the patrol that Open began.
func (s *Store) Patrolled() { s.patrol.done.Wait() }

// Ail makes the last commit one that failed.
func (s *Store) Ail(err error) { s.health.set(err) }
