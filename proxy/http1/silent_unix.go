//go:build unix

package http1

import "syscall"

// peek looks, without waiting, whether there is anything to read.
func (c *conn) peek(fd uintptr) (done bool) {
	var one [1]byte
	for {
		n, err := syscall.Read(int(fd), one[:])
		if err == syscall.EINTR {
			continue
		}
		c.calm = n < 0 && (err == syscall.EAGAIN || err == syscall.EWOULDBLOCK)
		return true
	}
}
