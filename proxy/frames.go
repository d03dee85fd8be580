package proxy

import "encoding/binary"

// frames follows the frames in a stream of bytes (RFC 6455 section 5.2), only
// to know where one ends.
type frames struct {
	head   [14]byte
	have   int    // bytes of head that were seen
	left   uint64 // bytes of the payload that were not
	closed bool   // a close frame was seen; none may follow it
}

// between reports whether another frame may be sent here.
func (f *frames) between() bool { return f.have == 0 && f.left == 0 && !f.closed }

func (f *frames) add(p []byte) {
	for len(p) > 0 {
		if f.left > 0 {
			n := min(f.left, uint64(len(p)))
			f.left -= n
			p = p[n:]
			continue
		}
		f.head[f.have] = p[0]
		f.have++
		p = p[1:]
		if f.have >= 2 && f.have == f.headSize() {
			f.left = f.length()
			f.closed = f.closed || f.head[0]&0x0f == 0x08
			f.have = 0
		}
	}
}

// headSize is known from the second byte on.
func (f *frames) headSize() int {
	n := 2
	switch f.head[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if f.head[1]&0x80 != 0 {
		n += 4 // the masking key
	}
	return n
}

func (f *frames) length() uint64 {
	switch n := f.head[1] & 0x7f; n {
	case 126:
		return uint64(binary.BigEndian.Uint16(f.head[2:]))
	case 127:
		return binary.BigEndian.Uint64(f.head[2:])
	default:
		return uint64(n)
	}
}
