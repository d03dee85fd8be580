package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// PutRevocation files r, or replaces the one with its ID.
func (s *Store) PutRevocation(ctx context.Context, r session.Revocation) error {
	value, err := encodeRevocation(r)
	if err != nil {
		return wrap("put revocation", err)
	}
	return wrap("put revocation", s.change(ctx, func(t *tables) error { return t.enqueue(r.ID, value) }))
}

// Revocations returns those that are due at now, earliest first.
func (s *Store) Revocations(ctx context.Context, now time.Time, limit int) ([]session.Revocation, error) {
	var found []session.Revocation
	err := s.view(ctx, func(t *tables) error {
		found = nil
		c := t.bucket(queueTable).Cursor()
		for entry, _ := c.First(); entry != nil && len(found) < limit; entry, _ = c.Next() {
			due, id, ok := decodeQueued(entry)
			if !ok {
				continue
			}
			if due > now.UnixMilli() {
				break
			}
			filed, sealed, ok := t.revocation(t.get(revocationsTable, id[:]))
			if !ok || filed != due {
				continue // debris
			}
			found = append(found, session.Revocation{ID: id, Due: time.UnixMilli(due).UTC(), Sealed: bytes.Clone(sealed)})
		}
		return nil
	})
	if err != nil {
		return nil, wrap("revocations", err)
	}
	return found, nil
}

// DropRevocation forgets a revocation.
func (s *Store) DropRevocation(ctx context.Context, id [16]byte) error {
	err := s.change(ctx, func(t *tables) error {
		value := t.get(revocationsTable, id[:])
		if value == nil {
			return nil
		}
		if err := t.dequeue(id, value); err != nil {
			return err
		}
		return t.remove(revocationsTable, id[:])
	})
	return wrap("drop revocation", err)
}

// encodeRevocation is a value of the revocations bucket: due in milliseconds,
// and what is sealed.
func encodeRevocation(r session.Revocation) ([]byte, error) {
	if len(r.Sealed) > maxValue {
		return nil, fmt.Errorf("a sealed value of more than %d bytes", maxValue)
	}
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(r.Sealed)), uint64(millis(r.Due)))
	return append(b, r.Sealed...), nil
}

// enqueue files an encoded revocation, in the place of one that may be there.
func (t *tables) enqueue(id [16]byte, value []byte) error {
	if old := t.get(revocationsTable, id[:]); old != nil {
		if err := t.dequeue(id, old); err != nil {
			return err
		}
	}
	if err := t.put(revocationsTable, id[:], value); err != nil {
		return err
	}
	due, _, _ := decodeRevocation(value)
	return t.put(queueTable, queued(due, id), nil)
}

// dequeue takes the entry of a revocation out of the queue.
func (t *tables) dequeue(id [16]byte, value []byte) error {
	due, _, ok := t.revocation(value)
	if !ok {
		return nil
	}
	return t.remove(queueTable, queued(due, id))
}

// revocation decodes a value, nil if there is none.
func (t *tables) revocation(value []byte) (dueMilli int64, sealed []byte, ok bool) {
	dueMilli, sealed, ok = decodeRevocation(value)
	if !ok && value != nil {
		_ = t.malformed("a revocation")
	}
	return dueMilli, sealed, ok
}

// Scan returns records in the order of their keys.
func (s *Store) Scan(ctx context.Context, after session.Key, limit int) ([]session.Entry, error) {
	var found []session.Entry
	err := s.view(ctx, func(t *tables) error {
		found = nil
		c := t.bucket(sessionsTable).Cursor()
		k, _ := c.Seek(after[:])
		if bytes.Equal(k, after[:]) {
			k, _ = c.Next()
		}
		for ; k != nil && len(found) < limit; k, _ = c.Next() {
			if len(k) != len(session.Key{}) {
				continue
			}
			f, err := t.filed(session.Key(k))
			if err != nil {
				continue
			}
			version, tokens, err := t.versioned(session.Key(k))
			if err != nil {
				continue
			}
			found = append(found, session.Entry{Key: session.Key(k), Record: session.Record{
				Head: bytes.Clone(f.head), Tokens: bytes.Clone(tokens), Version: version,
			}})
		}
		return nil
	})
	if err != nil {
		return nil, wrap("scan", err)
	}
	return found, nil
}
