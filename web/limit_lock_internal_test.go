package web

import (
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// While no client has used up its allowance, a call looks at nothing that all
// calls share: these counters are not even there.
func TestSpentWithoutLock(t *testing.T) {
	now := time.Now()
	a := &allowance[string]{perMinute: 60, now: func() time.Time { return now }}
	if a.spent("alice") != nil {
		t.Error("spent though nobody used anything")
	}
	a.counters = newCounters[string, *rate.Limiter]()
	for range 60 {
		a.count("alice")
	}
	if a.spent("alice") == nil || a.spent("bob") != nil {
		t.Error("not spent, or another's is")
	}
	now = now.Add(time.Second + time.Millisecond)
	a.counters = nil
	if a.spent("alice") != nil {
		t.Error("spent though one is back")
	}
}
