package bolt_test

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

// gate keeps the writer busy until it is opened, so that whatever is asked for
// in the meantime goes into one batch.
type gate struct {
	open chan struct{}
	done chan error
}

func holdWriter(t *testing.T, s *bolt.Store) *gate {
	g := &gate{open: make(chan struct{}), done: make(chan error, 1)}
	go func() {
		g.done <- s.Do(t.Context(), false, func() error { <-g.open; return nil })
	}()
	synctest.Wait()
	return g
}

// release waits until all callers stand at the writer's door, then lets it go.
func (g *gate) release(t *testing.T) {
	synctest.Wait()
	close(g.open)
	if err := <-g.done; err != nil {
		t.Errorf("change at the gate: %v", err)
	}
}

// inBubble runs test with a store whose goroutines synctest can wait for.
func inBubble(t *testing.T, test func(t *testing.T, f fixture, s *bolt.Store)) {
	inBubbleOf(t, bolt.Options{}, test)
}

func inBubbleOf(t *testing.T, o bolt.Options, test func(t *testing.T, f fixture, s *bolt.Store)) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	o.Path = path
	synctest.Test(t, func(t *testing.T) {
		s, err := bolt.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		test(t, fixture{t, s}, s)
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	mustBeSound(t, path)
}

// On one processor, which the writer's system calls hold too, a crowd whose members
// come one by one, as they leave a gate, shares commits all the same.
func TestCrowdSharesCommits(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	s, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "sessions.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	const callers, rounds = 256, 8
	before := s.Commits()
	inside := make(chan struct{}, 32)
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range rounds {
				inside <- struct{}{}
				if err := s.Do(t.Context(), true, func() error { return nil }); err != nil {
					t.Error(err)
				}
				<-inside
			}
		})
	}
	all.Wait()
	if n := s.Commits() - before; n > callers*rounds/16 {
		t.Errorf("%d changes, 32 at a time, took %d commits", callers*rounds, n)
	} else {
		t.Logf("%d changes, 32 at a time, took %d commits", callers*rounds, n)
	}
}

// The crowd is not waited for where each of its members costs much: what keeps the
// processor busy keeps nobody from the disk for longer than a turn.
func TestBusyProcessorHoldsNobody(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	s, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "sessions.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	const changes = 100
	before := s.Commits()
	var all sync.WaitGroup
	for range changes {
		all.Go(func() {
			if err := s.Do(t.Context(), true, func() error { return nil }); err != nil {
				t.Error(err)
			}
		})
		for busy := time.Now(); time.Since(busy) < 2*time.Millisecond; {
			continue
		}
		runtime.Gosched() // the change waits, and it is the writer's turn
	}
	all.Wait()
	if n := s.Commits() - before; n < changes/10 {
		t.Errorf("%d changes, one for each turn of a busy processor, took %d commits: the first waited for too many", changes, n)
	} else {
		t.Logf("%d commits", n)
	}
}

// Many changes that wait together cost one commit.
func TestGroupCommit(t *testing.T) {
	tests := []struct {
		name         string
		callers      int
		transactions int
	}{
		{"one", 1, 1},
		{"as many as fit", bolt.BatchSize, 1},
		{"one too many", bolt.BatchSize + 1, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, f fixture, s *bolt.Store) {
				before := s.Commits()
				// The change at the gate is a batch of its own, and has nothing to
				// commit.
				g := holdWriter(t, s)
				var wg sync.WaitGroup
				for i := range tt.callers {
					wg.Go(func() { f.create(i, filing()) })
				}
				g.release(t)
				wg.Wait()
				if got := s.Commits() - before; got != tt.transactions {
					t.Errorf("%d callers took %d transactions, want %d", tt.callers, got, tt.transactions)
				}
				for i := range tt.callers {
					f.wantRecord(i, record(i))
				}
			})
		})
	}
}

// A refusal, a failure or a panic of one change is its own affair.
func TestBatchMembersAreApart(t *testing.T) {
	inBubble(t, func(t *testing.T, f fixture, s *bolt.Store) {
		f.create(0, filing())
		failure := errors.New("failure")
		g := holdWriter(t, s)
		var wg sync.WaitGroup
		for i := 1; i <= 20; i++ {
			wg.Go(func() { f.create(i, filing()) })
			wg.Go(func() {
				f.wantError("Create of what exists", f.Create(t.Context(), key(0), record(9), filing()), session.ErrConflict)
			})
			wg.Go(func() {
				f.wantError("SwapTokens of nothing", f.SwapTokens(t.Context(), key(999), session.TokensUpdate{From: 1, To: 2}), session.ErrNotFound)
			})
		}
		for range 3 {
			wg.Go(func() {
				f.wantError("failing change", s.Do(t.Context(), true, func() error { return failure }), failure)
			})
			wg.Go(func() {
				f.wantError("panicking change", s.Do(t.Context(), true, func() error { panic("boom") }), bolt.ErrDamaged)
			})
		}
		g.release(t)
		wg.Wait()
		for i := range 21 {
			f.wantRecord(i, record(i))
		}
		f.wantError("Ping", f.Ping(t.Context()), nil)
		f.create(50, filing())
	})
}

// Refusals cost the others nothing: their work is not thrown away.
func TestRefusalsAreCheap(t *testing.T) {
	inBubble(t, func(t *testing.T, f fixture, s *bolt.Store) {
		f.create(0, filing())
		used := burial(index(9))
		used.Mark = [32]byte{9}
		f.bury(used)
		g := holdWriter(t, s)
		var wg sync.WaitGroup
		calls := 0
		wg.Go(func() {
			f.wantError("change", s.Do(t.Context(), true, func() error { calls++; return nil }), nil)
		})
		for range 20 {
			wg.Go(func() {
				f.wantError("Create", f.Create(t.Context(), key(0), record(0), filing()), session.ErrConflict)
			})
			wg.Go(func() {
				f.wantError("Create against a fence", f.Create(t.Context(), key(1), record(1), session.Filing{Subject: index(9)}), session.ErrSignedOut)
			})
			wg.Go(func() {
				_, err := f.Bury(t.Context(), used)
				f.wantError("Bury with a used mark", err, session.ErrRepeated)
			})
		}
		g.release(t)
		wg.Wait()
		if calls != 1 {
			t.Errorf("a change among refusals was made %d times, want once", calls)
		}
	})
}

// A change with nothing to write does not bother the disk.
func TestNothingToCommit(t *testing.T) {
	s := openStore(t)
	f := fixture{t, s}
	f.create(1, filing())
	before := s.Commits()
	f.wantError("Create", f.Create(t.Context(), key(1), record(1), filing()), session.ErrConflict)
	f.wantError("Delete", f.Delete(t.Context(), key(2), nil), nil)
	f.sweep(start, 10, 0)
	if got := s.Commits() - before; got != 0 {
		t.Errorf("%d transactions, want none", got)
	}
}

func TestContextWhileWaiting(t *testing.T) {
	t.Run("before the writer takes it up", func(t *testing.T) {
		inBubble(t, func(t *testing.T, f fixture, s *bolt.Store) {
			g := holdWriter(t, s)
			ctx, cancel := context.WithCancel(t.Context())
			result := make(chan error)
			go func() { result <- s.Create(ctx, key(1), record(1), filing()) }()
			synctest.Wait()
			cancel()
			f.wantError("Create", <-result, context.Canceled)
			g.release(t)
			f.wantNone(1)
		})
	})
	t.Run("after", func(t *testing.T) {
		inBubble(t, func(t *testing.T, f fixture, s *bolt.Store) {
			ctx, cancel := context.WithCancel(t.Context())
			before := s.Commits()
			err := s.Do(ctx, true, func() error { cancel(); return nil })
			f.wantError("change", err, nil)
			if got := s.Commits() - before; got != 1 {
				t.Errorf("%d transactions, want 1", got)
			}
		})
	})
}

// Close answers what was asked before it, and refuses what comes after.
func TestCloseDrains(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	synctest.Test(t, func(t *testing.T) {
		s, err := bolt.Open(bolt.Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		f := fixture{t, s}
		g := holdWriter(t, s)
		var wg sync.WaitGroup
		for i := range 30 {
			wg.Go(func() { f.create(i, filing()) })
		}
		synctest.Wait()
		wg.Go(func() {
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		g.release(t)
		wg.Wait()
		f.wantError("Create", f.Create(t.Context(), key(99), record(1), filing()), bolt.ErrClosed)
	})
	f := fixture{t, openPath(t, path)}
	for i := range 30 {
		f.wantRecord(i, record(i))
	}
	f.wantNone(99)
}
