package bolt

import (
	"context"
	"fmt"
	"runtime/debug"

	"go.etcd.io/bbolt"

	"github.com/cloakroom/cloakroom/session"
)

// table names a bucket at the root.
type table int

const (
	metaTable table = iota
	sessionsTable
	tokensTable
	indexTable
	expiryTable
	marksTable
	fencesTable
	revocationsTable
	queueTable
	tableCount
)

var tableNames = [tableCount]string{
	"meta", "sessions", "tokens", "index", "expiry", "marks", "fences", "revocations", "queue",
}

// firstTables is how many of the tables every file has; the others are added to
// one of an earlier program when it is opened.
const firstTables = fencesTable

// tables are the buckets as one transaction sees them. What is read from them
// dies with it: decode and copy before it ends.
type tables struct {
	tx    *bbolt.Tx
	store *Store
	dirty bool // whether there is anything to commit

	opened [tableCount]*bbolt.Bucket
}

// bucket returns a bucket, opened when first asked for. That one is missing is
// treated like any other damage that bbolt panics about.
func (t *tables) bucket(in table) *bbolt.Bucket {
	if t.opened[in] == nil {
		if t.opened[in] = t.tx.Bucket([]byte(tableNames[in])); t.opened[in] == nil {
			panic("bucket " + tableNames[in] + " is missing")
		}
	}
	return t.opened[in]
}

func (t *tables) get(in table, key []byte) []byte { return t.bucket(in).Get(key) }

func (t *tables) put(in table, key, value []byte) error {
	t.dirty = true
	return t.bucket(in).Put(key, value)
}

func (t *tables) remove(in table, key []byte) error {
	t.dirty = true
	return t.bucket(in).Delete(key)
}

// filed returns the filing of k: ErrNotFound if there is none, ErrMalformed if it
// cannot be read.
func (t *tables) filed(k session.Key) (filed, error) {
	value := t.get(sessionsTable, k[:])
	if value == nil {
		return filed{}, session.ErrNotFound
	}
	f, ok := decodeFiled(value)
	if !ok {
		return filed{}, t.malformed("session " + k.Ref())
	}
	return f, nil
}

// versioned returns the tokens of a session that is filed, and their version.
func (t *tables) versioned(k session.Key) (version uint64, tokens []byte, err error) {
	version, tokens, ok := decodeTokens(t.get(tokensTable, k[:]))
	if !ok {
		return 0, nil, t.malformed("tokens of session " + k.Ref())
	}
	return version, tokens, nil
}

// malformed notes that a value cannot be read. What it returns is ErrMalformed, and
// ErrDamaged.
func (t *tables) malformed(what string) error {
	return fmt.Errorf("%w: %w", session.ErrMalformed, t.store.damaged(what))
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
		return fn(&tables{tx: t, store: s})
	})
}
