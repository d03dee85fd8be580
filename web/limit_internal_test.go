package web

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// An allowance is so many events at once, and then so many a minute (K2).
func TestAllowance(t *testing.T) {
	now := time.Date(2026, 1, 2, 9, 0, 0, 0, time.UTC)
	a := newAllowance[string]("sign_ins", 6, func() time.Time { return now })
	for _, tt := range []struct {
		name  string
		pause time.Duration
		left  int
		wait  time.Duration // once nothing is left
	}{
		{"at first", 0, 6, 10 * time.Second},
		{"nothing has come back yet", 9 * time.Second, 0, time.Second},
		{"the first comes back", time.Second, 1, 10 * time.Second},
		{"half", 30 * time.Second, 3, 10 * time.Second},
		{"no more than there is at once", time.Hour, 6, 10 * time.Second},
		{"a clock that was put back", -time.Hour, 0, 10 * time.Second},
	} {
		now = now.Add(tt.pause)
		for i := range tt.left {
			if a.spent("x") != nil || a.take("x") != nil {
				t.Fatalf("%s: %d left, want %d", tt.name, i, tt.left)
			}
		}
		var over *overrun
		if err := a.take("x"); !errors.As(err, &over) || over.wait.Round(time.Millisecond) != tt.wait || a.spent("x") == nil {
			t.Errorf("%s: %v, %+v, want an overrun and %v to wait", tt.name, err, over, tt.wait)
		}
	}
	if a.take("y") != nil || a.spent("z") != nil {
		t.Error("one client's flood refuses another")
	}
	a = newAllowance[string]("sign_ins", 0, time.Now)
	for range 1000 {
		if a.count("x"); a.take("x") != nil || a.spent("x") != nil {
			t.Fatal("0 is no limit")
		}
	}
}

// Many clients at once get what there is, and no more.
func TestAllowanceTogether(t *testing.T) {
	const clients = 10_000
	now := time.Now()
	a := newAllowance[int]("sign_ins", 2, func() time.Time { return now })
	granted := make([]atomic.Int32, clients)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for k := range clients {
				if a.take(k) == nil {
					granted[k].Add(1)
				}
				a.spent(k)
			}
		})
	}
	all.Wait()
	for k := range granted {
		if n := granted[k].Load(); n != 2 {
			t.Fatalf("client %d got %d, want 2", k, n)
		}
	}
}

// A flood from more addresses than are counted takes a bounded amount of memory
// (K2), and costs nobody but those who are part of it.
func TestAllowanceMemory(t *testing.T) {
	now := time.Now()
	a := newAllowance[netip.Addr]("sign_ins", 2, func() time.Time { return now })
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	prefix := netip.MustParseAddr("2001:db8::").As16()
	for i := range 4 * maxCounters {
		prefix[4], prefix[5], prefix[6] = byte(i>>16), byte(i>>8), byte(i)
		if err := a.take(byAddress(netip.AddrFrom16(prefix))); err != nil {
			t.Fatalf("a new address is refused: %v", err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if n := a.counters.Len(); n != maxCounters {
		t.Errorf("%d counters, want %d", n, maxCounters)
	}
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 32<<20 {
		t.Errorf("they take %d KiB, want 32 MiB at most", grown>>10)
	}
	// Asking takes no memory at all.
	for i := range 1000 {
		a.spent(netip.MustParseAddr(fmt.Sprintf("2001:db9::%x", i)))
	}
	if _, ok := a.counters.Peek(netip.MustParseAddr("2001:db9::1")); ok {
		t.Error("a client that did nothing is counted")
	}
}

// One customer is one client (K2): an IPv4 address, or a /64 of IPv6.
func TestByAddress(t *testing.T) {
	for _, tt := range []struct{ a, b string }{
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"fe80::1%eth0", "fe80::1%eth1"},
	} {
		if byAddress(netip.MustParseAddr(tt.a)) != byAddress(netip.MustParseAddr(tt.b)) {
			t.Errorf("%s and %s are two clients, want one", tt.a, tt.b)
		}
	}
	for _, tt := range []struct{ a, b string }{
		{"2001:db8:1:2::1", "2001:db8:1:3::1"},
		{"192.0.2.1", "192.0.2.2"},
	} {
		if byAddress(netip.MustParseAddr(tt.a)) == byAddress(netip.MustParseAddr(tt.b)) {
			t.Errorf("%s and %s are one client, want two", tt.a, tt.b)
		}
	}
	if byAddress(netip.Addr{}) != (netip.Addr{}) {
		t.Error("no address is some address")
	}
}
