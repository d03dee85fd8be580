package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A store in trouble takes the process out of traffic, and says what is wrong
// with it (K4); the process itself is alive.
func TestReadyWithoutStore(t *testing.T) {
	dir := t.TempDir()
	cfg := DefaultConfig()
	cfg.PublicURL = mustURL("https://app.example.com")
	cfg.KeysFile, cfg.Store.Bolt.Path = filepath.Join(dir, "keys"), filepath.Join(dir, "sessions.db")
	cfg.Admin.TokenFile = filepath.Join(dir, "admin-token")
	a, err := wire(cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var draining atomic.Bool
	admin := httptest.NewServer(a.adminHandler(&draining))
	defer admin.Close()
	ask := func(path string) (int, string) {
		t.Helper()
		res, err := http.Get(admin.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		body, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(body)
	}
	if status, body := ask("/readyz"); status != http.StatusOK {
		t.Fatalf("/readyz = %d %s", status, body)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := a.manager.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := a.closeFiles(); err != nil {
		t.Fatal(err)
	}
	if status, body := ask("/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(body, `"status":"unready"`) || !strings.Contains(body, "closed") {
		t.Errorf("/readyz = %d %s, want 503 and the reason", status, body)
	}
	if status, _ := ask("/healthz"); status != http.StatusOK {
		t.Errorf("/healthz = %d, want 200", status)
	}
}
