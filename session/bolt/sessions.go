package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cloakroom/cloakroom/session"
)

// Create files a new session.
func (s *Store) Create(ctx context.Context, k session.Key, r session.Record, f session.Filing) error {
	if len(r.Head) > maxValue || len(r.Tokens) > maxValue {
		return fmt.Errorf("bolt: create: a sealed value of more than %d bytes", maxValue)
	}
	new := filed{expires: seconds(f.Expires), until: seconds(f.Until), head: r.Head}
	if new.live() {
		new.subject, new.sid = f.Subject, f.SID
	}
	subjects, sids := append([]session.IndexKey{f.Subject}, f.SubjectOlder...), append([]session.IndexKey{f.SID}, f.SIDOlder...)
	value, tokens := new.encode(), encodeTokens(r.Version, r.Tokens)

	err := s.change(ctx, func(t *tables) error {
		if t.get(sessionsTable, k[:]) != nil || t.get(tokensTable, k[:]) != nil {
			return session.ErrConflict
		}
		if t.fenced(f.SubjectSince, subjects) || t.fenced(f.SIDSince, sids) {
			return session.ErrSignedOut
		}
		if err := t.file(k, new); err != nil {
			return err
		}
		if err := t.put(sessionsTable, k[:], value); err != nil {
			return err
		}
		return t.put(tokensTable, k[:], tokens)
	})
	return wrap("create", err)
}

// Load returns what is filed under k.
func (s *Store) Load(ctx context.Context, k session.Key) (session.Record, error) {
	var r session.Record
	err := s.view(ctx, func(t *tables) error {
		f, err := t.filed(k)
		if err != nil {
			return err
		}
		version, tokens, err := t.versioned(k)
		if err != nil {
			return err
		}
		r = session.Record{Head: bytes.Clone(f.head), Tokens: bytes.Clone(tokens), Version: version}
		return nil
	})
	if err != nil {
		return session.Record{}, wrap("load", err)
	}
	return r, nil
}

// UpdateHeads replaces the heads of the sessions that have one. A session whose
// record is malformed has none.
func (s *Store) UpdateHeads(ctx context.Context, updates []session.HeadUpdate) error {
	for _, u := range updates {
		if len(u.Head) == 0 || len(u.Head) > maxValue {
			return fmt.Errorf("bolt: update heads: a head of %d bytes", len(u.Head))
		}
	}
	if len(updates) == 0 {
		return nil
	}
	// The caller may use its slices again if it stops waiting.
	owned := make([]session.HeadUpdate, len(updates))
	for i, u := range updates {
		owned[i] = u
		owned[i].Head = bytes.Clone(u.Head)
	}

	err := s.change(ctx, func(t *tables) error {
		for _, u := range owned {
			if err := t.updateHead(u); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap("update heads", err)
}

// SwapTokens replaces the tokens of a live session, if their version is still
// u.From.
func (s *Store) SwapTokens(ctx context.Context, k session.Key, u session.TokensUpdate) error {
	if u.To <= u.From {
		return fmt.Errorf("bolt: swap tokens: version %d does not follow %d", u.To, u.From)
	}
	if len(u.Tokens) > maxValue {
		return fmt.Errorf("bolt: swap tokens: a sealed value of more than %d bytes", maxValue)
	}
	value := encodeTokens(u.To, u.Tokens)

	err := s.carry(ctx, &change{patient: u.Patient, apply: func(t *tables) error {
		f, err := t.filed(k)
		if err != nil {
			return err
		}
		if !f.live() {
			return session.ErrNotFound
		}
		version, _, err := t.versioned(k)
		if err != nil {
			return err
		}
		if version != u.From {
			return session.ErrConflict
		}
		return t.put(tokensTable, k[:], value)
	}})
	return wrap("swap tokens", err)
}

// Delete forgets k, whatever state its record is in, and files r.
func (s *Store) Delete(ctx context.Context, k session.Key, r *session.Revocation) error {
	var value []byte
	if r != nil {
		var err error
		if value, err = encodeRevocation(*r); err != nil {
			return wrap("delete", err)
		}
	}
	err := s.change(ctx, func(t *tables) error {
		if err := t.forget(k); err != nil || r == nil {
			return err
		}
		return t.enqueue(r.ID, value)
	})
	return wrap("delete", err)
}

// Find returns the keys of the live sessions filed under ix.
func (s *Store) Find(ctx context.Context, ix session.IndexKey) ([]session.Key, error) {
	if ix == (session.IndexKey{}) {
		return nil, nil
	}
	var keys []session.Key
	err := s.view(ctx, func(t *tables) error {
		keys = t.under(ix)
		return nil
	})
	if err != nil {
		return nil, wrap("find", err)
	}
	return keys, nil
}

// file enters a session into the indexes.
func (t *tables) file(k session.Key, f filed) error {
	for _, ix := range []session.IndexKey{f.subject, f.sid} {
		if ix == (session.IndexKey{}) {
			continue
		}
		if err := t.put(indexTable, indexed(ix, k), nil); err != nil {
			return err
		}
	}
	if f.live() {
		if err := t.put(expiryTable, due{f.expires, kindHead, k}.encode(), nil); err != nil {
			return err
		}
	}
	return t.put(expiryTable, due{f.until, kindUntil, k}.encode(), nil)
}

// unindex takes a session out of the index that Find reads.
func (t *tables) unindex(k session.Key, f filed) error {
	return errors.Join(
		t.remove(indexTable, indexed(f.subject, k)),
		t.remove(indexTable, indexed(f.sid, k)))
}

func (t *tables) updateHead(u session.HeadUpdate) error {
	f, err := t.filed(u.Key)
	if err != nil || !f.live() {
		return nil
	}
	expires, until := seconds(u.Expires), seconds(u.Until)
	if err := t.move(due{f.expires, kindHead, u.Key}, expires); err != nil {
		return err
	}
	if err := t.move(due{f.until, kindUntil, u.Key}, until); err != nil {
		return err
	}
	if err := t.refile(u, &f); err != nil {
		return err
	}
	f.expires, f.until, f.head = expires, until, u.Head
	return t.put(sessionsTable, u.Key[:], f.encode())
}

// refile makes a session be found under what u says from now on.
func (t *tables) refile(u session.HeadUpdate, f *filed) error {
	for _, ix := range []struct {
		at *session.IndexKey
		to session.IndexKey
	}{{&f.subject, u.Subject}, {&f.sid, u.SID}} {
		if ix.to == (session.IndexKey{}) || ix.to == *ix.at {
			continue
		}
		err := errors.Join(t.remove(indexTable, indexed(*ix.at, u.Key)), t.put(indexTable, indexed(ix.to, u.Key), nil))
		if err != nil {
			return err
		}
		*ix.at = ix.to
	}
	return nil
}

// move gives an entry of the expiry bucket another time.
func (t *tables) move(d due, at int64) error {
	if d.at == at {
		return nil
	}
	if err := t.remove(expiryTable, d.encode()); err != nil {
		return err
	}
	d.at = at
	return t.put(expiryTable, d.encode(), nil)
}

// forget removes everything of k. What the filing of a malformed record would
// have named stays behind: Find passes over it and Sweep removes it in time.
func (t *tables) forget(k session.Key) error {
	value := t.get(sessionsTable, k[:])
	if value == nil && t.get(tokensTable, k[:]) == nil {
		return nil
	}
	if f, err := t.filed(k); err == nil {
		err := errors.Join(
			t.unindex(k, f),
			t.remove(expiryTable, due{f.expires, kindHead, k}.encode()),
			t.remove(expiryTable, due{f.until, kindUntil, k}.encode()))
		if err != nil {
			return err
		}
	}
	return errors.Join(t.remove(sessionsTable, k[:]), t.remove(tokensTable, k[:]))
}

// wrap says what was being done.
func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("bolt: %s: %w", op, err)
}
