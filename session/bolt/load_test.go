package bolt_test

import (
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

// crowd files sessions from..to-1, many at a time, which end after one hour and
// are gone after two.
func crowd(t testing.TB, s session.Store, from, to int64) {
	t.Helper()
	var next atomic.Int64
	next.Store(from)
	var wg sync.WaitGroup
	for range bolt.BatchSize {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < to; i = next.Add(1) - 1 {
				k := benchKey(i)
				f := session.Filing{
					Subject: session.IndexKey(k), SID: session.IndexKey{1: k[0], 2: k[1], 3: k[2], 4: k[3]},
					Expires: at(time.Hour), Until: at(2 * time.Hour),
				}
				if err := s.Create(t.Context(), k, session.Record{Head: benchTokens[:300], Tokens: benchTokens[:1500], Version: 1}, f); err != nil {
					t.Errorf("Create: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func percentile(all []time.Duration, p float64) time.Duration {
	slices.Sort(all)
	return all[int(float64(len(all)-1)*p)]
}

// sweepAll sweeps one transaction at a time and returns how long the longest
// took, and how many there were.
func sweepAll(t *testing.T, s session.Store, now time.Time) (longest time.Duration, transactions int) {
	t.Helper()
	for {
		began := time.Now()
		n, err := s.Sweep(t.Context(), now, bolt.SweepSize)
		if err != nil {
			t.Fatalf("Sweep: %v", err)
		}
		longest = max(longest, time.Since(began))
		transactions++
		if n < bolt.SweepSize {
			return longest, transactions
		}
	}
}

// Experiments 16 and 17, scaled: many sessions, all of which expire in the same
// second, again and again. A sweep is many short transactions, the file does not
// grow from one cycle to the next, and it opens at once.
func TestChurn(t *testing.T) {
	sessions, cycles := int64(3000), 4
	if testing.Short() {
		sessions, cycles = 1000, 2
	}
	path := filepath.Join(t.TempDir(), "sessions.db")
	s := openPath(t, path)
	var first int64
	for cycle := range cycles {
		began := time.Now()
		crowd(t, s, int64(cycle)*sessions, int64(cycle+1)*sessions)
		filled := time.Since(began)
		size := fileSize(t, path)
		before := s.Commits()
		longest, n := sweepAll(t, s, at(time.Hour))
		if n, err := s.Sweep(t.Context(), at(2*time.Hour), 1<<20); err != nil || int64(n) != sessions {
			t.Errorf("Sweep = %d, %v, want %d", n, err, sessions)
		}
		m := s.Commits() - before - n
		t.Logf("%d sessions in %v, %.1f MiB, %d bytes each; swept in %d transactions, the longest took %v",
			sessions, filled, float64(size)/(1<<20), size/sessions, n+m, longest)
		if want := int(sessions) / bolt.SweepSize; n < want || m < want {
			t.Errorf("swept in %d and %d transactions, want at least %d each", n, m, want)
		}
		if cycle == 0 {
			first = size
		} else if size > first+first/4 {
			t.Errorf("the file has %d bytes after cycle %d, %d after the first: it grows", size, cycle+1, first)
		}
	}
	if entries := (fixture{t, s}).scan(10); len(entries) > 0 {
		t.Errorf("%d records are left, want none", len(entries))
	}
	crowd(t, s, 0, sessions)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	openPath(t, path)
	took := time.Since(began)
	t.Logf("%d sessions: opened in %v", sessions, took)
	if took > 5*time.Second {
		t.Errorf("opening took %v", took)
	}
}

func fileSize(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// Experiment 15: 64 writers, a sweep and backups at once; what a read waits then
// and without them.
func TestReadsUnderLoad(t *testing.T) {
	const sessions = 2000
	reads := 5000
	if testing.Short() {
		reads = 1000
	}
	s := openStore(t)
	f := fixture{t, s}
	crowd(t, s, 0, sessions)
	measure := func() time.Duration {
		took := make([]time.Duration, reads)
		for i := range took {
			k := benchKey(rand.Int64N(sessions))
			began := time.Now()
			if _, err := s.Load(t.Context(), k); err != nil {
				t.Errorf("Load: %v", err)
			}
			took[i] = time.Since(began)
		}
		return percentile(took, 0.99)
	}
	alone := measure()

	stop := busy(f, 64)
	done := make(chan struct{})
	var wg sync.WaitGroup
	backups, swept := 0, 0
	wg.Go(func() {
		for ; ; backups++ {
			select {
			case <-done:
				return
			default:
				f.wantError("Backup", s.Backup(t.Context(), io.Discard), nil)
			}
		}
	})
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
				_, err := f.MarkUsed(t.Context(), [32]byte{0xDD, byte(i >> 8), byte(i)}, at(0))
				f.wantError("MarkUsed", err, nil)
				n, err := s.Sweep(t.Context(), at(0), 100)
				f.wantError("Sweep", err, nil)
				swept += n
			}
		}
	})
	loaded := measure()
	close(done)
	wg.Wait()
	t.Logf("p99 of a read: %v alone, %v beside %d changes, %d backups and %d swept entries", alone, loaded, stop(), backups, swept)
	if loaded > 100*time.Millisecond {
		t.Errorf("p99 of a read under load = %v: reads wait for writes", loaded)
	}
}

// Experiments 16 and 17 in full: 100,000 sessions. What opening the file takes,
// and the longest transaction of sweeping it.
func BenchmarkOpen100k(b *testing.B) {
	path := filepath.Join(b.TempDir(), "sessions.db")
	s, err := bolt.Open(bolt.Options{Path: path})
	if err != nil {
		b.Fatal(err)
	}
	crowd(b, s, 0, 100_000)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(fileSize(b, path))/100_000, "bytes/session")
	b.ResetTimer()
	for b.Loop() {
		s, err := bolt.Open(bolt.Options{Path: path})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSweep100k(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		s := benchStore(b)
		crowd(b, s, 0, 100_000)
		b.StartTimer()
		longest := time.Duration(0)
		for n := bolt.SweepSize; n == bolt.SweepSize; {
			began := time.Now()
			var err error
			if n, err = s.Sweep(b.Context(), at(2*time.Hour), bolt.SweepSize); err != nil {
				b.Fatal(err)
			}
			longest = max(longest, time.Since(began))
		}
		b.ReportMetric(float64(longest.Milliseconds()), "ms/longest-commit")
	}
}
