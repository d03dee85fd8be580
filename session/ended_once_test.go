package session_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// N3: however many end a session at once, one of them has done it, and there is
// one event.
func TestDoubleEnd(t *testing.T) {
	for _, elsewhere := range []bool{false, true} {
		t.Run(fmt.Sprintf("elsewhere: %v", elsewhere), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t)
				for i := range 50 {
					user := fmt.Sprintf("user-%d", i)
					ticket := r.signIn(user, nil)
					if elsewhere && i == 0 {
						r.restart()
					}
					var all sync.WaitGroup
					for range 3 {
						all.Go(func() { _, _ = r.End(context.Background(), ticket, session.ReasonLogout) })
						all.Go(func() { _ = r.EndByKey(context.Background(), ticket.Key(), session.ReasonOperator) })
						all.Go(func() {
							_, _ = r.Logout(context.Background(), session.Logout{Provider: "main", Subject: user, Reason: session.ReasonBackchannel})
						})
					}
					all.Wait()
					r.wantOver(ticket)
				}
				synctest.Wait()
				ended, late := 0, 0
				for _, reason := range r.log.events(session.EventEnded) {
					if reason == session.ReasonLate {
						late++
					} else {
						ended++
					}
				}
				want(t, "events", ended, 50)
				if late > 1 || late == 1 && !elsewhere {
					t.Errorf("found tombstones: got %d", late)
				}
				want(t, "revoked", len(r.provider.revocations()), 50)
			})
		})
	}
}

// N3, D12: a renewal that finds its session gone, between a provider's logout in
// the store and the same in memory, does not keep that from being told of.
func TestEndFoundByRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		buried, found := make(chan struct{}), make(chan struct{})
		r := newRoom(t, func(r *room) {
			r.wrap = func(s session.Store) session.Store {
				return &slowBurial{Store: s, after: func() { close(buried); <-found }}
			}
		})
		r.provider.answer = func(int, session.Tokens) (session.Tokens, error) {
			<-buried
			return r.provider.next(), nil
		}
		ticket := r.signIn("alice", nil)
		time.Sleep(5 * time.Minute)
		s := r.resume(ticket)
		go func() {
			_, err := s.Access(context.Background())
			want(t, "call", err, session.ErrNotFound)
			close(found)
		}()
		synctest.Wait() // until the provider has the renewal
		if n, err := r.Logout(t.Context(), says("sid-alice")); n != 1 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
		synctest.Wait()
		want(t, "events", r.log.events(session.EventEnded), []string{session.ReasonBackchannel})
		want(t, "revoked", r.provider.revocations(), []string{"refresh-2"})
		r.wantOver(ticket)
	})
}

// slowBurial calls after between a burial in the store and its answer.
type slowBurial struct {
	session.Store
	after func()
}

func (b *slowBurial) Bury(ctx context.Context, burial session.Burial) ([]session.Key, error) {
	keys, err := b.Store.Bury(ctx, burial)
	b.after()
	return keys, err
}
