package session

import (
	"sync/atomic"
	"time"
)

// What upkeep writes in one commit: between these, as much as the store takes in
// longestCommit or so. Who signs in or renews waits for that commit, and the larger
// the store is and the slower its disk, the longer it takes.
const (
	leastBatch    = 32
	mostBatch     = 500
	longestCommit = 20 * time.Millisecond
)

// pace finds the size of one kind of batch. The zero value begins with the least. It
// is safe for concurrent use.
type pace struct{ n atomic.Int64 }

func (p *pace) batch() int { return max(int(p.n.Load()), leastBatch) }

// wrote takes note of how long a commit of n took.
func (p *pace) wrote(n int, took time.Duration) {
	batch := p.batch()
	switch {
	case took > longestCommit:
		batch /= 2
	case n >= batch && took < longestCommit/2:
		batch *= 2
	}
	p.n.Store(int64(min(max(batch, leastBatch), mostBatch)))
}
