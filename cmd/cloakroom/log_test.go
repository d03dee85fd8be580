package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// TestLogger proves that lines are in UTC (N3), can't be forged by what they
// carry (N4), and hold no secret even where one is passed (N1).
func TestLogger(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		t.Run(format, func(t *testing.T) {
			var out bytes.Buffer
			log := newLogger(&out, Log{Level: "warn", Format: format})
			log.Info("below the level")
			log.Warn("a\r\nlevel=ERROR msg=forged", "agent", "x\n\x1b[31m", "token", session.Secret("canary"))
			text := out.String()
			if strings.Count(text, "\n") != 1 || strings.ContainsAny(strings.TrimSuffix(text, "\n"), "\r\n\x1b") {
				t.Errorf("the log = %q, want one line without control characters", text)
			}
			if strings.Contains(text, "canary") || !strings.Contains(text, "[redacted]") {
				t.Errorf("the log = %q, want the secret redacted", text)
			}
		})
	}

	var out bytes.Buffer
	handler := newLogger(&out, Log{Level: "debug", Format: "json"}).Handler()
	east := time.Date(2026, 1, 2, 9, 30, 0, 123456789, time.FixedZone("east", 3600))
	record := slog.NewRecord(east, slog.LevelDebug, "x", 0)
	record.Add("took", 90*time.Second)
	if err := handler.Handle(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	var line struct{ Time, Took string }
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line.Time != "2026-01-02T08:30:00.123Z" {
		t.Errorf("time = %q, %v, want it in UTC to the millisecond", line.Time, err)
	}
	if line.Took != "1m30s" {
		t.Errorf("a duration is %q, want 1m30s", line.Took)
	}
}
