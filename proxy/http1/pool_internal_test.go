package http1

import (
	"net"
	"testing"
	"time"
)

// Who is about to take a connection while the pool is looked through must not put
// back what was below it: that may have been taken meanwhile, and would have two
// users.
func TestReapWhileTaking(t *testing.T) {
	tr := &Transport{MaxIdle: 9, IdleTimeout: time.Hour}
	p := &pool{t: tr}
	for range 2 {
		c, _ := net.Pipe()
		p.put(newConn(c))
	}
	top := p.top.Load() // as pop begins
	below := top.next
	p.reap()
	if p.top.CompareAndSwap(top, below) {
		t.Error("what was taken would be there again")
	}
	if n := p.count.Load(); n != 2 {
		t.Errorf("%d connections are counted, want 2", n)
	}
	for range 2 {
		if p.pop() == nil {
			t.Error("one is lost")
		}
	}
	p.clear()
}
