package session_test

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// I2, K2: while a provider does not answer, what is to be revoked waits in the
// store: it costs a bounded number of goroutines, and none is forgotten.
func TestRevocationFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 2500
		b := newBell()
		back := make(chan struct{})
		b.answer = func(int) error { <-back; return nil }
		r := newRoom(t, ringing(b))
		tickets := r.crowd(n)
		before := runtime.NumGoroutine()
		var all sync.WaitGroup
		for _, ticket := range tickets {
			all.Go(func() { r.signOut(ticket) })
		}
		all.Wait()
		time.Sleep(10 * time.Second)
		if more := runtime.NumGoroutine() - before; more > 1100 {
			t.Errorf("%d goroutines for %d revocations", more, n)
		}
		want(t, "filed", len(r.queued()), n)
		want(t, "told at a time", len(b.told()), 16)
		close(back)
		time.Sleep(2 * time.Minute)
		want(t, "filed in the end", len(r.queued()), 0)
		told := map[string]bool{}
		for _, token := range b.told() {
			told[token] = true
		}
		want(t, "told, and of how many", []int{len(b.told()), len(told)}, []int{n, n})
	})
}
