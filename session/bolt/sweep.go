package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// sweepSize bounds how much of a sweep goes into one transaction, so that
// sign-ins and renewals get in between.
const sweepSize = 256

// Sweep removes what has expired at now.
func (s *Store) Sweep(ctx context.Context, now time.Time, limit int) (int, error) {
	total := 0
	for total < limit {
		want, swept := min(sweepSize, limit-total), 0
		err := s.change(ctx, func(t *tables) (err error) {
			swept, err = t.sweep(now.Unix(), want)
			return err
		})
		if err != nil {
			return total, wrap("sweep", err)
		}
		total += swept
		if swept < want {
			break
		}
	}
	return total, nil
}

// MarkUsed remembers mark until the given time, or until the sweep after it.
func (s *Store) MarkUsed(ctx context.Context, mark [32]byte, until time.Time) (bool, error) {
	fresh := false
	err := s.change(ctx, func(t *tables) error {
		if fresh = t.get(marksTable, mark[:]) == nil; !fresh {
			return nil
		}
		return t.mark(mark, until)
	})
	if err != nil {
		return false, wrap("mark used", err)
	}
	return fresh, nil
}

func (t *tables) mark(mark [32]byte, until time.Time) error {
	d := due{seconds(until), kindMark, mark}
	if err := t.put(marksTable, mark[:], binary.BigEndian.AppendUint64(nil, uint64(d.at))); err != nil {
		return err
	}
	return t.put(expiryTable, d.encode(), nil)
}

// sweep handles the first entries of the expiry bucket that are due.
func (t *tables) sweep(now int64, limit int) (int, error) {
	var entries [][]byte // the cursor does not survive deletions
	c := t.bucket(expiryTable).Cursor()
	for entry, _ := c.First(); entry != nil && len(entries) < limit; entry, _ = c.Next() {
		if d, ok := decodeDue(entry); ok && d.at > now {
			break
		}
		entries = append(entries, bytes.Clone(entry))
	}
	for _, entry := range entries {
		if err := t.remove(expiryTable, entry); err != nil {
			return 0, err
		}
		if d, ok := decodeDue(entry); ok {
			if err := t.expire(d); err != nil {
				return 0, err
			}
		}
	}
	return len(entries), nil
}

// expire does what d asks for, if it still speaks of what is stored. What
// cannot be read goes.
func (t *tables) expire(d due) error {
	if d.kind == kindMark {
		value := t.get(marksTable, d.key[:])
		if len(value) == 8 && int64(binary.BigEndian.Uint64(value)) > d.at {
			return nil
		}
		return t.remove(marksTable, d.key[:])
	}

	if d.kind == kindFence {
		f, ok := t.fenceOf(session.IndexKey(d.key))
		if ok && f.until > d.at*1000 {
			return nil // renewed since
		}
		return t.remove(fencesTable, d.key[:])
	}

	k := session.Key(d.key)
	f, err := t.filed(k)
	switch {
	case err != nil:
		return t.forget(k)
	case d.kind == kindUntil && f.until == d.at:
		return t.forget(k)
	case d.kind == kindHead && f.expires == d.at:
		return t.entomb(k, f)
	}
	return nil
}

// entomb takes a session's head and index entries away.
func (t *tables) entomb(k session.Key, f filed) error {
	if err := t.unindex(k, f); err != nil {
		return err
	}
	tombstone := filed{expires: f.expires, until: f.until}
	return t.put(sessionsTable, k[:], tombstone.encode())
}
