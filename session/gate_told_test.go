package session_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// K3, N3: the log says why renewals are held back and for how long they were,
// and callers can tell a refusal of the gate from a failure.
func TestHeldBackIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &reachable{meter: &meter{provider: &provider{lifetime: 5 * time.Minute}}}
		r := newRoom(t, behind(w), func(r *room) { r.provider = w.provider })
		tickets := r.crowd(6)
		time.Sleep(6 * time.Minute)
		want(t, "held back before", r.HeldBack("main"), false)
		w.fails(&session.Unavailable{Err: errors.New("provider_busy: " + strings.Repeat("x", 500))})
		_, err := r.try(tickets[0])
		_, held := session.HeldBack(err)
		want(t, "the failure itself", held, false)
		_, err = r.try(tickets[0])
		name, held := session.HeldBack(err)
		want(t, "the pause after it", [2]any{name, held}, [2]any{"main", true})
		for _, ticket := range tickets[1:5] {
			_, _ = r.try(ticket)
		}
		_, err = r.try(tickets[5])
		name, held = session.HeldBack(err)
		want(t, "another session", [2]any{name, held}, [2]any{"main", true})
		want(t, "held back", [2]bool{r.HeldBack("main"), r.HeldBack("unknown")}, [2]bool{true, false})
		said := r.log.String()
		if !strings.Contains(said, `"msg":"renewals_held_back","audit":true,"provider":"main","failures":5,"error":"session: unavailable: provider_busy: xxx`) {
			t.Errorf("the log does not say why: %s", said)
		}

		w.reach = func() error { return &session.Unavailable{Err: errors.New("metadata: timeout")} }
		time.Sleep(10 * time.Second)
		_, err = r.try(tickets[5])
		want(t, "asked and no answer", err, "session: unavailable: metadata: timeout")
		want(t, "held back still", r.HeldBack("main"), true)

		w.reach = nil
		w.fails(nil)
		time.Sleep(20 * time.Second)
		want(t, "renewed", second(r.try(tickets[5])), nil)
		want(t, "held back afterwards", r.HeldBack("main"), false)
		if said := r.log.String(); !strings.Contains(said, `"msg":"renewals_resumed","audit":true,"provider":"main","seconds":30`) {
			t.Errorf("the log does not say how long: %s", said)
		}
	})
}
