package bolt

import (
	"bytes"
	"crypto/rand"

	"go.etcd.io/bbolt"

	"github.com/cloakroom/cloakroom/session"
)

// dropSize bounds how much of a restored file is removed in one transaction.
const dropSize = 1000

// Reason says what shows that a file was restored. The values are stable.
type Reason string

// The reasons.
const (
	Behind     Reason = "behind"   // the file is older than its mark
	OtherStore Reason = "other_id" // the mark is that of another store, or of another copy of this one
	NoMark     Reason = "no_mark"  // there is no mark, or it cannot be understood
	Gone       Reason = "gone"     // there is nothing in the file, or no file, but a mark of a store
)

// Restoration is what Open did with a file that was put back.
type Restoration struct {
	Reason   Reason
	Sessions int // how many live sessions were removed
}

// Restored returns what Open found and did if the file is not the one that this
// store was when it was last closed, but an earlier state, a copy, or a new one
// in the place of what is gone. The second value is false if it is the one. A removal that a crash interrupts starts
// again with the next Open, which then counts the remaining sessions only.
func (s *Store) Restored() (Restoration, bool) {
	if s.restored == nil {
		return Restoration{}, false
	}
	return *s.restored, true
}

// identify makes the file another store than it was, and returns where it is
// then.
func (s *Store) identify() (point, error) {
	id := newStoreID()
	p := point{id: id}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		p.txid = uint64(tx.ID())
		return tx.Bucket([]byte(tableNames[metaTable])).Put(keyID, id[:])
	})
	return p, err
}

func newStoreID() (id storeID) {
	_, _ = rand.Read(id[:]) // never fails: crypto/rand ends the process instead
	return id
}

// disown removes every session of a restored file. First of all it gives the
// file a new id, which no mark has: removing takes transactions, and they would
// carry a file that was behind past its mark, so that after a crash in between
// nobody could tell any more. It returns where the file is in the end.
func (s *Store) disown(step func(string) error) (at point, live int, err error) {
	if at, err = s.identify(); err != nil {
		return at, 0, err
	}
	for more := true; more; {
		if err := step("drop"); err != nil {
			return at, live, err
		}
		n := 0
		err := s.db.Update(func(tx *bbolt.Tx) (err error) {
			at.txid = uint64(tx.ID())
			n, more, err = (&tables{tx: tx, store: s}).drop(dropSize)
			return err
		})
		if err != nil {
			return at, live, err
		}
		live += n
	}
	return at, live, nil
}

// drop removes up to limit entries of sessions from each table, and reports how
// many live sessions were among them and whether there may be more. What is
// filed under the zero key is no session: no ticket has that key.
func (t *tables) drop(limit int) (live int, more bool, err error) {
	for in := range tableCount {
		if !ofSessions(in) {
			continue
		}
		keys := t.dropped(in, limit)
		more = more || len(keys) == limit
		for _, k := range keys {
			if in == sessionsTable {
				if f, ok := decodeFiled(t.get(in, k)); ok && f.live() {
					live++
				}
			}
			if err := t.remove(in, k); err != nil {
				return 0, false, err
			}
		}
	}
	return live, more, nil
}

// dropped returns the first keys of a table that belong to sessions.
func (t *tables) dropped(in table, limit int) [][]byte {
	var keys [][]byte
	c := t.bucket(in).Cursor()
	for k, _ := c.First(); k != nil && len(keys) < limit; k, _ = c.Next() {
		if !keptOnDrop(in, k) {
			keys = append(keys, bytes.Clone(k))
		}
	}
	return keys
}

// ofSessions reports whether a table speaks of sessions.
func ofSessions(in table) bool {
	return in == sessionsTable || in == tokensTable || in == indexTable || in == expiryTable
}

// keptOnDrop reports whether an entry of such a table speaks of something else.
func keptOnDrop(in table, k []byte) bool {
	var none session.Key
	switch in {
	case sessionsTable, tokensTable:
		return bytes.Equal(k, none[:])
	case expiryTable:
		d, ok := decodeDue(k)
		return ok && (d.kind == kindMark || d.kind == kindFence || d.key == none)
	}
	return false
}
