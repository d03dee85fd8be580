package session_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cloakroom/cloakroom/session"
)

func from(agent, address string) session.UserContext {
	c := session.UserContext{UserAgent: agent}
	if address != "" {
		c.Address = netip.MustParseAddr(address)
	}
	return c
}

// E17: what counts as another browser or network, and what comes of it.
func TestUserContext(t *testing.T) {
	long := strings.Repeat("x", 255)
	tests := []struct {
		name      string
		then, now session.UserContext
		changed   string // "" for no change
	}{
		{"the same", from("a", "192.0.2.7"), from("a", "192.0.2.7"), ""},
		{"same /24", from("a", "192.0.2.7"), from("a", "192.0.2.255"), ""},
		{"next /24", from("a", "192.0.2.7"), from("a", "192.0.3.7"), "network"},
		{"same /48", from("a", "2001:db8:1::1"), from("a", "2001:db8:1:ffff::2"), ""},
		{"next /48", from("a", "2001:db8:1::1"), from("a", "2001:db8:2::1"), "network"},
		{"IPv4 in IPv6", from("a", "192.0.2.7"), from("a", "::ffff:192.0.2.9"), ""},
		{"IPv4 in IPv6, next /24", from("a", "::ffff:192.0.2.7"), from("a", "192.0.3.9"), "network"},
		{"a zone", from("a", "fe80::1%eth0"), from("a", "fe80::2%eth1"), ""},
		{"address unknown now", from("a", "192.0.2.7"), from("a", ""), ""},
		{"address unknown then", from("a", ""), from("a", "192.0.2.7"), ""},
		{"another browser", from("a", "192.0.2.7"), from("b", "192.0.2.7"), "user_agent"},
		{"another browser, address unknown", from("a", ""), from("b", ""), "user_agent"},
		{"no browser", from("a", ""), from("", ""), "user_agent"},
		{"both", from("a", "192.0.2.7"), from("b", "198.51.100.7"), "user_agent, network"},
		{"alike for 256 bytes", from(long+"ab", ""), from(long+"ac", ""), ""},
		{"bytes that are no text", from("a\xff", ""), from("a\xff", ""), ""},
		{"a long one that is cut within a letter", from(long+"ä", ""), from(long+"ä", ""), ""},
	}
	for _, tt := range tests {
		for _, bind := range []session.Bind{"", session.BindOff, session.BindLog, session.BindStrict} {
			t.Run(fmt.Sprintf("%s, %q", tt.name, bind), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRoom(t, func(r *room) { r.config = func(c *session.Config) { c.Bind = bind } })
					in := r.provider.signIn("alice")
					in.From = tt.then
					ticket, err := r.Start(t.Context(), in, nil)
					if err != nil {
						t.Fatal(err)
					}
					r.restart() // what was written counts
					err = r.resume(ticket).From(tt.now)
					ends := bind == session.BindStrict && tt.changed != ""
					want(t, "ended", errors.Is(err, session.ErrNotFound), ends)
					synctest.Wait()
					_, err = r.Resume(t.Context(), ticket)
					want(t, "over", err != nil, ends)
					want(t, "revoked", len(r.provider.revocations()) == 1, ends)
					want(t, "event", len(r.log.events(session.EventContext)) == 1, bind == session.BindLog && tt.changed != "")
					said := strings.Contains(r.log.String(), `"changed":"`+tt.changed+`"`)
					told := bind == session.BindLog || bind == session.BindStrict
					agents := strings.Contains(r.log.String(), `"user_agent":"b","user_agent_before":"a"`)
					want(t, "both user agents", agents, told && tt.now.UserAgent == "b")
					want(t, "which", said, tt.changed != "" && told)
				})
			})
		}
	}
}

// E17: each change is told once, however often it is seen, and no more than a
// few of them; going home is none.
func TestContextToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t, func(r *room) { r.config = func(c *session.Config) { c.Bind = session.BindLog } })
		in := r.provider.signIn("alice")
		in.From = from("a", "192.0.2.7")
		ticket, err := r.Start(t.Context(), in, nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			for _, c := range []session.UserContext{from("a", "198.51.100.7"), in.From, from("b", "192.0.2.7"), from("a", "198.51.100.9")} {
				if err := r.resume(ticket).From(c); err != nil {
					t.Error(err)
				}
			}
		}
		want(t, "events", len(r.log.events(session.EventContext)), 2)
		for i := range 100 {
			_ = r.resume(ticket).From(from(fmt.Sprint(i), ""))
		}
		want(t, "events of a hundred more", len(r.log.events(session.EventContext)), 8)
	})
}
