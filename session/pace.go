package session

import (
	"sync/atomic"
	"time"
)

// What upkeep writes in one commit: between these, as much as the store takes in
// longestFlush or longestSweep, or so. Who signs in or renews waits for that commit,
// and the larger the store is and the slower its disk, the longer it takes. On one
// processor calls wait as well while it is put together. Activity is written all the
// time; what a sweep removes is not worth more commits than need be.
const (
	leastBatch   = 32
	mostBatch    = 500
	longestFlush = 5 * time.Millisecond
	longestSweep = 20 * time.Millisecond
)

// pace finds the size of one kind of batch. The zero value begins with the least. It
// is safe for concurrent use.
type pace struct{ n atomic.Int64 }

func (p *pace) batch() int { return max(int(p.n.Load()), leastBatch) }

// wrote takes note of how long a commit of n took, of which longest is the most that
// it should.
func (p *pace) wrote(n int, took, longest time.Duration) {
	batch := p.batch()
	switch {
	case took > longest:
		batch /= 2
	case n >= batch && took < longest/2:
		batch *= 2
	}
	p.n.Store(int64(min(max(batch, leastBatch), mostBatch)))
}
