package web_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/web"
)

// E7, R25: after the machine's clock went back, sessions are counted by the time
// that the store knows, and so is what the browser is told is left.
func TestTimesLeftWithClockBehind(t *testing.T) {
	for _, behind := range []time.Duration{0, 2 * time.Hour} {
		s := newStand(t, options{web: func(c *web.Config) {
			c.Now = func() time.Time { return time.Now().Add(-behind) }
		}})
		body := s.signedIn(t, "alice").fetch("GET", "/bff/session").want(http.StatusOK).json()
		times, token := body["session"].(map[string]any), body["token"].(map[string]any)
		for _, tt := range []struct {
			name string
			got  any
			want time.Duration
		}{
			{"idle", times["idle_expires_in"], 30 * time.Minute},
			{"absolute", times["absolute_expires_in"], 12 * time.Hour},
			{"token", token["expires_in"], 5 * time.Minute},
		} {
			if got, ok := tt.got.(float64); !ok || got > tt.want.Seconds() || got < tt.want.Seconds()-10 {
				t.Errorf("%v behind, %s: got %v, want %v", behind, tt.name, tt.got, tt.want.Seconds())
			}
		}
	}
}
