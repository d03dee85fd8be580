package session_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// hurryStore notes of each swap whether it was patient.
type hurryStore struct {
	session.Store
	patient []bool
}

func (s *hurryStore) SwapTokens(ctx context.Context, k session.Key, u session.TokensUpdate) error {
	s.patient = append(s.patient, u.Patient)
	return s.Store.SwapTokens(ctx, k, u)
}

// The intent of a renewal that nobody waits for may be written with others. What the
// renewal brought never waits: the old refresh token is spent (R5).
func TestIntentsArePatient(t *testing.T) {
	for _, tt := range []struct {
		name string
		age  time.Duration // of a token that lives five minutes
		want []bool        // of the intent, and of what it brought
	}{
		{"due", 4*time.Minute + 30*time.Second, []bool{true, false}},
		{"expired", 5 * time.Minute, []bool{false, false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &hurryStore{}
				r := newRoom(t, func(r *room) {
					r.limits.RenewYield = 50 * time.Millisecond // until then it is known whether somebody waits
					r.wrap = func(s session.Store) session.Store { store.Store = s; return store }
				})
				ticket := r.signIn("alice", nil)
				time.Sleep(tt.age)
				r.access(ticket)
				time.Sleep(time.Second)
				synctest.Wait()
				if !slices.Equal(store.patient, tt.want) {
					t.Errorf("the swaps were patient: %v, want %v", store.patient, tt.want)
				}
			})
		})
	}
}
