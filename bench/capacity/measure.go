package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/cloakroom/cloakroom/bench/stand"
)

// latencies are how long each of many calls took.
type latencies []time.Duration

// at returns the value below which the fraction q of them lies; 0 of none.
func (l latencies) at(q float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(l))
	return sorted[min(len(sorted)-1, max(0, int(math.Ceil(q*float64(len(sorted))))-1))]
}

// cost is what calls in this process took, one after the other.
type cost struct {
	took   latencies
	cpu    time.Duration // each, of the whole process
	allocs float64       // each
	bytes  float64       // each, allocated
}

// measure calls do(0) to do(n-1).
func measure(n int, do func(i int) error) (cost, error) {
	c := cost{took: make(latencies, n)}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	cpu := ownCPU()
	for i := range n {
		began := time.Now()
		if err := do(i); err != nil {
			return c, err
		}
		c.took[i] = time.Since(began)
	}
	c.cpu = (ownCPU() - cpu) / time.Duration(n)
	runtime.ReadMemStats(&after)
	c.allocs = float64(after.Mallocs-before.Mallocs) / float64(n)
	c.bytes = float64(after.TotalAlloc-before.TotalAlloc) / float64(n)
	return c, nil
}

// ownCPU returns the CPU time that this process has used.
func ownCPU() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail for one's own
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// commits returns the number of the last transaction in a bbolt file, which
// counts those that changed something.
func commits(path string) (uint64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	const header, txid = 16, 48 // of a page; in its meta
	var last uint64
	for page := range int64(2) {
		var b [8]byte
		if _, err := f.ReadAt(b[:], page*int64(os.Getpagesize())+header+txid); err != nil {
			return 0, err
		}
		last = max(last, binary.NativeEndian.Uint64(b[:]))
	}
	return last, nil
}

// bareSync returns how long it takes to write 4 kB and have them on the disk,
// in dir: what no durable commit can beat.
func bareSync(dir string, n int) (latencies, error) {
	f, err := os.CreateTemp(dir, "sync-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close(); _ = os.Remove(f.Name()) }()
	if err := f.Truncate(4 << 20); err != nil {
		return nil, err
	}
	block := []byte(text(4096))
	c, err := measure(n, func(i int) error {
		if _, err := f.WriteAt(block, int64(i%1024)*4096); err != nil {
			return err
		}
		return syscall.Fdatasync(int(f.Fd()))
	})
	return c.took, err
}

// µs and ms write a time as a bare figure.
func µs(d time.Duration) string { return stand.Number(float64(d) / float64(time.Microsecond)) }
func ms(d time.Duration) string { return stand.Number(float64(d) / float64(time.Millisecond)) }

// count writes 100000 as 100k.
func count(n int) string {
	switch {
	case n >= 1_000_000 && n%1_000_000 == 0:
		return fmt.Sprintf("%dM", n/1_000_000)
	case n >= 1000 && n%1000 == 0:
		return fmt.Sprintf("%dk", n/1000)
	}
	return fmt.Sprint(n)
}
