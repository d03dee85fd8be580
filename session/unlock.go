package session

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrWrongKeys means that the store was written under keys that the keyring
// does not have. Going on would sign everybody out.
var ErrWrongKeys = errors.New("session: none of the keys opens this store")

// probeKey is where the probe is filed: a value known to everybody, sealed like a
// head, which shows whether the keys fit the store before any user comes. No
// ticket has this key.
var probeKey = Key{}

// probeEnds is when the probe expires: not in the life of this software.
var probeEnds = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// Unlock reports whether the keys open what is in the store: ErrWrongKeys if
// they do not, and nothing has been changed then. A store that was never
// unlocked is sealed to the keys by it. Call it once, before the first session.
func (m *Manager) Unlock(ctx context.Context) error {
	sealed, err := m.keys.seal(slot{bucketHead, probeKey, 0}, nil, []byte("cloakroom"))
	if err != nil {
		return err
	}
	record, err := m.store.Load(ctx, probeKey)
	switch {
	case errors.Is(err, ErrNotFound):
		return m.store.Create(ctx, probeKey, Record{Head: sealed, Tokens: []byte{0}, Version: 1},
			Filing{Expires: probeEnds, Until: probeEnds})
	case err != nil:
		return fmt.Errorf("session: unlock: %w", err)
	}
	if _, err := m.keys.open(slot{bucketHead, probeKey, 0}, nil, record.Head); err != nil {
		return ErrWrongKeys
	}
	if keyID(record.Head[1:9]) == m.keys.keys[0].id {
		return nil
	}
	// The keys were rotated: the older one must be able to go.
	return m.store.UpdateHeads(ctx, []HeadUpdate{{Key: probeKey, Head: sealed, Expires: probeEnds, Until: probeEnds}})
}
