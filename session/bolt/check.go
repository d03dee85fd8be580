package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
)

// The parts of bbolt's file format that are looked at. Numbers are in the
// byte order of the machine that wrote them.
const (
	magic        = 0xED0CDAED
	format       = 2
	noFreelist   = ^uint64(0)
	pageHeader   = 16 // id, flags, count, overflow: 8 + 2 + 2 + 4
	elementSize  = 16
	bucketHeader = 16 // root page, sequence

	branchPage   = 0x01
	leafPage     = 0x02
	metaPage     = 0x04
	freelistPage = 0x10

	bucketFlag = 0x01 // of a leaf element: its value is a bucket
)

// maxPage bounds a page with everything that overflows from it: a few values
// of the largest size.
const maxPage = 8 * maxValue

var native = binary.NativeEndian

// checker walks the pages of a bbolt file. It reads with ReadAt and trusts no
// number before it has compared it: on a damaged file bbolt's own check can
// recurse for ever.
type checker struct {
	file     io.ReaderAt
	window   window // of file
	pageSize int
	txid     uint64 // of the meta page
	high     uint64 // pages from this one on are not in use
	claimed  []bool // pages that something refers to, or that are free
	free     uint64 // how many of them are free
}

// usage is how many pages of a file are in use or free for use, and how many are
// free.
type usage struct{ pages, free uint64 }

// check returns ErrDamaged, with the reason, if the file of the given size is
// not a sound database. Every page in use must be what the others take it for,
// and be referred to once; then no walk through the file goes astray, and no
// write hits a page that is in use. If whole says so of the transaction that the
// file is at, it does not read the leaves, which are all but a hundredth of the
// file, and reports partly.
func check(file io.ReaderAt, size int64, pageSize int, whole func(txid uint64) bool) (u usage, partly bool, err error) {
	c := &checker{file: file, pageSize: pageSize, window: window{file: file}}
	root, freelist, err := c.readMeta()
	switch {
	case err != nil:
	case c.high > uint64(size)/uint64(pageSize):
		err = fmt.Errorf("cut off: %d bytes, %d pages", size, c.high)
	default:
		c.claimed = make([]bool, c.high)
		partly = whole(c.txid)
		err = c.checkPages(root, freelist, !partly)
	}
	if err != nil {
		return usage{}, partly, fmt.Errorf("%w (%w)", ErrDamaged, err)
	}
	return usage{c.high, c.free}, partly, nil
}

func (c *checker) checkPages(root, freelist uint64, leaves bool) error {
	if freelist != noFreelist {
		if err := c.checkFreelist(freelist); err != nil {
			return err
		}
	}
	trees, err := c.checkTrees([]subtree{{page: root, max: ^uint64(0)}}, true, deepest)
	if err != nil {
		return err
	}
	if leaves {
		_, err = c.checkTrees(trees, false, deepest)
		return err
	}
	for _, t := range trees {
		branches, err := c.height(t.page)
		if err == nil {
			_, err = c.checkTrees([]subtree{t}, false, branches)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readMeta finds the newer sound one of the two meta pages.
func (c *checker) readMeta() (root, freelist uint64, err error) {
	const size = 64 // magic, version, page size, flags, root, sequence, freelist, high, txid, checksum
	for id := range int64(2) {
		b := make([]byte, pageHeader+size)
		if _, err := c.file.ReadAt(b, id*int64(c.pageSize)); err != nil {
			continue
		}
		m := b[pageHeader:]
		sum := fnv.New64a()
		_, _ = sum.Write(m[:56])
		if native.Uint32(m) != magic || native.Uint32(m[4:]) != format || native.Uint64(m[56:]) != sum.Sum64() {
			continue
		}
		if native.Uint32(m[8:]) != uint32(c.pageSize) || native.Uint16(b[8:]) != metaPage {
			continue
		}
		if txid := native.Uint64(m[48:]); c.high == 0 || txid > c.txid {
			c.txid = txid
			root, freelist, c.high = native.Uint64(m[16:]), native.Uint64(m[32:]), native.Uint64(m[40:])
		}
	}
	if c.high < 2 {
		return 0, 0, errors.New("no sound meta page")
	}
	return root, freelist, nil
}

// claim takes count pages, from id on, for one use.
func (c *checker) claim(id, count uint64) error {
	if id < 2 || id >= c.high || count > c.high-id {
		return fmt.Errorf("page %d is out of range", id)
	}
	for i := id; i < id+count; i++ {
		if c.claimed[i] {
			return fmt.Errorf("page %d is used twice", i)
		}
		c.claimed[i] = true
	}
	return nil
}

// checkFreelist claims all free pages: one that is also in use would be
// overwritten.
func (c *checker) checkFreelist(id uint64) error {
	h, err := c.header(id)
	if err == nil {
		err = c.claim(id, h.pages)
	}
	if err != nil {
		return err
	}
	if h.flags != freelistPage {
		return fmt.Errorf("page %d is not a free list", id)
	}
	size := int64(h.pages) * int64(c.pageSize)
	body := io.NewSectionReader(c.file, int64(id)*int64(c.pageSize)+pageHeader, size-pageHeader)
	count := uint64(h.count)
	if h.count == 0xFFFF { // then the first entry is the number of the others
		var b [8]byte
		if _, err := io.ReadFull(body, b[:]); err != nil {
			return err
		}
		count = native.Uint64(b[:])
	}
	if count > c.high {
		return fmt.Errorf("free list of %d pages, of %d in all", count, c.high)
	}
	c.free = count
	b := make([]byte, 8*count)
	if _, err := io.ReadFull(body, b); err != nil {
		return fmt.Errorf("free list: %w", err)
	}
	for ; len(b) > 0; b = b[8:] {
		if err := c.claim(native.Uint64(b), 1); err != nil {
			return fmt.Errorf("free list: %w", err)
		}
	}
	return nil
}
