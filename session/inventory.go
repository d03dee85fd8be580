package session

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"
)

// KeyUse is what one server key still seals.
type KeyUse struct {
	ID      string // hexadecimal, derived from the key
	Seals   bool   // it seals what is written now
	Missing bool   // it is not in the keyring: what it sealed does not open

	Heads, Tokens, Revocations int

	// Retired is since when it does not seal any more; zero if it does, or never
	// did.
	Retired time.Time
}

// MayGo returns when the key may be taken out of the key file, if nothing is
// sealed under it by then; false if it seals now or nobody knows.
func (u KeyUse) MayGo(absolute time.Duration) (time.Time, bool) {
	if u.Seals || u.Retired.IsZero() {
		return time.Time{}, false
	}
	return u.Retired.Add(absolute), true
}

// Inventory counts what each key still seals: those of the keyring in their
// order, then those that it lacks. It reads the whole store and changes nothing;
// ErrWrongKeys means that none of the keys opens it.
func (m *Manager) Inventory(ctx context.Context) ([]KeyUse, error) {
	var out []KeyUse
	at := map[string]int{}
	use := func(id keyID) *KeyUse {
		name := hex.EncodeToString(id[:])
		i, ok := at[name]
		if !ok {
			i = len(out)
			at[name] = i
			out = append(out, KeyUse{ID: name, Missing: true})
		}
		return &out[i]
	}
	for i, k := range m.keys.Load().keys {
		u := use(k.id)
		u.Missing, u.Seals = false, i == 0
	}
	for after := (Key{}); ; {
		entries, err := m.store.Scan(ctx, after, scanBatch)
		if err != nil {
			return nil, fmt.Errorf("session: inventory: %w", err)
		}
		for _, e := range entries {
			after = e.Key
			if id, ok := sealedBy(e.Head); ok {
				use(id).Heads++
			}
			if id, ok := sealedBy(e.Tokens); ok {
				use(id).Tokens++
			}
		}
		if len(entries) < scanBatch {
			break
		}
	}
	waiting, err := m.store.Revocations(ctx, probeEnds, 1<<30)
	if err != nil {
		return nil, fmt.Errorf("session: inventory: %w", err)
	}
	for _, r := range waiting {
		if id, ok := sealedBy(r.Sealed); ok {
			use(id).Revocations++
		}
	}
	p, err := m.readProbe(ctx)
	if err != nil {
		return nil, err
	}
	for i := range out {
		if since, ok := p.Retired[out[i].ID]; ok {
			out[i].Retired = fromMilli(since)
		}
	}
	return out, nil
}

// scanBatch is how many records an inventory reads at a time.
const scanBatch = 256
