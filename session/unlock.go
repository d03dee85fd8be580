package session

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ErrWrongKeys means that the store was written under keys that the keyring
// does not have. Going on would sign everybody out.
var ErrWrongKeys = errors.New("session: none of the keys opens this store")

// probeKey is where the probe is filed: a value sealed like a head, which shows
// whether the keys fit the store before any user comes. No ticket has this key.
var probeKey = Key{}

// probeEnds is when the probe expires: not in the life of this software.
var probeEnds = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// probeEvery is how often the probe notes the time, while anything is written.
const probeEvery = time.Minute

// probe is what the probe record says.
type probe struct {
	Latest  int64            `json:"t"`              // the latest time that was ever noted, in ms
	Retired map[string]int64 `json:"keys,omitempty"` // keys that sealed once → since when they don't, in ms

	sealedBy keyID // where it was read; zero: there is none yet
}

// readProbe returns what the store's probe says. ErrWrongKeys means that none of
// the keys opens it.
func (m *Manager) readProbe(ctx context.Context) (probe, error) {
	record, err := m.store.Load(ctx, probeKey)
	switch {
	case errors.Is(err, ErrNotFound) && !errors.Is(err, ErrMalformed):
		return probe{}, nil
	case err != nil:
		return probe{}, fmt.Errorf("session: unlock: %w", err)
	}
	plain, err := m.keys.Load().open(slot{bucketHead, probeKey, 0}, nil, record.Head)
	if err != nil {
		return probe{}, ErrWrongKeys
	}
	var p probe
	_ = json.Unmarshal(plain, &p) // the first version wrote another text
	p.sealedBy, _ = sealedBy(record.Head)
	return p, nil
}

// Unlock reports whether the keys open what is in the store: ErrWrongKeys if
// they do not, and nothing has been changed then. A store that was never
// unlocked is sealed to the keys by it. Call it once, before the first session.
func (m *Manager) Unlock(ctx context.Context) error {
	found, err := m.readProbe(ctx)
	if err != nil {
		return err
	}
	if found.sealedBy == (keyID{}) {
		update, err := m.sealProbe(m.keys.Load())
		if err != nil {
			return err
		}
		return m.store.Create(ctx, probeKey, Record{Head: update.Head, Tokens: []byte{0}, Version: 1},
			Filing{Expires: probeEnds, Until: probeEnds})
	}
	if m.clock != nil && m.clock.notBefore(fromMilli(found.Latest)) {
		m.log.Warn("the machine's clock is behind the store: counting on from the store's time, so that no session lives longer",
			"store", fromMilli(found.Latest).Format(time.RFC3339))
	}
	m.heads.Lock()
	defer m.heads.Unlock()
	m.probe.Retired = found.Retired
	return m.retire(ctx, found.sealedBy, m.keys.Load())
}

// SetKeys replaces the keys while sessions go on: what is sealed from now on is
// sealed under the first of them. ErrWrongKeys means that k lacks the key that
// seals now: all who are signed in would lose their sessions; an *Unavailable
// that the store refused. Nothing has changed then.
func (m *Manager) SetKeys(ctx context.Context, k *Keyring) error {
	m.heads.Lock()
	defer m.heads.Unlock()
	last := m.keys.Load().keys[0].id
	if _, ok := k.find(last); !ok {
		return ErrWrongKeys
	}
	if err := m.retire(ctx, last, k); err != nil {
		return err
	}
	m.keys.Store(k)
	// Those in use are sealed and filed anew with the next upkeep, so that the old
	// key is needed no longer than it must be.
	m.open.Range((*Session).writeSoon)
	return nil
}

// retire notes that last does not seal any more, unless it is k's first. It is
// called with heads held.
func (m *Manager) retire(ctx context.Context, last keyID, k *Keyring) error {
	first := k.keys[0].id
	if last == first {
		return nil
	}
	retired := map[string]int64{}
	for id, since := range m.probe.Retired {
		retired[id] = since
	}
	retired[hex.EncodeToString(last[:])] = m.now().UnixMilli()
	delete(retired, hex.EncodeToString(first[:]))
	before := m.probe.Retired
	m.probe.Retired = retired
	update, err := m.sealProbe(k)
	if err == nil {
		err = m.store.UpdateHeads(ctx, []HeadUpdate{update})
	}
	if err != nil {
		m.probe.Retired = before
		return &Unavailable{Err: fmt.Errorf("keys: %w", err)}
	}
	return nil
}

// sealProbe returns the probe as it is to be written now.
func (m *Manager) sealProbe(k *Keyring) (HeadUpdate, error) {
	p := m.probe
	p.Latest = m.now().UnixMilli()
	plain, err := json.Marshal(p)
	if err != nil {
		return HeadUpdate{}, err
	}
	sealed, err := k.seal(slot{bucketHead, probeKey, 0}, nil, plain)
	return HeadUpdate{Key: probeKey, Head: sealed, Expires: probeEnds, Until: probeEnds}, err
}
