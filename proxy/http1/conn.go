package http1

import (
	"bufio"
	"math"
	"net"
	"syscall"
	"time"
)

// conn is a connection to an upstream.
type conn struct {
	net.Conn
	in   *bufio.Reader // reads through Read below
	used bool          // it carried an exchange before

	raw    syscall.RawConn
	listen func(fd uintptr) bool // c.peek, made once
	calm   bool                  // what it found

	room int64 // bytes that may still be read
	got  bool  // something was read in this exchange

	// broke is why reading failed. The system says it once, and to a second read that
	// the connection ended.
	broke error

	abort func() // c.cut, made once
}

func newConn(n net.Conn) *conn {
	c := &conn{Conn: n}
	c.in = bufio.NewReader(reader{c})
	c.listen, c.abort = c.peek, c.cut
	if s, ok := n.(syscall.Conn); ok {
		c.raw, _ = s.SyscallConn()
	}
	return c
}

// cut ends whatever reads or writes.
func (c *conn) cut() { _ = c.SetDeadline(time.Unix(1, 0)) }

// silent reports whether the upstream has neither sent anything nor hung up.
func (c *conn) silent() bool {
	c.calm = false
	return c.raw != nil && c.raw.Read(c.listen) == nil && c.calm
}

// begin readies c for an exchange whose answer has a head of so many bytes.
func (c *conn) begin(maxHead int64) { c.room, c.got = maxHead, false }

// unbound lets c read what follows the head.
func (c *conn) unbound() { c.room = math.MaxInt64 }

// reader reads from the connection as far as there is room.
type reader struct{ *conn }

func (r reader) Read(p []byte) (int, error) {
	if r.broke != nil {
		return 0, r.broke
	}
	if r.room <= 0 {
		return 0, ErrHeader
	}
	n, err := r.Conn.Read(p[:min(int64(len(p)), r.room)])
	r.room -= int64(n)
	r.got = r.got || n > 0
	r.broke = err
	return n, err
}
