package bolt

import (
	"encoding/binary"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// maxValue bounds a sealed value. It keeps a damaged length from asking for
// gigabytes of memory.
const maxValue = 1 << 20

// filingSize is subject, sid, expires and until: 32 + 32 + 8 + 8 bytes.
const filingSize = 80

// filed is a value of the sessions bucket: the filing, its times in seconds,
// and the sealed head, which is empty in a tombstone.
type filed struct {
	subject, sid   session.IndexKey
	expires, until int64
	head           []byte // of the transaction, when decoded
}

func (f filed) live() bool { return len(f.head) > 0 }

func (f filed) encode() []byte {
	b := make([]byte, 0, filingSize+len(f.head))
	b = append(b, f.subject[:]...)
	b = append(b, f.sid[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(f.expires))
	b = binary.BigEndian.AppendUint64(b, uint64(f.until))
	return append(b, f.head...)
}

// decodeFiled returns false if b was not written by encode.
func decodeFiled(b []byte) (filed, bool) {
	if len(b) < filingSize || len(b) > filingSize+maxValue {
		return filed{}, false
	}
	f := filed{
		subject: session.IndexKey(b[:32]),
		sid:     session.IndexKey(b[32:64]),
		expires: int64(binary.BigEndian.Uint64(b[64:])),
		until:   int64(binary.BigEndian.Uint64(b[72:])),
		head:    b[filingSize:],
	}
	return f, true
}

func encodeTokens(version uint64, sealed []byte) []byte {
	b := make([]byte, 0, 8+len(sealed))
	return append(binary.BigEndian.AppendUint64(b, version), sealed...)
}

// decodeTokens returns false if b was not written by encodeTokens. What it
// returns is b's.
func decodeTokens(b []byte) (version uint64, sealed []byte, ok bool) {
	if len(b) < 8 || len(b) > 8+maxValue {
		return 0, nil, false
	}
	return binary.BigEndian.Uint64(b), b[8:], true
}

// kind says what becomes of an entry of the expiry bucket.
type kind byte

const (
	kindHead  kind = 1 // the session becomes a tombstone
	kindUntil kind = 2 // everything of it goes
	kindMark  kind = 3 // a used mark is forgotten
	kindFence kind = 4 // a burial is forgotten
)

// dueSize is second, kind, and key: 8 + 1 + 32 bytes.
const dueSize = 41

// due is a key of the expiry bucket. Its encoding sorts by time.
type due struct {
	at   int64
	kind kind
	key  [32]byte
}

// signBit makes seconds before 1970 sort before those after.
const signBit = 1 << 63

func (d due) encode() []byte {
	b := make([]byte, 0, dueSize)
	b = binary.BigEndian.AppendUint64(b, uint64(d.at)^signBit)
	b = append(b, byte(d.kind))
	return append(b, d.key[:]...)
}

// decodeDue returns false if b was not written by encode.
func decodeDue(b []byte) (due, bool) {
	if len(b) != dueSize || b[8] < byte(kindHead) || b[8] > byte(kindFence) {
		return due{}, false
	}
	return due{
		at:   int64(binary.BigEndian.Uint64(b) ^ signBit),
		kind: kind(b[8]),
		key:  [32]byte(b[9:]),
	}, true
}

// indexed is a key of the index bucket: 32 + 32 bytes.
func indexed(ix session.IndexKey, k session.Key) []byte {
	return append(append(make([]byte, 0, 64), ix[:]...), k[:]...)
}

// seconds returns t in whole seconds since 1970, rounded up: nothing is swept
// before its time.
func seconds(t time.Time) int64 {
	s := t.Unix()
	if t.Nanosecond() > 0 {
		s++
	}
	return s
}

// fence remembers a burial under an index key: when it was, and until when that
// matters, in milliseconds.
type fence struct{ at, until int64 }

func (f fence) encode() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(f.at)), uint64(f.until))
}

// decodeFence returns false if b was not written by encode.
func decodeFence(b []byte) (fence, bool) {
	if len(b) != 16 {
		return fence{}, false
	}
	return fence{int64(binary.BigEndian.Uint64(b)), int64(binary.BigEndian.Uint64(b[8:]))}, true
}

// due is when f can be forgotten.
func (f fence) due(ix session.IndexKey) due {
	return due{seconds(time.UnixMilli(f.until)), kindFence, ix}
}

// millis returns t in whole milliseconds since 1970, rounded up.
func millis(t time.Time) int64 {
	ms := t.UnixMilli()
	if t.Nanosecond()%int(time.Millisecond) > 0 {
		ms++
	}
	return ms
}

// decodeRevocation returns false if b was not written by encodeRevocation. What
// it returns is b's.
func decodeRevocation(b []byte) (dueMilli int64, sealed []byte, ok bool) {
	if len(b) < 8 || len(b) > 8+maxValue {
		return 0, nil, false
	}
	return int64(binary.BigEndian.Uint64(b)), b[8:], true
}

// queued is a key of the queue bucket: due in milliseconds, then the ID, 8 + 16
// bytes. It sorts by time.
func queued(dueMilli int64, id [16]byte) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 24), uint64(dueMilli)^signBit)
	return append(b, id[:]...)
}

// decodeQueued returns false if b was not written by queued.
func decodeQueued(b []byte) (dueMilli int64, id [16]byte, ok bool) {
	if len(b) != 24 {
		return 0, id, false
	}
	return int64(binary.BigEndian.Uint64(b) ^ signBit), [16]byte(b[8:]), true
}
