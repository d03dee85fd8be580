package main_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// What a route demands, and the bounds of events and devices, reach whoever acts on
// them as they are written in the file.
func TestStrengthOptions(t *testing.T) {
	const route = "strip_prefix: /api}"
	refused := func(status int, code string) func(*testing.T, *user) {
		return func(t *testing.T, u *user) {
			t.Helper()
			if got, body := u.send("GET", "/api/whoami"); got != status || !strings.Contains(body, `"code":"`+code+`"`) {
				t.Errorf("a call = %d %s, want %d %s", got, body, status, code)
			}
		}
	}
	passes := func(t *testing.T, u *user) {
		t.Helper()
		if got, body := u.send("GET", "/api/whoami"); got != http.StatusOK {
			t.Errorf("a call = %d %s", got, body)
		}
		if _, body := u.send("GET", "/bff/user"); strings.Contains(body, "amr") {
			t.Errorf("the app is shown the claim of a rule: %s", body)
		}
	}
	endsOthers := func(status int) func(*testing.T, *user) {
		return func(t *testing.T, u *user) {
			t.Helper()
			if got, body := u.send("DELETE", "/bff/sessions"); got != status {
				t.Errorf("ending other sessions = %d %s, want %d", got, body, status)
			}
		}
	}
	for _, tt := range []struct {
		name, old, new string
		try            func(*testing.T, *user)
	}{
		{"acr_values met", route, `strip_prefix: /api, acr_values: ["2", "1"]}`, passes},
		{"acr_values", route, `strip_prefix: /api, acr_values: ["2"]}`, refused(http.StatusUnauthorized, "step_up_required")},
		{"max_age met", route, `strip_prefix: /api, max_age: 1h}`, passes},
		{"require met", route, `strip_prefix: /api, require: {claim: amr, any: [otp, demo]}}`, passes},
		{"require", route, `strip_prefix: /api, require: {claim: amr, any: [otp]}}`, refused(http.StatusForbidden, "not_permitted")},
		{"require all of several", route, `strip_prefix: /api, require: [{claim: amr, any: [demo]}, {claim: sub, all: [u-1002]}]}`,
			refused(http.StatusForbidden, "not_permitted")},
		{"recent_auth by default", "", "", endsOthers(http.StatusUnauthorized)},
		{"recent_auth", "{renew_timeout: 5s}", "{renew_timeout: 5s, recent_auth: 2h}", endsOthers(http.StatusOK)},
		{"recent_auth off", "{renew_timeout: 5s}", "{renew_timeout: 5s, recent_auth: 0s}", endsOthers(http.StatusOK)},
		{"event_streams", "log:", "limits: {event_streams: 1}\nlog:", func(t *testing.T, u *user) {
			if res, err := u.open("/bff/events"); err != nil || res.StatusCode != http.StatusOK {
				t.Fatalf("an event stream: %v", err)
			}
			if got, body := u.send("GET", "/bff/events"); got != http.StatusServiceUnavailable {
				t.Errorf("another = %d %s, want 503", got, body)
			}
			if _, text := u.ask("/metrics", nil); !strings.Contains(text, "\ncloakroom_event_streams 1\n") {
				t.Error("the metrics don't count it")
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, demo.ProviderConfig{})
			if strings.HasPrefix(tt.name, "recent_auth") {
				anHourAgo := func(c map[string]any) { c["auth_time"] = time.Now().Add(-time.Hour).Unix() }
				s.provider.SetFaults(demo.Faults{Code: demo.Fault{EditIDToken: anHourAgo}})
			}
			if text := s.config(tt.old, tt.new); tt.old != "" {
				write(t, s.dir, "config.yaml", text)
			}
			p := s.serve()
			u := s.user()
			u.signIn()
			tt.try(t, u)
			p.stop()
			p.wait()
		})
	}
}
