package bolt

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
)

const (
	runSize = 1 << 20  // how much is read at once, at most, where what is looked at lies close together
	runGap  = 64 << 10 // what may lie between: reading it costs less than asking anew
)

// subtree is a page to be looked at, and the first eight bytes of the keys
// between which all of its own must lie.
type subtree struct {
	page     uint64
	min, max uint64
}

// header is what a page says of itself.
type header struct {
	flags, count uint16
	pages        uint64 // it, and what overflows from it
}

// deepest is how many levels of pages a tree has at most: each branch has at
// least two below it.
const deepest = 64

// checkTrees checks trees, all of them together: level by level, and each in the
// order of the file, so that the leaves of all are one way through it. Of what is
// more than so many levels down it reads nothing. In the root tree every value is a
// bucket, elsewhere none is; it returns the trees of those buckets.
func (c *checker) checkTrees(level []subtree, ofBuckets bool, levels int) (trees []subtree, err error) {
	for ; len(level) > 0; levels-- {
		if levels == 0 {
			return nil, c.claimAll(level)
		}
		slices.SortFunc(level, func(a, b subtree) int { return cmp.Compare(a.page, b.page) })
		var next []subtree
		for i, t := range level {
			p, err := c.readPage(t.page, level[i+1:])
			if err == nil {
				err = c.claim(t.page, p.pages)
			}
			if err != nil {
				return nil, err
			}
			below, err := p.check(t, ofBuckets)
			if err != nil {
				return nil, fmt.Errorf("page %d: %w", t.page, err)
			}
			if p.flags == branchPage {
				next = append(next, below...)
			} else {
				trees = append(trees, below...)
			}
		}
		level = next
	}
	return trees, nil
}

func (c *checker) claimAll(pages []subtree) error {
	for _, t := range pages {
		if err := c.claim(t.page, 1); err != nil {
			return err
		}
	}
	return nil
}

// height returns how many levels of branches the tree under page root has. All
// leaves of a tree lie equally deep.
func (c *checker) height(root uint64) (int, error) {
	t := subtree{page: root, max: ^uint64(0)}
	for levels := range deepest {
		p, err := c.readPage(t.page, nil)
		if err != nil {
			return 0, err
		}
		below, err := p.check(t, false)
		if err != nil {
			return 0, fmt.Errorf("page %d: %w", t.page, err)
		}
		if p.flags == leafPage {
			return levels, nil
		}
		t = below[0]
	}
	return 0, fmt.Errorf("page %d: the tree below has no end", root)
}

// header reads what page id says of itself.
func (c *checker) header(id uint64) (h header, err error) {
	if id < 2 || id >= c.high {
		return h, fmt.Errorf("page %d is out of range", id)
	}
	b, err := c.window.at(int64(id)*int64(c.pageSize), pageHeader)
	if err != nil {
		return h, err
	}
	if found := native.Uint64(b); found != id {
		return h, fmt.Errorf("page %d calls itself %d", id, found)
	}
	return header{native.Uint16(b[8:]), native.Uint16(b[10:]), uint64(native.Uint32(b[12:])) + 1}, nil
}

// readPage reads page id, which is good until the next call, and with it those of
// the pages that come next that lie close by.
func (c *checker) readPage(id uint64, next []subtree) (p page, err error) {
	size := int64(c.pageSize)
	if err := c.window.read(int64(id)*size, c.run(id, next)); err != nil {
		return p, err
	}
	if p.header, err = c.header(id); err != nil {
		return p, err
	}
	if p.pages > maxPage/uint64(size) {
		return p, fmt.Errorf("page %d has %d pages", id, p.pages)
	}
	p.b, err = c.window.at(int64(id)*size, int64(p.pages)*size)
	return p, err
}

// run returns how many bytes to read from page id on. Most pages of this file
// overflow into one more.
func (c *checker) run(id uint64, next []subtree) int64 {
	size := uint64(c.pageSize)
	last := id
	for _, t := range next { // in order; a page may have any number yet
		if t.page-last > runGap/size || t.page-id >= runSize/size {
			break
		}
		last = t.page
	}
	return int64((last - id + 2) * size)
}

// window is a part of a file in memory.
type window struct {
	file io.ReaderAt
	off  int64
	b    []byte
}

// read makes sure that what is at off is in the window, or else reads n bytes
// from there on.
func (w *window) read(off, n int64) error {
	if w.off <= off && off < w.off+int64(len(w.b)) {
		return nil
	}
	if int64(cap(w.b)) < n {
		w.b = make([]byte, 0, max(n, runSize))
	}
	got, err := w.file.ReadAt(w.b[:n], off)
	w.off, w.b = off, w.b[:got]
	if errors.Is(err, io.EOF) && got > 0 {
		return nil
	}
	return err
}

// at returns the n bytes at off. They are good until the next call.
func (w *window) at(off, n int64) ([]byte, error) {
	if w.off <= off && off+n <= w.off+int64(len(w.b)) {
		return w.b[off-w.off:][:n], nil
	}
	w.b = w.b[:0]
	if err := w.read(off, n); err != nil {
		return nil, err
	}
	if int64(len(w.b)) < n {
		return nil, io.ErrUnexpectedEOF
	}
	return w.b, nil
}
