package bolt

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// Experiment 28: whatever stands in the file, decoding it ends, and what is
// taken for a record is one: encoded again it is what it was.

func FuzzDecodeFiled(f *testing.F) {
	f.Add(filed{subject: session.IndexKey{1}, expires: 5, until: -6, head: []byte("head")}.encode())
	f.Add(filed{}.encode())
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, ok := decodeFiled(b); ok && !bytes.Equal(got.encode(), b) {
			t.Errorf("%x decodes to %+v, which is %x", b, got, got.encode())
		}
	})
}

func FuzzDecodeTokens(f *testing.F) {
	f.Add(encodeTokens(7, []byte("tokens")))
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if version, sealed, ok := decodeTokens(b); ok && !bytes.Equal(encodeTokens(version, sealed), b) {
			t.Errorf("%x decodes to version %d and %x", b, version, sealed)
		}
	})
}

func FuzzDecodeDue(f *testing.F) {
	for what := kindHead; what <= kindFence; what++ {
		f.Add(due{-5, what, [32]byte{1}}.encode(), due{5, what, [32]byte{1}}.encode())
	}
	f.Add([]byte("short"), []byte{})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		x, ok := decodeDue(a)
		if ok && !bytes.Equal(x.encode(), a) {
			t.Errorf("%x decodes to %+v, which is %x", a, x, x.encode())
		}
		if y, both := decodeDue(b); both && ok && x.at < y.at && bytes.Compare(a, b) >= 0 {
			t.Errorf("%x is earlier than %x, but sorts after it", a, b)
		}
	})
}

func FuzzDecodeFence(f *testing.F) {
	f.Add(fence{5, -6}.encode())
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, ok := decodeFence(b); ok && !bytes.Equal(got.encode(), b) {
			t.Errorf("%x decodes to %+v, which is %x", b, got, got.encode())
		}
	})
}

func FuzzDecodeRevocation(f *testing.F) {
	whole, _ := encodeRevocation(session.Revocation{Due: time.UnixMilli(5), Sealed: []byte("token")})
	f.Add(whole)
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, b []byte) {
		at, sealed, ok := decodeRevocation(b)
		if !ok {
			return
		}
		again, err := encodeRevocation(session.Revocation{Due: time.UnixMilli(at), Sealed: sealed})
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x decodes to %d and %x, which is %x, %v", b, at, sealed, again, err)
		}
	})
}

func FuzzDecodeQueued(f *testing.F) {
	f.Add(queued(-5, [16]byte{1}))
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if at, id, ok := decodeQueued(b); ok && !bytes.Equal(queued(at, id), b) {
			t.Errorf("%x decodes to %d and %x", b, at, id)
		}
	})
}

// The checksum is put on, or else nothing would come past it.
func FuzzDecodeMark(f *testing.F) {
	for _, m := range []mark{{{storeID{1}, 5}}, {{storeID{1}, 5}, {storeID{2}, 0}}} {
		line := m.encode()
		f.Add(string(line[:bytes.LastIndexByte(line, ' ')]))
	}
	f.Add(markVersion + " ")
	f.Add("cloakroom-mark v2 x")
	f.Fuzz(func(t *testing.T, line string) {
		m, err := decodeMark([]byte(line + " " + markSum(line) + "\n"))
		if err != nil {
			if !errors.Is(err, errNoMark) {
				t.Errorf("%q: %v, want errNoMark", line, err)
			}
			return
		}
		again, err := decodeMark(m.encode())
		if len(m) == 0 || err != nil || !slices.Equal(m, again) {
			t.Errorf("%q decodes to %v, and that to %v, %v", line, m, again, err)
		}
	})
}
