package main

import (
	"io"
	"log/slog"
	"time"
)

// newLogger returns the logger that cfg asks for, writing to w. Times are UTC
// (N3); values are escaped by slog's handlers, so that no line can be forged
// (N4).
func newLogger(w io.Writer, cfg Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Level)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey && a.Value.Kind() == slog.KindTime {
				return slog.Time(a.Key, a.Value.Time().UTC().Truncate(time.Millisecond))
			}
			if a.Value.Kind() == slog.KindDuration { // JSON would give nanoseconds
				return slog.String(a.Key, a.Value.Duration().String())
			}
			return a
		},
	}
	if cfg.Format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}
