package session_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// E12, I6: a download that outlived idling out ends when the provider signs its
// user out; nobody else's does.
func TestLogoutEndsOutlivingDownload(t *testing.T) {
	front := says("sid-alice")
	front.Reason = session.ReasonFrontchannel
	tests := []struct {
		name string
		say  session.Logout
		goes bool // on
	}{
		{"by sid", says("sid-alice"), false},
		{"by sub", says(""), false},
		{"through the browser", front, false},
		{"another session", says("sid-other"), true},
		{"another user", session.Logout{Provider: "main", Subject: "bob", Reason: session.ReasonBackchannel}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoom(t)
				ticket := r.signIn("alice", nil)
				download, done := r.resume(ticket).Download(true)
				defer done()
				time.Sleep(usualLimits.Idle + 2*time.Second)
				r.wantOver(ticket)
				want(t, "open after idling out", open(download), true)
				if _, err := r.Logout(t.Context(), tt.say); err != nil {
					t.Fatal(err)
				}
				want(t, "open after the logout", open(download), tt.goes)
			})
		})
	}
}

// A download whose session left memory, and can't be found while the store is in
// trouble, does not go on as if nobody could end it (E12, K4).
func TestDownloadOfSessionThatCannotBeFound(t *testing.T) {
	for _, finite := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			r := fewInMemory(t)
			ticket := r.signIn("alice", nil)
			held := r.resume(ticket)
			r.fill(60)
			time.Sleep(3 * time.Second)
			want(t, "in memory", r.Open(ticket), false)
			r.store.set("Load", errors.New("disk trouble"))
			over, release := held.Download(finite)
			defer release()
			r.store.set("Load", nil)
			if _, err := r.End(t.Context(), ticket, session.ReasonLogout); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			want(t, "the download is open after the logout", open(over), false)
		})
	}
}
