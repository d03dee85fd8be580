package bolt

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// patrolRest is how long the patrol rests for each unit of time that it works: it
// takes a tenth of a processor, and of the disk, from what users need. Work that
// took long had to wait for something else.
const (
	patrolRest  = 9
	longestRest = time.Second
)

// patrol looks at the leaves that Open has trusted the mark for, while the store
// is used: a few at a time, each few in a transaction of their own, so that no page
// is kept from being used again. It goes by keys: what moves meanwhile was written
// anew. The first thing that it finds ends it.
type patrol struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func (p *patrol) begin(s *Store) {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.done.Go(func() {
		if err := s.lookAround(ctx); errors.Is(err, ErrDamaged) {
			s.harm(err)
		}
	})
}

func (p *patrol) end() {
	if p.cancel != nil {
		p.cancel()
		p.done.Wait()
	}
}

// lookAround looks at every leaf, until ctx ends.
func (s *Store) lookAround(ctx context.Context) error {
	c := &checker{file: s.file, window: window{file: s.file}, pageSize: s.db.Info().PageSize}
	for in := range tableCount {
		for from := []byte{}; from != nil; {
			began := time.Now()
			var next []byte
			err := s.view(ctx, func(t *tables) (err error) {
				c.high = uint64(t.tx.Size()) / uint64(c.pageSize)
				c.window.b = c.window.b[:0] // the file has changed since
				root := uint64(t.bucket(in).Root())
				if root == 0 { // it is so small that it lies in the root tree
					return nil
				}
				if next, err = c.checkLeaves(root, from); err != nil {
					err = fmt.Errorf("%q: %w (%w)", s.path, ErrDamaged, err)
				}
				return err
			})
			if err != nil {
				return err
			}
			from = next
			rest(ctx, min(patrolRest*time.Since(began), longestRest))
		}
	}
	return nil
}

func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// checkLeaves checks the leaf that holds the key from, those with later keys that
// have the same branch above them, and the branches above that. It returns the key
// with which to go on, or nil if there is nothing more.
func (c *checker) checkLeaves(root uint64, from []byte) (next []byte, err error) {
	level := []subtree{{page: root, max: ^uint64(0)}}
	var beside []byte // where what lies beside level[0] begins
	for range deepest {
		h, err := c.header(level[0].page)
		if err != nil {
			return nil, err
		}
		if h.flags != branchPage {
			return next, c.checkLevel(level)
		}
		if beside != nil {
			next, beside = beside, nil
		}
		t := level[0]
		p, err := c.readPage(t.page, nil)
		if err == nil {
			level, err = p.check(t, false)
		}
		if err != nil {
			return nil, fmt.Errorf("page %d: %w", t.page, err)
		}
		i := p.place(from)
		if i+1 < len(level) {
			key, _, _, _ := p.element(i + 1)
			beside = bytes.Clone(key)
		}
		level = level[i:]
	}
	return nil, fmt.Errorf("page %d: the tree below has no end", root)
}

// checkLevel checks leaves. There is no list of what pages are used here, so that
// each must have as many as what is in it needs: with more it would free pages of
// others some day.
func (c *checker) checkLevel(leaves []subtree) error {
	slices.SortFunc(leaves, func(a, b subtree) int { return cmp.Compare(a.page, b.page) })
	for i, t := range leaves {
		p, err := c.readPage(t.page, leaves[i+1:])
		if err != nil {
			return err
		}
		if p.flags != leafPage {
			return fmt.Errorf("page %d: unexpected type %#x", t.page, p.flags)
		}
		if _, err := p.check(t, false); err != nil {
			return fmt.Errorf("page %d: %w", t.page, err)
		}
		// bbolt before 1.4 took one more for what fills its pages.
		if need, size := p.need(), c.pageSize; int(p.pages) != (need+size-1)/size && int(p.pages) != need/size+1 {
			return fmt.Errorf("page %d has %d pages for %d bytes", t.page, p.pages, need)
		}
	}
	return nil
}

// place returns which element of a branch leads to key.
func (p page) place(key []byte) int {
	i := 1
	for ; i < int(p.count); i++ {
		if first, _, _, _ := p.element(i); bytes.Compare(first, key) > 0 {
			break
		}
	}
	return i - 1
}

// need returns how many bytes p takes as bbolt writes it.
func (p page) need() int {
	n := pageHeader
	for i := range int(p.count) {
		key, value, _, _ := p.element(i)
		n += elementSize + len(key) + len(value)
	}
	return n
}
