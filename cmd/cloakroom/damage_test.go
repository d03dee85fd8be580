package main

import (
	"bytes"
	endian "encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

// errorLines passes on the log's lines of level ERROR.
type errorLines chan string

func (c errorLines) Write(b []byte) (int, error) {
	var line struct{ Level string }
	if json.Unmarshal(b, &line) == nil && line.Level == "ERROR" {
		c <- string(b)
	}
	return len(b), nil
}

// Experiment 12: what has rotted on the disk while Cloakroom was stopped keeps
// nobody else from signing in. It is told with the remedy, and shows in the metrics.
func TestDamageIsTold(t *testing.T) {
	cfg := stoppedStore(t)
	rotten := bytes.Repeat([]byte{0xAB}, len(session.Key{}))
	fillAndRot(t, cfg.Store.Bolt.Path, session.Key(rotten))

	lines := make(errorLines, 10)
	a, err := wire(cfg, nil, slog.New(slog.NewJSONHandler(lines, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.closeFiles() }()
	if line := <-lines; !strings.Contains(line, "damaged") || !strings.Contains(line, cfg.Store.Bolt.Path) || !strings.Contains(line, "cloakroom store restore FILE") {
		t.Errorf("the log says %s, want the file and what to do", line)
	}
	if _, err := a.store.Load(t.Context(), session.Key(rotten)); !errors.Is(err, bolt.ErrDamaged) {
		t.Errorf("Load: %v, want ErrDamaged", err)
	}
	admin := httptest.NewServer(a.adminHandler(new(atomic.Bool)))
	defer admin.Close()
	for path, want := range map[string]string{"/metrics": "cloakroom_store_sound 0", "/readyz": ""} {
		res, err := http.Get(admin.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s = %d without %s", path, res.StatusCode, want)
		}
	}
	if len(lines) > 0 {
		t.Errorf("told again: %s", <-lines)
	}
}

// stoppedStore returns the configuration of a Cloakroom that was started once.
func stoppedStore(t *testing.T) *Config {
	t.Helper()
	cfg := inFolder(t)
	first, err := wire(cfg, nil, slog.New(slog.DiscardHandler)) // makes the keys
	if err == nil {
		err = errors.Join(first.manager.Close(t.Context()), first.closeFiles())
	}
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// J10: without the record that shows whether the keys fit there is no start, and the
// operator is told what to do.
func TestDamagedProbe(t *testing.T) {
	cfg := stoppedStore(t)
	db, err := bbolt.Open(cfg.Store.Bolt.Path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("sessions")).Put(make([]byte, len(session.Key{})), []byte("torn"))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = wire(cfg, nil, slog.New(slog.DiscardHandler))
	var h hinted
	if !errors.Is(err, bolt.ErrDamaged) || !errors.As(err, &h) || h.hint != remedy {
		t.Errorf("wire: %v, want ErrDamaged and the remedy", err)
	}
}

// fillAndRot makes a store of some sessions and damages the page on which the
// tokens of the last one lie, so that nothing else shows it.
func fillAndRot(t *testing.T, path string, last session.Key) {
	t.Helper()
	s, err := bolt.Open(bolt.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	tokens := bytes.Repeat([]byte("sealed"), 700)
	day := time.Now().Add(24 * time.Hour)
	for i := range 10 {
		k := session.Key{byte(i + 1)}
		if i == 9 {
			k, tokens = last, bytes.Repeat([]byte("rotten"), 700)
		}
		err := s.Create(t.Context(), k, session.Record{Head: []byte("head"), Tokens: tokens, Version: 1}, session.Filing{Expires: day, Until: day})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	size := os.Getpagesize()
	page := bytes.Index(b, []byte("rottenrotten")) / size
	for endian.NativeEndian.Uint64(b[page*size:]) != uint64(page) { // it overflows from one before
		page--
	}
	clear(b[page*size:][:16])
	if err := errors.Join(os.WriteFile(path, b, 0o600), os.Chtimes(path, info.ModTime(), info.ModTime())); err != nil {
		t.Fatal(err)
	}
}
