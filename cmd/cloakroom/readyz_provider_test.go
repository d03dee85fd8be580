package main_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// K3: a provider that is down is told as unreachable, though its metadata is at
// hand; that takes nothing out of traffic, and once it is back it is told as ok.
func TestReadyzTellsOfAnOutage(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{AccessTTL: 2 * time.Second})
	s.serve()
	u := s.user()
	u.signIn()
	is := func(want string) {
		t.Helper()
		deadline := time.After(20 * time.Second)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			u.send("GET", "/api/whoami") // its token runs out
			status, body := s.ask("/readyz", nil)
			if status != http.StatusOK {
				t.Fatalf("/readyz = %d %s, want 200", status, body)
			}
			if strings.Contains(body, `"main":"`+want+`"`) {
				return
			}
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("/readyz = %s, want main to be %s", body, want)
			}
		}
	}
	is("ok")
	down := demo.Fault{Reply: demo.JSONReply(503, "")}
	s.provider.SetFaults(demo.Faults{Refresh: down, Discovery: down})
	is("unreachable")
	s.provider.SetFaults(demo.Faults{})
	is("ok")
}
