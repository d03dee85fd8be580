package session_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// R6, D12: a write of renewed tokens whose end is unknown, and then a store that
// can't be read, loses none of them; if the session is gone by then, what was
// obtained is revoked.
func TestCommitNobodyCanRead(t *testing.T) {
	for name, gone := range map[string]bool{"read again in the end": false, "gone": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var r *room
				var ticket session.Ticket
				doubt, loads := false, 0
				swap := func(write func() error) error {
					err := write()
					if err == nil && doubt {
						doubt = false
						return errors.New("fdatasync: input/output error")
					}
					if errors.Is(err, session.ErrConflict) && loads == 0 {
						loads++
						if gone {
							_ = r.store.Store.(*hookStore).Store.Delete(t.Context(), ticket.Key(), nil)
						} else {
							r.store.set("Load", errors.New("input/output error"))
						}
					}
					return err
				}
				r = newRoom(t, func(r *room) {
					r.wrap = func(s session.Store) session.Store { return &hookStore{Store: s, swap: swap} }
				})
				r.provider.answer = func(int, session.Tokens) (session.Tokens, error) {
					doubt = true
					return r.provider.next(), nil
				}
				ticket = r.signIn("alice", nil)
				time.Sleep(4*time.Minute + 10*time.Second)
				r.access(ticket)
				time.Sleep(10 * time.Second)
				r.store.set("Load", nil)
				time.Sleep(10 * time.Second)
				want(t, "uses", r.provider.sent(), []string{"refresh-1"})
				if gone {
					r.wantOver(ticket)
					synctest.Wait()
					want(t, "revoked", r.provider.revocations(), []string{"refresh-2"})
					return
				}
				want(t, "token", r.access(ticket), "access-2")
				want(t, "renewed", len(r.log.events(session.EventRenewed)), 1)
			})
		})
	}
}
