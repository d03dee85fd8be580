package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// page is a branch or leaf page with everything that overflows from it.
type page struct {
	header
	b []byte
}

// check checks the elements of p and returns what they refer to: the pages
// below a branch, the buckets in a leaf.
func (p page) check(t subtree, ofBuckets bool) (below []subtree, err error) {
	if p.flags != branchPage && p.flags != leafPage {
		return nil, fmt.Errorf("unexpected type %#x", p.flags)
	}
	if pageHeader+elementSize*int(p.count) > len(p.b) || p.flags == branchPage && p.count == 0 {
		return nil, fmt.Errorf("%d elements", p.count)
	}
	var last []byte
	for i := range int(p.count) {
		key, value, flags, err := p.element(i)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		if i > 0 && bytes.Compare(last, key) >= 0 || prefix(key) < t.min || prefix(key) > t.max {
			return nil, fmt.Errorf("element %d: out of order", i)
		}
		last = key
		switch {
		case p.flags == branchPage:
			if i > 0 {
				below[i-1].max = prefix(key)
			}
			below = append(below, subtree{page: native.Uint64(p.b[pageHeader+elementSize*i+8:]), min: prefix(key), max: t.max})
		case ofBuckets != (flags == bucketFlag) || flags > bucketFlag:
			return nil, fmt.Errorf("element %d: unexpected type %#x", i, flags)
		case ofBuckets:
			root, err := bucketRoot(value)
			if err != nil {
				return nil, fmt.Errorf("element %d: %w", i, err)
			}
			if root != 0 {
				below = append(below, subtree{page: root, max: ^uint64(0)})
			}
		}
	}
	return below, nil
}

// element returns the i-th element. That of a branch has neither value nor
// flags.
func (p page) element(i int) (key, value []byte, flags uint32, err error) {
	at := uint64(pageHeader + elementSize*i)
	e := p.b[at : at+elementSize]
	var pos, keySize, valueSize uint64
	if p.flags == branchPage {
		pos, keySize = uint64(native.Uint32(e)), uint64(native.Uint32(e[4:]))
	} else {
		flags = native.Uint32(e)
		pos, keySize, valueSize = uint64(native.Uint32(e[4:])), uint64(native.Uint32(e[8:])), uint64(native.Uint32(e[12:]))
	}
	start, end := at+pos, at+pos+keySize+valueSize
	if keySize == 0 || start < pageHeader+elementSize*uint64(p.count) || end > uint64(len(p.b)) {
		return nil, nil, 0, errors.New("out of range")
	}
	return p.b[start : start+keySize], p.b[start+keySize : end], flags, nil
}

// bucketRoot returns the root page of the bucket that b describes, or 0 for
// one that is small enough to be there itself, as a page without a number.
func bucketRoot(b []byte) (uint64, error) {
	if len(b) < bucketHeader {
		return 0, errors.New("bucket is too short")
	}
	if root := native.Uint64(b); root != 0 {
		return root, nil
	}
	b = b[bucketHeader:]
	if len(b) < pageHeader || native.Uint64(b) != 0 || native.Uint32(b[12:]) != 0 {
		return 0, errors.New("not an inline bucket")
	}
	p := page{header{native.Uint16(b[8:]), native.Uint16(b[10:]), 0}, b}
	if p.flags != leafPage {
		return 0, fmt.Errorf("inline bucket of type %#x", p.flags)
	}
	_, err := p.check(subtree{max: ^uint64(0)}, false)
	return 0, err
}

// prefix returns the first eight bytes of key as a number that sorts alike.
func prefix(key []byte) uint64 {
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}
