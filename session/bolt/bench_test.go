package bolt_test

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

var benchTokens = make([]byte, 3000)

func benchStore(b *testing.B) *bolt.Store {
	b.Helper()
	s, err := bolt.Open(bolt.Options{Path: filepath.Join(b.TempDir(), "sessions.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// benchKey spreads keys as digests do.
func benchKey(i int64) session.Key {
	var k session.Key
	binary.BigEndian.PutUint64(k[:], uint64(i)*0x9E3779B97F4A7C15)
	return k
}

// together runs op b.N times, from so many goroutines at once.
func together(b *testing.B, s *bolt.Store, goroutines int, op func(i int64) error) {
	b.Helper()
	before := s.Commits()
	b.ReportAllocs()
	b.ResetTimer()
	var next atomic.Int64
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := op(i); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	b.ReportMetric(float64(s.Commits()-before)/float64(b.N), "commits/op")
}

func benchCreate(b *testing.B, s *bolt.Store) func(i int64) error {
	return func(i int64) error {
		k := benchKey(i)
		f := session.Filing{Subject: session.IndexKey(k), Expires: at(time.Hour), Until: at(8 * time.Hour)}
		return s.Create(b.Context(), k, session.Record{Head: benchTokens[:400], Tokens: benchTokens, Version: 1}, f)
	}
}

func BenchmarkCreate(b *testing.B) {
	for _, goroutines := range []int{1, 64, 512} {
		b.Run(fmt.Sprint(goroutines), func(b *testing.B) {
			s := benchStore(b)
			together(b, s, goroutines, benchCreate(b, s))
		})
	}
}

func BenchmarkSwapTokens(b *testing.B) {
	const sessions = 4096
	for _, goroutines := range []int{1, 64, 512} {
		b.Run(fmt.Sprint(goroutines), func(b *testing.B) {
			s := benchStore(b)
			prefill(b, s, sessions)
			var busy [sessions]sync.Mutex
			var version [sessions]uint64
			together(b, s, goroutines, func(i int64) error {
				i %= sessions
				busy[i].Lock()
				defer busy[i].Unlock()
				version[i]++
				return s.SwapTokens(b.Context(), benchKey(i), session.TokensUpdate{From: version[i], To: version[i] + 1, Tokens: benchTokens})
			})
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	const sessions = 10_000
	for _, goroutines := range []int{1, 64} {
		b.Run(fmt.Sprint(goroutines), func(b *testing.B) {
			s := benchStore(b)
			prefill(b, s, sessions)
			together(b, s, goroutines, func(i int64) error {
				_, err := s.Load(b.Context(), benchKey(i%sessions))
				return err
			})
		})
	}
}

// BenchmarkSweep sweeps b.N sessions out of as many.
func BenchmarkSweep(b *testing.B) {
	s := benchStore(b)
	prefill(b, s, b.N)
	b.ResetTimer()
	if n, err := s.Sweep(b.Context(), at(time.Hour), b.N); err != nil || n != b.N {
		b.Fatalf("Sweep = %d, %v, want %d", n, err, b.N)
	}
}

// prefill creates sessions 0 to n-1.
func prefill(b *testing.B, s *bolt.Store, n int) {
	b.Helper()
	create := benchCreate(b, s)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 256 {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				if err := create(i); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
