package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session/bolt"
)

// asked is the admin listener of a wired app and a client that may ask it.
func asked(t *testing.T, a *app) (*httptest.Server, *adminClient) {
	t.Helper()
	var draining atomic.Bool
	server := httptest.NewServer(a.adminHandler(&draining))
	t.Cleanup(server.Close)
	a.cfg.Admin.Listen = server.Listener.Addr().String()
	return server, newAdminClient(a.cfg)
}

// unchecked is for backups that never get so far.
func unchecked(string) error { return nil }

// A backup of a running store is a whole store, private to its owner, and is
// checked before it has its name.
func TestBackupOfRunningStore(t *testing.T) {
	var log bytes.Buffer
	a := wired(t, &log, nil)
	_, client := asked(t, a)
	to := filepath.Join(t.TempDir(), "copy.db")
	if err := client.backup(t.Context(), to, func(file string) error { _, err := bolt.Check(file); return err }); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy: %v, %v, want mode 0600", info, err)
	}
	if report, err := bolt.Check(to); err != nil {
		t.Errorf("the copy: %+v, %v", report, err)
	}
	if err := client.backup(t.Context(), to, unchecked); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("over an existing file: %v, want a refusal", err)
	}
	damaged := errors.New("damaged")
	if err := client.backup(t.Context(), to+"2", func(string) error { return damaged }); !errors.Is(err, damaged) {
		t.Errorf("a copy that does not hold: %v", err)
	}
	if left, _ := filepath.Glob(to + "*"); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	if n := strings.Count(log.String(), "a backup of the store was taken"); n != 2 {
		t.Errorf("the log tells of %d backups, want 2:\n%s", n, &log)
	}
	log.Reset()
	if err := client.copyStore(t.Context(), "/store/backup?for=check", to+"3", unchecked); err != nil {
		t.Fatal(err)
	}
	if said := log.String(); !strings.Contains(said, "the store was copied to be checked") || strings.Contains(said, "backup") {
		t.Errorf("of a copy for a check the log says %q", said)
	}
}

// A backup that is cut off leaves nothing: half a store is none.
func TestBackupCutOff(t *testing.T) {
	for _, tt := range []struct {
		name  string
		write func(w http.ResponseWriter)
	}{
		{"by the server's death", func(w http.ResponseWriter) {
			_, _ = w.Write(make([]byte, 1<<16))
			_ = http.NewResponseController(w).Flush()
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		}},
		{"by an error there", func(w http.ResponseWriter) {
			_, _ = w.Write(make([]byte, 1<<16))
			panic(http.ErrAbortHandler)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { tt.write(w) }))
			defer server.Close()
			dir := t.TempDir()
			cfg := DefaultConfig()
			cfg.Admin.Listen, cfg.Admin.TokenFile = server.Listener.Addr().String(), filepath.Join(dir, "token")
			cfg.Store.Bolt.Path = filepath.Join(dir, "sessions.db")
			store, err := bolt.Open(bolt.Options{Path: cfg.Store.Bolt.Path}) // the server has it
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = store.Close() }()
			if err := os.WriteFile(cfg.Admin.TokenFile, []byte(strings.Repeat("A", 43)), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := newAdminClient(cfg).backup(t.Context(), filepath.Join(dir, "copy.db"), unchecked); err == nil {
				t.Error("half a copy was taken for a whole one")
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "copy*")); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// slowly is an http.ResponseWriter that stops at the first byte.
type slowly struct {
	http.ResponseWriter
	once        sync.Once
	begun, goOn chan struct{}
}

func (s *slowly) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.begun); <-s.goOn })
	return s.ResponseWriter.Write(p)
}

// fullPipe takes some bytes and no more.
type fullPipe struct {
	*httptest.ResponseRecorder
	room int
}

func (p *fullPipe) Write(b []byte) (int, error) {
	if p.room -= len(b); p.room < 0 {
		return 0, errors.New("the pipe is full")
	}
	return p.ResponseRecorder.Write(b)
}

// A backup that fails says so, or, once it has begun, cuts the answer off.
func TestBackupFails(t *testing.T) {
	for _, tt := range []struct {
		name string
		room int
		want any // what it panics with
	}{
		{"before the first byte", 0, nil},
		{"later", 10_000, http.ErrAbortHandler},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			a := wired(t, &log, nil)
			w := &fullPipe{httptest.NewRecorder(), tt.room}
			defer func() {
				if got := recover(); got != tt.want {
					t.Errorf("panic %v, want %v", got, tt.want)
				}
				if tt.want == nil && w.Code != http.StatusInternalServerError {
					t.Errorf("status %d, want 500", w.Code)
				}
				if !strings.Contains(log.String(), "level=ERROR") {
					t.Errorf("the log says %q", log.String())
				}
			}()
			a.backupStore(w, httptest.NewRequest("POST", "/store/backup", nil))
		})
	}
}

// One backup at a time: each takes twice the store's space.
func TestBackupOneAtATime(t *testing.T) {
	var log bytes.Buffer
	a := wired(t, &log, nil)
	post := httptest.NewRequest("POST", "/store/backup", nil)
	first := &slowly{ResponseWriter: httptest.NewRecorder(), begun: make(chan struct{}), goOn: make(chan struct{})}
	done := make(chan struct{})
	go func() { a.backupStore(first, post); close(done) }()
	<-first.begun
	second := httptest.NewRecorder()
	a.backupStore(second, post)
	if second.Code != http.StatusConflict {
		t.Errorf("a second backup beside the first = %d, want 409", second.Code)
	}
	close(first.goOn)
	<-done
	third := httptest.NewRecorder()
	if a.backupStore(third, post); third.Code != http.StatusOK || third.Body.Len() == 0 {
		t.Errorf("a backup after the first = %d, %d bytes", third.Code, third.Body.Len())
	}
}

// timed is an http.ResponseWriter that, like a connection, can be given a
// deadline; each write uses it up.
type timed struct {
	*httptest.ResponseRecorder
	deadline time.Time
	endless  int // writes without one
}

func (w *timed) SetWriteDeadline(t time.Time) error {
	w.deadline = t
	return nil
}

func (w *timed) Write(p []byte) (int, error) {
	if left := time.Until(w.deadline); left <= 0 || left > time.Minute {
		w.endless++
	}
	w.deadline = time.Time{}
	return w.ResponseRecorder.Write(p)
}

// Whoever asks for a backup and does not read it keeps others from taking one for
// a while, not for ever: each piece has a deadline of its own.
func TestBackupStalls(t *testing.T) {
	var log bytes.Buffer
	a := wired(t, &log, nil)
	w := &timed{ResponseRecorder: httptest.NewRecorder()}
	a.backupStore(w, httptest.NewRequest("POST", "/store/backup", nil))
	if w.Body.Len() == 0 || w.endless > 0 {
		t.Errorf("%d bytes, %d pieces without a deadline; want all with one", w.Body.Len(), w.endless)
	}
}

// Without a token of its own a server lets nobody in, whatever they present.
func TestNoTokenOpensNothing(t *testing.T) {
	var log bytes.Buffer
	a := wired(t, &log, nil)
	a.token = ""
	server, _ := asked(t, a)
	for _, header := range []string{"", "Bearer", "Bearer "} {
		r, err := http.NewRequest("GET", server.URL+"/keys", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", header)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized {
			t.Errorf("Authorization %q = %d, want 401", header, res.StatusCode)
		}
	}
}

// The client tells a server that isn't there from one that can't be asked.
func TestAdminClientNotRunning(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.Admin.Listen, cfg.Admin.TokenFile = l.Addr().String(), filepath.Join(t.TempDir(), "token")
	_ = l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for _, token := range []string{"", strings.Repeat("A", 43)} {
		if token != "" {
			if err := os.WriteFile(cfg.Admin.TokenFile, []byte(token), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := newAdminClient(cfg).do(ctx, "GET", "/keys"); !errors.Is(err, errNotRunning) {
			t.Errorf("with token %q: %v, want errNotRunning", token, err)
		}
	}
}
