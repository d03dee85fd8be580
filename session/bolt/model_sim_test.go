package bolt_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

const (
	simWorkers = 8
	simKeys    = 30 // of each worker
	simRounds  = 8
	simOps     = 60 // of each worker in each round
)

// TestSimulation does the same random things to the store and to the model,
// from several goroutines at once, and compares all there is to see, before
// and after closing and opening the file. Workers have sessions of their own,
// so that the order among them makes no difference to the outcome.
func TestSimulation(t *testing.T) {
	const seed = 20260102
	t.Logf("seed %d", seed)
	path := filepath.Join(t.TempDir(), "sessions.db")
	want := newModel()
	now := start
	for round := range simRounds {
		s, err := bolt.Open(bolt.Options{Path: path})
		if err != nil {
			t.Fatalf("round %d: Open: %v", round, err)
		}
		var wg sync.WaitGroup
		for worker := range simWorkers {
			wg.Go(func() {
				w := &simWorker{t: t, rnd: rand.New(rand.NewPCG(seed, uint64(round*simWorkers+worker))), base: worker * simKeys, now: now}
				for range simOps {
					w.step(s, want)
				}
			})
		}
		wg.Wait()
		now = now.Add(time.Hour)
		sweepBoth(t, s, want, now)
		compare(t, s, want)
		if err := s.Close(); err != nil {
			t.Fatalf("round %d: Close: %v", round, err)
		}
		mustBeSound(t, path)
	}
	s := openPath(t, path)
	compare(t, s, want)
	sweepBoth(t, s, want, now.Add(1000*time.Hour))
	compare(t, s, want)
}

type simWorker struct {
	t    *testing.T
	rnd  *rand.Rand
	base int
	now  time.Time
}

func (w *simWorker) bytes(limit int) []byte {
	b := make([]byte, 1+w.rnd.IntN(limit))
	for i := range b {
		b[i] = byte(w.rnd.Uint32())
	}
	return b
}

// ends returns when a session made now ends: some in the past, many at once.
func (w *simWorker) ends() (expires, until time.Time) {
	expires = w.now.Add(time.Duration(w.rnd.IntN(8)-1) * 30 * time.Minute)
	return expires, expires.Add(time.Duration(w.rnd.IntN(4)) * time.Hour)
}

// step does one random thing to both and compares the answers.
func (w *simWorker) step(got, want session.Store) {
	ctx := w.t.Context()
	k := key(w.base + w.rnd.IntN(simKeys))
	expires, until := w.ends()
	var op func(s session.Store) (string, error)
	switch w.rnd.IntN(6) {
	case 0, 1:
		r := session.Record{Head: w.bytes(600), Tokens: w.bytes(9000), Version: uint64(w.rnd.IntN(4))}
		f := session.Filing{Subject: index(w.rnd.IntN(5)), SID: index(w.rnd.IntN(9)), Expires: expires, Until: until}
		op = func(s session.Store) (string, error) { return "create", s.Create(ctx, k, r, f) }
	case 2:
		u := session.TokensUpdate{From: uint64(w.rnd.IntN(4)), Tokens: w.bytes(9000)}
		u.To = u.From + 1
		op = func(s session.Store) (string, error) { return "swap", s.SwapTokens(ctx, k, u) }
	case 3:
		var updates []session.HeadUpdate
		for range w.rnd.IntN(10) {
			k := key(w.base + w.rnd.IntN(simKeys))
			updates = append(updates, session.HeadUpdate{Key: k, Head: w.bytes(600), Expires: expires, Until: until})
		}
		op = func(s session.Store) (string, error) { return "update", s.UpdateHeads(ctx, updates) }
	case 4:
		if w.rnd.IntN(2) == 0 {
			op = func(s session.Store) (string, error) { return "delete", s.Delete(ctx, k, nil) }
			break
		}
		op = func(s session.Store) (string, error) {
			fresh, err := s.MarkUsed(ctx, [32]byte(k), expires)
			return fmt.Sprintf("mark %v", fresh), err
		}
	case 5:
		op = func(s session.Store) (string, error) {
			r, err := s.Load(ctx, k)
			return fmt.Sprintf("load %x %x %d", r.Head, r.Tokens, r.Version), err
		}
	}
	gotAnswer, gotErr := op(got)
	wantAnswer, wantErr := op(want)
	if gotAnswer != wantAnswer || !sameError(gotErr, wantErr) {
		w.t.Errorf("%.40s, %v; want %.40s, %v", gotAnswer, gotErr, wantAnswer, wantErr)
	}
}

func sameError(a, b error) bool {
	for _, err := range []error{session.ErrNotFound, session.ErrConflict} {
		if errors.Is(a, err) != errors.Is(b, err) {
			return false
		}
	}
	return (a == nil) == (b == nil)
}

func sweepBoth(t *testing.T, got, want session.Store, now time.Time) {
	t.Helper()
	const all = 1 << 20
	n, err := got.Sweep(t.Context(), now, all)
	if err != nil {
		t.Errorf("Sweep: %v", err)
	}
	m, _ := want.Sweep(t.Context(), now, all)
	// Ends that coincide may be handled as one.
	if n == 0 && m > 0 || n > m {
		t.Errorf("Sweep handled %d, the model %d", n, m)
	}
}

// compare looks at every session and every index there can be.
func compare(t *testing.T, got, want session.Store) {
	t.Helper()
	for i := range simWorkers * simKeys {
		g, gErr := got.Load(t.Context(), key(i))
		w, wErr := want.Load(t.Context(), key(i))
		if !same(g, w) || !sameError(gErr, wErr) {
			t.Errorf("Load(%d) = %d and %d bytes, version %d, %v; want %d and %d, version %d, %v", i,
				len(g.Head), len(g.Tokens), g.Version, gErr, len(w.Head), len(w.Tokens), w.Version, wErr)
		}
	}
	for i := range 10 {
		g, gErr := got.Find(t.Context(), index(i))
		w, wErr := want.Find(t.Context(), index(i))
		order := func(a, b session.Key) int { return bytes.Compare(a[:], b[:]) }
		slices.SortFunc(g, order)
		slices.SortFunc(w, order)
		if !slices.Equal(g, w) || gErr != nil || wErr != nil {
			t.Errorf("Find(%d) = %d keys, %v; want %d, %v", i, len(g), gErr, len(w), wErr)
		}
	}
}
