package bolt

import (
	"context"
	"fmt"
	"runtime/debug"

	"go.etcd.io/bbolt"
)

// The buckets, all at the root.
var (
	bucketMeta     = []byte("meta")
	bucketSessions = []byte("sessions")
	bucketTokens   = []byte("tokens")
	bucketIndex    = []byte("index")
	bucketExpiry   = []byte("expiry")
	bucketMarks    = []byte("marks")

	buckets = [][]byte{bucketMeta, bucketSessions, bucketTokens, bucketIndex, bucketExpiry, bucketMarks}
)

// tables are the buckets as one transaction sees them. What is read from them
// dies with it: decode and copy before it ends.
type tables struct {
	tx    *bbolt.Tx
	path  string
	dirty bool // whether there is anything to commit

	meta, sessions, tokens, index, expiry, marks *bbolt.Bucket
}

func (s *Store) tables(tx *bbolt.Tx) (*tables, error) {
	found := make([]*bbolt.Bucket, len(buckets))
	for i, name := range buckets {
		if found[i] = tx.Bucket(name); found[i] == nil {
			return nil, s.damaged(fmt.Sprintf("bucket %s is missing", name))
		}
	}
	return &tables{
		tx: tx, path: s.path,
		meta: found[0], sessions: found[1], tokens: found[2],
		index: found[3], expiry: found[4], marks: found[5],
	}, nil
}

func (t *tables) put(b *bbolt.Bucket, key, value []byte) error {
	t.dirty = true
	return b.Put(key, value)
}

func (t *tables) remove(b *bbolt.Bucket, key []byte) error {
	t.dirty = true
	return b.Delete(key)
}

// malformed is the error for a value that cannot be read.
func (t *tables) malformed(what string) error {
	return fmt.Errorf("%q: %w (%s)", t.path, ErrDamaged, what)
}

// view runs fn in a read transaction. It runs on a goroutine of its own,
// because damage that strikes elsewhere can leave this transaction waiting for
// ever to end: the caller must not. So fn's results count only if view returns
// nil.
func (s *Store) view(ctx context.Context, fn func(*tables) error) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.isDead() {
		return s.cause
	}

	done := make(chan error, 1)
	go func() {
		debug.SetPanicOnFault(true)
		done <- s.look(fn)
	}()
	select {
	case err := <-done:
		return err
	case <-s.dead:
		return s.cause
	}
}

// look runs fn in a read transaction and turns panics into ErrDamaged. It
// expects a goroutine that panics on faults.
func (s *Store) look(fn func(*tables) error) (err error) {
	var tx *bbolt.Tx
	defer func() {
		if p := recover(); p != nil {
			err = s.damaged(p)
			if tx == nil || tx.DB() != nil {
				s.bury(err) // some lock was not released
			}
		}
	}()
	return s.db.View(func(t *bbolt.Tx) error {
		tx = t
		tb, err := s.tables(t)
		if err != nil {
			return err
		}
		return fn(tb)
	})
}
