package session_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// from signs subject in with a browser at an address.
func (r *room) from(subject, agent, address string) session.Ticket {
	r.t.Helper()
	in := r.provider.signIn(subject)
	in.From = session.UserContext{UserAgent: agent, Address: netip.MustParseAddr(address)}
	ticket, err := r.Start(r.t.Context(), in, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return ticket
}

func (r *room) devices(ticket session.Ticket) []session.Device {
	r.t.Helper()
	list, err := r.resume(ticket).Devices(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

// I12: a user sees their own live sessions and nobody else's, whether they are in
// memory or not, whichever server key they were filed under; not those that are
// over, ran out, or were replaced.
func TestDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, func(r *room) { r.keys = keyring(t, oldKey) })
		if err := r.Unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
		laptop := r.from("alice", "Laptop/1", "192.0.2.7")
		r.from("bob", "Bob/1", "192.0.2.7")
		time.Sleep(time.Second)
		phone := r.from("alice", "Phone/1", "2001:db8:1:2::3")
		gone := r.from("alice", "Gone/1", "192.0.2.8")
		r.signOut(gone)
		replaced := r.from("alice", "Replaced/1", "192.0.2.9")
		heir := r.signIn("alice", &replaced)
		want(t, "just after one was replaced", len(r.devices(phone)), 3)
		r.keys = keyring(t, session.NewKey(), oldKey)
		if err := r.SetKeys(t.Context(), r.keys); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		r.resume(laptop).Touch()
		check := func() {
			t.Helper()
			list := r.devices(phone)
			if len(list) != 3 {
				t.Fatalf("%d devices, want 3: %+v", len(list), list)
			}
			want(t, "the first is the current one", list[0].Current && !list[1].Current, true)
			want(t, "agents", []string{list[0].UserAgent, list[1].UserAgent, list[2].UserAgent}, "[Phone/1 Laptop/1 ]")
			want(t, "networks", []string{list[0].Network, list[1].Network}, "[2001:db8:1::/48 192.0.2.0/24]")
			want(t, "last used", list[1].Seen.Sub(list[1].Started) >= time.Minute, true)
			for _, d := range list {
				if d.ID == "" || d.Provider != "main" {
					t.Errorf("%+v", d)
				}
			}
		}
		check()
		r.restart() // they are in the store alone
		if err := r.Unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
		check()
		time.Sleep(r.limits.Idle - time.Minute - time.Second)
		r.resume(heir).Touch()
		time.Sleep(time.Minute + 2*time.Second)
		want(t, "after the others idled out", len(r.devices(heir)), 1)
	})
}

// I12: a user ends one other session, or all others; never one of another user, never
// the current one. Their tokens are revoked: at once if they are in memory, else when
// the ticket comes.
func TestEndDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		alice, second, third := r.signIn("alice", nil), r.signIn("alice", nil), r.signIn("alice", nil)
		bob := r.signIn("bob", nil)
		me := r.resume(alice)
		bobs := r.devices(bob)[0].ID
		if err := me.EndDevice(t.Context(), bobs); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("ending another user's: %v", err)
		}
		list := r.devices(alice)
		if err := me.EndDevice(t.Context(), list[0].ID); !errors.Is(err, session.ErrCurrent) {
			t.Errorf("ending the current one: %v", err)
		}
		if err := r.resume(second).EndDevice(t.Context(), r.devices(third)[0].ID); err != nil {
			t.Errorf("ending another one: %v", err)
		}
		r.wantOver(third)
		if err := me.EndDevice(t.Context(), list[0].ID+"x"); !errors.Is(err, session.ErrNotFound) {
			t.Errorf("ending one that isn't there: %v", err)
		}
		synctest.Wait()
		want(t, "revoked", len(r.provider.revocations()), 1)
		r.restart()
		fourth := r.signIn("alice", nil)
		n, err := r.resume(alice).EndOthers(t.Context())
		if n != 2 || err != nil {
			t.Errorf("EndOthers = %d, %v; want 2", n, err)
		}
		r.wantOver(second)
		r.wantOver(fourth)
		r.resume(alice)
		r.resume(bob)
		synctest.Wait()
		want(t, "revoked when the tickets came", len(r.provider.revocations()), 3)
		want(t, "reasons", r.log.events(session.EventEnded), "[other_device other_device other_device tombstone]")
	})
}

// A store that fails is told: a list must not look shorter than it is, and nobody may
// believe that others are signed out.
func TestDevicesOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		alice, other := r.signIn("alice", nil), r.signIn("alice", nil)
		r.restart()
		me := r.resume(alice)
		list := r.devices(alice)
		broken := errors.New("broken")
		r.store.set("Load", broken)
		var unavailable *session.Unavailable
		if _, err := me.Devices(context.Background()); !errors.As(err, &unavailable) {
			t.Errorf("Devices: %v", err)
		}
		r.store.set("Bury", broken)
		if err := me.EndDevice(context.Background(), list[1].ID); !errors.As(err, &unavailable) {
			t.Errorf("EndDevice: %v", err)
		}
		if _, err := me.EndOthers(context.Background()); !errors.As(err, &unavailable) {
			t.Errorf("EndOthers: %v", err)
		}
		r.store.set("Load", nil)
		r.store.set("Bury", nil)
		r.resume(other)
	})
}
