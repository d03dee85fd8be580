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
	simOps     = 90 // of each worker in each round

	simSubjects = 3 // of each worker
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
				w := &simWorker{t: t, rnd: rand.New(rand.NewPCG(seed, uint64(round*simWorkers+worker))), worker: worker, now: now}
				for range simOps {
					w.step(s, want)
				}
			})
		}
		wg.Wait()
		now = now.Add(time.Hour)
		sweepBoth(t, s, want, now)
		compare(t, s, want, now)
		if err := s.Close(); err != nil {
			t.Fatalf("round %d: Close: %v", round, err)
		}
		if report, err := bolt.Check(path); err != nil || report.Debris > 0 || report.Restored != "" {
			t.Errorf("round %d: Check = %+v, %v, want nothing wrong and no debris", round, report, err)
		}
		mustBeSound(t, path)
	}
	s := openPath(t, path)
	compare(t, s, want, now)
	sweepBoth(t, s, want, now.Add(1000*time.Hour))
	compare(t, s, want, now)
}

type simWorker struct {
	t      *testing.T
	rnd    *rand.Rand
	worker int
	now    time.Time
}

// key, subject and token return one of the worker's own.
func (w *simWorker) key() session.Key { return key(w.worker*simKeys + w.rnd.IntN(simKeys)) }

func (w *simWorker) subject() session.IndexKey { return simSubject(w.worker, w.rnd.IntN(simSubjects)) }

func (w *simWorker) token() session.Revocation {
	return session.Revocation{ID: [16]byte{byte(w.worker), byte(w.rnd.IntN(20))}, Due: w.moment(), Sealed: w.bytes(600)}
}

func simSubject(worker, i int) session.IndexKey {
	return session.IndexKey{30: byte(worker + 1), 31: byte(i)}
}

// moment is a little before or after now, and often the same.
func (w *simWorker) moment() time.Time {
	return w.now.Add(time.Duration(w.rnd.IntN(9)-4) * time.Minute)
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
	op := []func() simOp{
		w.create, w.create, w.swap, w.update, w.delete, w.use, w.load, w.bury, w.revoke, w.drop,
	}[w.rnd.IntN(10)]()
	gotAnswer, gotErr := op(got)
	wantAnswer, wantErr := op(want)
	if gotAnswer != wantAnswer || !sameError(gotErr, wantErr) {
		w.t.Errorf("%.40s, %v; want %.40s, %v", gotAnswer, gotErr, wantAnswer, wantErr)
	}
}

// simOp is one call. It says what it did and was told.
type simOp func(s session.Store) (string, error)

func (w *simWorker) create() simOp {
	k := w.key()
	expires, until := w.ends()
	r := session.Record{Head: w.bytes(600), Tokens: w.bytes(9000), Version: uint64(w.rnd.IntN(4))}
	f := session.Filing{
		Subject: w.subject(), SubjectSince: w.moment(), SID: index(w.rnd.IntN(9)), SIDSince: w.moment(),
		Expires: expires, Until: until,
	}
	return func(s session.Store) (string, error) { return "create", s.Create(w.t.Context(), k, r, f) }
}

func (w *simWorker) swap() simOp {
	k, u := w.key(), session.TokensUpdate{From: uint64(w.rnd.IntN(4)), Tokens: w.bytes(9000)}
	u.To = u.From + 1
	return func(s session.Store) (string, error) { return "swap", s.SwapTokens(w.t.Context(), k, u) }
}

func (w *simWorker) update() simOp {
	var updates []session.HeadUpdate
	expires, until := w.ends()
	for range w.rnd.IntN(10) {
		u := session.HeadUpdate{Key: w.key(), Head: w.bytes(600), Expires: expires, Until: until}
		if w.rnd.IntN(2) == 0 { // as under another server key
			u.Subject, u.SID = w.subject(), index(w.rnd.IntN(9))
		}
		updates = append(updates, u)
	}
	return func(s session.Store) (string, error) { return "update", s.UpdateHeads(w.t.Context(), updates) }
}

func (w *simWorker) delete() simOp {
	k := w.key()
	var r *session.Revocation
	if w.rnd.IntN(2) == 0 {
		token := w.token()
		r = &token
	}
	return func(s session.Store) (string, error) { return "delete", s.Delete(w.t.Context(), k, r) }
}

func (w *simWorker) use() simOp {
	mark, until := [32]byte(w.key()), w.moment()
	return func(s session.Store) (string, error) {
		fresh, err := s.MarkUsed(w.t.Context(), mark, until)
		return fmt.Sprintf("mark %v", fresh), err
	}
}

func (w *simWorker) load() simOp {
	k := w.key()
	return func(s session.Store) (string, error) {
		r, err := s.Load(w.t.Context(), k)
		return fmt.Sprintf("load %x %x %d", r.Head, r.Tokens, r.Version), err
	}
}

func (w *simWorker) bury() simOp {
	expires, _ := w.ends()
	b := session.Burial{At: w.moment(), Until: expires}
	for range w.rnd.IntN(3) {
		b.Keys = append(b.Keys, w.key())
	}
	if w.rnd.IntN(3) == 0 {
		b.Under = append(b.Under, w.subject(), w.subject())
	}
	if w.rnd.IntN(2) == 0 {
		b.Mark, b.MarkUntil = [32]byte(w.key()), w.moment()
	}
	return func(s session.Store) (string, error) {
		keys, err := s.Bury(w.t.Context(), b)
		slices.SortFunc(keys, byBytes)
		return fmt.Sprintf("bury %x", keys), err
	}
}

func (w *simWorker) revoke() simOp {
	r := w.token()
	return func(s session.Store) (string, error) { return "revoke", s.PutRevocation(w.t.Context(), r) }
}

func (w *simWorker) drop() simOp {
	id := w.token().ID
	return func(s session.Store) (string, error) { return "drop", s.DropRevocation(w.t.Context(), id) }
}

func byBytes(a, b session.Key) int { return bytes.Compare(a[:], b[:]) }

func sameError(a, b error) bool {
	for _, err := range []error{session.ErrNotFound, session.ErrConflict, session.ErrSignedOut, session.ErrRepeated} {
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
	if n != m {
		t.Errorf("Sweep handled %d, the model %d", n, m)
	}
}

// compare looks at all there is to see. Fences and marks show when a session is
// created or a mark is used.
func compare(t *testing.T, got, want session.Store, now time.Time) {
	t.Helper()
	g, w := fixture{t, got}, fixture{t, want}
	g.wantScan(g.scan(17), w.scan(1000)...)
	for _, limit := range []int{5, 1000} {
		due, err := want.Revocations(t.Context(), now, limit)
		g.wantError("Revocations", err, nil)
		g.wantRevocations(now, limit, due...)
	}
	for i := range simWorkers * simKeys {
		g, gErr := got.Load(t.Context(), key(i))
		w, wErr := want.Load(t.Context(), key(i))
		if !same(g, w) || !sameError(gErr, wErr) {
			t.Errorf("Load(%d) = %d and %d bytes, version %d, %v; want %d and %d, version %d, %v", i,
				len(g.Head), len(g.Tokens), g.Version, gErr, len(w.Head), len(w.Tokens), w.Version, wErr)
		}
	}
	indexes := make([]session.IndexKey, 10)
	for i := range indexes {
		indexes[i] = index(i)
	}
	for i := range simWorkers * simSubjects {
		indexes = append(indexes, simSubject(i/simSubjects, i%simSubjects))
	}
	for i, ix := range indexes {
		g, gErr := got.Find(t.Context(), ix)
		w, wErr := want.Find(t.Context(), ix)
		slices.SortFunc(g, byBytes)
		slices.SortFunc(w, byBytes)
		if !slices.Equal(g, w) || gErr != nil || wErr != nil {
			t.Errorf("Find(%d) = %d keys, %v; want %d, %v", i, len(g), gErr, len(w), wErr)
		}
	}
}
