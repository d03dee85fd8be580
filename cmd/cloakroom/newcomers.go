package main

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// newcomerPatience is how long a stop waits for the first request of connections
// that have sent nothing yet. net/http alone waits five seconds: browsers open
// connections ahead of need.
const newcomerPatience = time.Second

// newcomers are the connections on which nothing has been received.
type newcomers struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// watch is a server's ConnState.
func (n *newcomers) watch(c net.Conn, state http.ConnState) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if state == http.StateNew {
		if n.conns == nil {
			n.conns = map[net.Conn]struct{}{}
		}
		n.conns[c] = struct{}{}
		return
	}
	delete(n.conns, c)
}

// dismiss closes them.
func (n *newcomers) dismiss() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for c := range n.conns {
		_ = c.Close()
	}
}
