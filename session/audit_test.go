package session_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/cloakroom/cloakroom/session"
)

// N3: an end that nobody asked for stands out in the log; the usual ones don't.
func TestLevelOfEnds(t *testing.T) {
	for _, tt := range []struct{ reason, class, level string }{
		{session.ReasonLogout, "", "INFO"},
		{session.ReasonIdle, "", "INFO"},
		{session.ReasonNoRenew, "", "INFO"},
		{session.ReasonRefused, session.ClassUnknown, "INFO"},
		{session.ReasonRefused, session.ClassOwnCrash, "INFO"},
		{session.ReasonRefused, session.ClassTheft, "WARN"},
		{session.ReasonOwnCrash, session.ClassOwnCrash, "WARN"},
		{session.ReasonReplay, "", "WARN"},
		{session.ReasonContext, "", "WARN"},
		{session.ReasonIdentity, "", "WARN"},
	} {
		var out bytes.Buffer
		session.Audit(t.Context(), slog.New(slog.NewJSONHandler(&out, nil)), session.EventEnded,
			slog.String("class", tt.class), slog.String("reason", tt.reason))
		var line struct{ Level string }
		if err := json.Unmarshal(out.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		want(t, tt.reason+" "+tt.class, line.Level, tt.level)
	}
}
