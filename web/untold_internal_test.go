package web

import (
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"time"
)

// The log hears at once of a client that is refused, and then of what a minute
// brought (K2, N3).
func TestRefusalsAreToldTogether(t *testing.T) {
	now := time.Date(2026, 1, 2, 9, 0, 0, 0, time.UTC)
	u := newUntold(func() time.Time { return now })
	x := source{kind{line: "request_refused", code: "x"}, netip.MustParseAddr("192.0.2.7")}
	told := func() int { return u.tell(x, nil) }
	if n := told(); n != 1 {
		t.Errorf("the first refusal tells of %d, want 1", n)
	}
	for range 99 {
		if n := told(); n != 0 {
			t.Errorf("a refusal within the minute tells of %d, want 0", n)
		}
	}
	now = now.Add(time.Minute)
	if n := told(); n != 100 {
		t.Errorf("after a minute it tells of %d, want 100", n)
	}
	// What was told for all together is not told again for one.
	for range 7 {
		told()
	}
	if n := u.collect()[x.kind].times; n != 7 {
		t.Errorf("together they are %d, want the 7 that were not told", n)
	}
	now = now.Add(time.Minute)
	if n := told(); n != 1 {
		t.Errorf("after that it tells of %d, want 1", n)
	}
	if sums := u.collect(); len(sums) != 0 {
		t.Errorf("together there are %v left, want none", sums)
	}
}

// A flood from more clients than are remembered takes a bounded amount of memory,
// and none of it is lost (K2, N3).
func TestUntoldMemory(t *testing.T) {
	const clients, each = 2 * maxCounters, 3
	now := time.Date(2026, 1, 2, 9, 0, 0, 0, time.UTC)
	u := newUntold(func() time.Time { return now })
	told := 0
	for i := range clients {
		from := source{kind{code: "x"}, netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})}
		for range each {
			told += u.tell(from, []slog.Attr{slog.String("path", fmt.Sprint(i))})
		}
	}
	if n := u.heard.Len(); n != maxCounters || len(u.sums) != 1 {
		t.Errorf("%d clients and %d kinds are remembered, want %d and 1", n, len(u.sums), maxCounters)
	}
	sum := u.collect()[kind{code: "x"}]
	if told != clients || told+sum.times != clients*each {
		t.Errorf("%d are told at once and %d together, want %d and all others", told, sum.times, clients)
	}
	if last := fmt.Sprint(sum.last); last != fmt.Sprintf("[path=%d]", clients-1) {
		t.Errorf("what they were is told by %s, want the last", last)
	}
}
