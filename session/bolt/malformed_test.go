package bolt_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

// J10: whichever call meets a value that cannot be read, the damage is told once,
// only what lies there is lost, and a stop in peace does not call the file whole:
// the next start reads every page.
func TestMalformedIsTold(t *testing.T) {
	ctx := context.Background()
	mark := session.Revocation{ID: [16]byte{7}, Due: at(time.Minute), Sealed: []byte("sealed")}
	load := func(s *bolt.Store) error {
		_, err := s.Load(ctx, key(1))
		return err
	}
	for _, tt := range []struct {
		name, table string
		key         []byte
		call        func(*bolt.Store) error
		want        error
	}{
		{"Load of a head", "sessions", sliceOf(key(1)), load, session.ErrMalformed},
		{"Load of tokens", "tokens", sliceOf(key(1)), load, session.ErrMalformed},
		{"SwapTokens of a head", "sessions", sliceOf(key(1)), func(s *bolt.Store) error {
			return s.SwapTokens(ctx, key(1), session.TokensUpdate{From: 1, To: 2, Tokens: []byte("next")})
		}, session.ErrMalformed},
		{"SwapTokens of tokens", "tokens", sliceOf(key(1)), func(s *bolt.Store) error {
			return s.SwapTokens(ctx, key(1), session.TokensUpdate{From: 1, To: 2, Tokens: []byte("next")})
		}, session.ErrMalformed},
		{"UpdateHeads", "sessions", sliceOf(key(1)), func(s *bolt.Store) error {
			return s.UpdateHeads(ctx, []session.HeadUpdate{{Key: key(1), Head: []byte("head"), Expires: at(time.Hour), Until: at(time.Hour)}})
		}, nil},
		{"Delete", "sessions", sliceOf(key(1)), func(s *bolt.Store) error { return s.Delete(ctx, key(1), nil) }, nil},
		{"Find", "sessions", sliceOf(key(1)), func(s *bolt.Store) error {
			_, err := s.Find(ctx, index(1))
			return err
		}, nil},
		{"Bury by key", "sessions", sliceOf(key(1)), func(s *bolt.Store) error {
			_, err := s.Bury(ctx, session.Burial{Keys: []session.Key{key(1)}, At: start, Until: at(time.Hour)})
			return err
		}, nil},
		{"Bury under a fence", "fences", sliceOf(index(9)), func(s *bolt.Store) error {
			_, err := s.Bury(ctx, burial(index(9)))
			return err
		}, nil},
		{"Create under a fence", "fences", sliceOf(index(9)), func(s *bolt.Store) error {
			f := filing()
			f.Subject = index(9)
			return s.Create(ctx, key(3), session.Record{Head: []byte("head"), Tokens: []byte("tokens"), Version: 1}, f)
		}, nil},
		{"Scan", "tokens", sliceOf(key(1)), func(s *bolt.Store) error {
			_, err := s.Scan(ctx, session.Key{}, 1000)
			return err
		}, nil},
		{"Sweep", "sessions", sliceOf(key(1)), func(s *bolt.Store) error {
			_, err := s.Sweep(ctx, at(2*time.Minute), 1000)
			return err
		}, nil},
		{"Revocations", "revocations", mark.ID[:], func(s *bolt.Store) error {
			_, err := s.Revocations(ctx, at(time.Hour), 10)
			return err
		}, nil},
		{"DropRevocation", "revocations", mark.ID[:], func(s *bolt.Store) error { return s.DropRevocation(ctx, mark.ID) }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "sessions.db")
			s, err := bolt.Open(bolt.Options{Path: path})
			if err != nil {
				t.Fatal(err)
			}
			f := fixture{t, s}
			f.create(1, session.Filing{Subject: index(1), Expires: at(time.Minute), Until: at(time.Hour)})
			f.create(2, session.Filing{Expires: at(2000 * time.Hour), Until: at(3000 * time.Hour)})
			f.fill(100, 200)
			f.put(mark)
			f.bury(burial(index(9)))
			f.wantError("Close", f.Close(), nil)
			edit(t, path, func(tx *bbolt.Tx) error { return tx.Bucket([]byte(tt.table)).Put(tt.key, []byte("torn")) })

			found := make(told, 10)
			s, err = bolt.Open(bolt.Options{Path: path, Damaged: found.alarm})
			if err != nil {
				t.Fatalf("Open: %v", err)
			}
			f = fixture{t, s}
			if len(found) > 0 {
				t.Fatalf("told before anything was asked for: %v", <-found)
			}
			f.wantError(tt.name, tt.call(s), tt.want)
			_ = tt.call(s)
			found.wantDamage(t, path)
			if len(found) > 0 {
				t.Errorf("told again: %v", <-found)
			}
			if _, err := s.Load(ctx, key(2)); err != nil {
				t.Errorf("Load of another session: %v", err)
			}
			f.wantError("Ping", s.Ping(ctx), nil)
			f.wantError("Close", s.Close(), nil)

			// Only a start that reads every page sees this.
			rot(t, path, func(b []byte) { b[leafOf(t, path, b, 200)*pageSize] ^= 1 })
			if _, err := bolt.Open(bolt.Options{Path: path}); !errors.Is(err, bolt.ErrDamaged) {
				t.Errorf("Open after a broken page: %v, want ErrDamaged", err)
			}
		})
	}
}

func sliceOf[K ~[32]byte](k K) []byte { return k[:] }
