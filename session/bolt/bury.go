package bolt

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// Bury turns sessions into tombstones and keeps others from being filed.
func (s *Store) Bury(ctx context.Context, b session.Burial) ([]session.Key, error) {
	keys, under := slices.Clone(b.Keys), slices.Clone(b.Under) // the caller may use its own again
	var buried []session.Key
	err := s.change(ctx, func(t *tables) error {
		buried = nil
		if b.Mark != [32]byte{} {
			if t.get(marksTable, b.Mark[:]) != nil {
				return session.ErrRepeated
			}
			if err := t.mark(b.Mark, b.MarkUntil); err != nil {
				return err
			}
		}
		all := keys
		for _, ix := range under {
			if ix == (session.IndexKey{}) {
				continue
			}
			all = append(all, t.under(ix)...)
			if err := t.fence(ix, fence{b.At.UnixMilli(), millis(b.Until)}); err != nil {
				return err
			}
		}
		for _, k := range all {
			f, err := t.filed(k)
			if err != nil || !f.live() {
				continue // buried a moment ago, or not there
			}
			if err := t.remove(expiryTable, due{f.expires, kindHead, k}.encode()); err != nil {
				return err
			}
			if err := t.entomb(k, f); err != nil {
				return err
			}
			buried = append(buried, k)
		}
		return nil
	})
	if err != nil {
		return nil, wrap("bury", err)
	}
	return buried, nil
}

// under returns the keys of the live sessions filed under ix.
func (t *tables) under(ix session.IndexKey) []session.Key {
	var keys []session.Key
	c := t.bucket(indexTable).Cursor()
	for entry, _ := c.Seek(ix[:]); bytes.HasPrefix(entry, ix[:]); entry, _ = c.Next() {
		if len(entry) != 64 {
			continue
		}
		// The record decides: an entry that it does not confirm is debris. A
		// tombstone confirms none.
		f, err := t.filed(session.Key(entry[32:]))
		if err == nil && (f.subject == ix || f.sid == ix) {
			keys = append(keys, session.Key(entry[32:]))
		}
	}
	return keys
}

// fence keeps what began at f.at or before from being filed under ix. Of two
// fences the later counts.
func (t *tables) fence(ix session.IndexKey, f fence) error {
	if old, ok := t.fenceOf(ix); ok {
		f.at, f.until = max(f.at, old.at), max(f.until, old.until)
		if err := t.remove(expiryTable, old.due(ix).encode()); err != nil {
			return err
		}
	}
	if err := t.put(fencesTable, ix[:], f.encode()); err != nil {
		return err
	}
	return t.put(expiryTable, f.due(ix).encode(), nil)
}

// fenceOf returns the fence of an index key, if there is one that can be read.
func (t *tables) fenceOf(ix session.IndexKey) (fence, bool) {
	value := t.get(fencesTable, ix[:])
	f, ok := decodeFence(value)
	if !ok && value != nil {
		_ = t.malformed("a fence")
	}
	return f, ok
}

// fenced reports whether a burial under one of the index keys prevents what
// began at since.
func (t *tables) fenced(since time.Time, under []session.IndexKey) bool {
	for _, ix := range under {
		if ix == (session.IndexKey{}) {
			continue
		}
		if f, ok := t.fenceOf(ix); ok && since.UnixMilli() <= f.at {
			return true
		}
	}
	return false
}
