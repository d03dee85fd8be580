package http1

import (
	"context"
	"net"
	"net/url"
	"slices"
	"sync/atomic"
	"time"
)

// pool has the unused connections to one upstream, the last used first. There is
// no lock that all calls would share.
type pool struct {
	t       *Transport
	address string

	top     atomic.Pointer[idle]
	count   atomic.Int64 // of connections in it, give or take those on their way
	reaping atomic.Bool  // a timer is set
}

// idle is a connection in a pool. One is made for each stay there: were they used
// again, one that came back could be taken for one that never left.
type idle struct {
	conn  *conn
	since time.Time
	next  *idle
}

func (t *Transport) pool(u *url.URL) *pool {
	if p, ok := t.upstreams.Load(u.Host); ok {
		return p.(*pool)
	}
	address := u.Host
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), "80")
	}
	p, _ := t.upstreams.LoadOrStore(u.Host, &pool{t: t, address: address})
	return p.(*pool)
}

// take returns a connection: a silent one that was used before, or a new one, as
// it always is if fresh. Who has left gets none.
func (p *pool) take(ctx context.Context, fresh bool) (*conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for !fresh {
		i := p.pop()
		if i == nil {
			break
		}
		if i.conn.silent() {
			return i.conn, nil
		}
		_ = i.conn.Close()
	}
	c, err := p.t.Dial(ctx, "tcp", p.address)
	if err != nil {
		return nil, err
	}
	return newConn(c), nil
}

// put keeps c for another exchange, or closes it if there are enough.
func (p *pool) put(c *conn) {
	if p.count.Add(1) > int64(p.t.MaxIdle) {
		p.count.Add(-1)
		_ = c.Close()
		return
	}
	c.used = true
	p.push(&idle{conn: c, since: time.Now()})
	if p.reaping.CompareAndSwap(false, true) {
		time.AfterFunc(p.t.IdleTimeout, p.reap)
	}
}

func (p *pool) push(i *idle) {
	for {
		i.next = p.top.Load()
		if p.top.CompareAndSwap(i.next, i) {
			return
		}
	}
}

func (p *pool) pop() *idle {
	for {
		i := p.top.Load()
		if i == nil || p.top.CompareAndSwap(i, i.next) {
			if i != nil {
				p.count.Add(-1)
			}
			return i
		}
	}
}

// reap closes what was not used for IdleTimeout, and comes again when the oldest of
// the others will have been.
func (p *pool) reap() {
	now := time.Now()
	oldest := now
	var kept []*idle
	for i := p.top.Swap(nil); i != nil; i = i.next {
		if now.Sub(i.since) >= p.t.IdleTimeout {
			p.count.Add(-1)
			_ = i.conn.Close()
			continue
		}
		kept = append(kept, i)
		if i.since.Before(oldest) {
			oldest = i.since
		}
	}
	for _, i := range slices.Backward(kept) {
		p.push(&idle{conn: i.conn, since: i.since})
	}
	p.reaping.Store(false)
	if p.count.Load() > 0 && p.reaping.CompareAndSwap(false, true) {
		time.AfterFunc(p.t.IdleTimeout-now.Sub(oldest), p.reap)
	}
}

// clear closes them all.
func (p *pool) clear() {
	for i := p.top.Swap(nil); i != nil; i = i.next {
		p.count.Add(-1)
		_ = i.conn.Close()
	}
}
