package session_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

// J10: a session whose record nobody can make sense of is over, not unavailable for
// ever: its user signs in again, and the operator is told which it was.
func TestMalformedRecord(t *testing.T) {
	for _, bucket := range []string{"sessions", "tokens"} {
		t.Run(bucket, func(t *testing.T) {
			r := newRoom(t)
			ticket, other := r.signIn("alice", nil), r.signIn("bob", nil)
			r.tear(bucket, ticket.Key())
			for range 3 { // a browser that goes on asking does not fill the log
				r.wantOver(ticket)
			}
			want(t, "unreadable", len(r.log.events(session.EventUnreadable)), 1)
			r.access(other)
			if _, err := r.Start(t.Context(), r.provider.signIn("alice"), &ticket); err != nil {
				t.Errorf("signing in again: %v", err)
			}
		})
	}
}

// J10, D12: nor does it live on in memory once it can't be written any more. What
// its last renewal brought is revoked.
func TestMalformedUnderRenewal(t *testing.T) {
	for _, written := range []int{0, 1} { // the intent, the new tokens
		t.Run(fmt.Sprint(written), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t)
				ticket := r.signIn("alice", nil)
				torn := func() { r.store.set("SwapTokens", fmt.Errorf("swap tokens: %w", session.ErrMalformed)) }
				if written == 0 {
					torn()
				}
				r.provider.answer = func(int, session.Tokens) (session.Tokens, error) {
					torn()
					return r.provider.next(), nil
				}
				time.Sleep(6 * time.Minute)
				if _, err := r.resume(ticket).Access(t.Context()); err == nil {
					t.Error("a token after the record was torn")
				}
				r.wantOver(ticket)
				synctest.Wait()
				want(t, "uses", len(r.provider.sent()), written)
				want(t, "revoked", r.provider.revocations(), []string{"refresh-2"}[:written])
			})
		})
	}
}

// J10: what shows whether the keys fit is made only where it never was: damage there
// is told as damage, and nothing is written over it.
func TestMalformedProbe(t *testing.T) {
	for _, bucket := range []string{"sessions", "tokens"} {
		t.Run(bucket, func(t *testing.T) {
			r := newRoom(t)
			r.unlock()
			r.tear(bucket, session.Key{})
			if err := r.Unlock(t.Context()); !errors.Is(err, session.ErrMalformed) || !errors.Is(err, bolt.ErrDamaged) {
				t.Errorf("Unlock: %v, want ErrMalformed and ErrDamaged", err)
			}
		})
	}
}

// tear damages an entry of the file between two openings.
func (r *room) tear(bucket string, key session.Key) {
	r.t.Helper()
	r.close()
	db, err := bbolt.Open(r.path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		r.t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(bucket)).Put(key[:], []byte("torn")) })
	if err := errors.Join(err, db.Close()); err != nil {
		r.t.Fatal(err)
	}
	r.open()
}
