package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cloakroom/cloakroom/bench/stand"
	"github.com/cloakroom/cloakroom/session"
)

// stored is what was measured with so many sessions in the file.
type stored struct {
	n          int
	size       int64
	fill       time.Duration // for the sessions that came on top
	filled     int
	cold, warm cost
	signIn     cost
	heads      latencies // one batch of upkeep each
	nothing    latencies // a sweep that finds nothing
	starts     starts
	sweep      swept
}

// keptTickets is how many sessions a size is measured with: spread over the
// file.
const keptTickets = 2000

// headBatch is how many heads upkeep writes in one commit.
const headBatch = 500

// stored fills one store further and further.
func (b *bench) stored() (string, error) {
	sizes := []int{1000, 10_000, 100_000, 1_000_000}
	if b.quick {
		sizes = []int{1000, 10_000}
	}
	dir, err := b.folder("stored")
	if err != nil {
		return "", err
	}
	binary, err := stand.Build(b.dir)
	if err != nil {
		return "", err
	}
	var results []stored
	done := 0
	for _, n := range sizes {
		r := stored{n: n, filled: n - done}
		tickets, err := r.fillTo(dir)
		if err != nil {
			return "", err
		}
		done = n
		if err := r.measure(dir, tickets); err != nil {
			return "", fmt.Errorf("%d sessions: %w", n, err)
		}
		if r.starts, err = startsOn(binary, dir); err != nil {
			return "", fmt.Errorf("%d sessions: %w", n, err)
		}
		if err := r.sweepAll(dir, n == sizes[len(sizes)-1]); err != nil {
			return "", fmt.Errorf("%d sessions: %w", n, err)
		}
		fmt.Fprintf(os.Stderr, "%d sessions measured\n", n)
		results = append(results, r)
	}
	last := results[len(results)-1]
	after, err := startsOn(binary, dir)
	if err != nil {
		return "", err
	}
	tail := fmt.Sprintf(`A sweep was stopped after %v; its figures are of what it had done by then. The file keeps its size, its pages are free for use, and the list of
them is written with every commit. A start on what the sweep left of %s sessions takes %s ms, RSS %s MiB. A start after a kill reads the whole
file to check it, one after a clean stop its branches: how much of a big file is in the machine's cache counts as much as its size.
`, sweepAtMost, count(last.n), after.stopped, after.rss)
	text, err := b.storedPage(results)
	if err != nil {
		return "", err
	}
	return text + tail, os.RemoveAll(dir)
}

func data(dir string) string { return filepath.Join(dir, "data") }

// fillTo adds what is missing and returns tickets to measure with.
func (r *stored) fillTo(dir string) ([]session.Ticket, error) {
	h, err := openHouse(data(dir))
	if err != nil {
		return nil, err
	}
	began := time.Now()
	tickets, err := h.fill(r.filled, keptTickets)
	r.fill = time.Since(began)
	if err != nil {
		return nil, err
	}
	return tickets[:min(len(tickets), keptTickets)], h.store.Close()
}

// measure takes everything that does not change the number of sessions much.
func (r *stored) measure(dir string, tickets []session.Ticket) (err error) {
	h, err := openHouse(data(dir))
	if err != nil {
		return err
	}
	defer func() { _ = h.store.Close() }()
	m, err := h.manager()
	if err != nil {
		return err
	}
	ctx := context.Background()
	info, err := os.Stat(h.path())
	if err != nil {
		return err
	}
	r.size = info.Size()
	resume := func(i int) error {
		_, err := m.Resume(ctx, tickets[i])
		return err
	}
	if r.cold, err = measure(len(tickets), resume); err != nil {
		return err
	}
	if r.warm, err = measure(len(tickets), resume); err != nil {
		return err
	}
	users := make([]session.SignIn, 300)
	for i := range users {
		users[i] = signIn(limits.Absolute)
	}
	r.signIn, err = measure(len(users), func(i int) error {
		_, err := m.Start(ctx, users[i], nil)
		return err
	})
	if err != nil {
		return err
	}
	if r.heads, err = headWrites(h, tickets); err != nil {
		return err
	}
	nothing, err := measure(200, func(int) error {
		n, err := h.store.Sweep(ctx, time.Now(), 500)
		if err == nil && n > 0 {
			err = fmt.Errorf("%d sessions had expired already", n)
		}
		return err
	})
	r.nothing = nothing.took
	return err
}

// headWrites measures upkeep's commit of a batch of heads: with a manager for
// each that writes what is left when it closes.
func headWrites(h *house, tickets []session.Ticket) (latencies, error) {
	ctx := context.Background()
	var out latencies
	for from := 0; from+headBatch <= len(tickets); from += headBatch {
		m, err := h.manager()
		if err != nil {
			return nil, err
		}
		for _, t := range tickets[from : from+headBatch] {
			s, err := m.Resume(ctx, t)
			if err != nil {
				return nil, err
			}
			s.Touch()
		}
		began := time.Now()
		if err := m.Close(ctx); err != nil {
			return nil, err
		}
		out = append(out, time.Since(began))
	}
	return out, nil
}

// swept is how it went when everything had expired.
type swept struct {
	heads, rest phase
	after       cost // sign-ins, when all pages are free
}

// phase is one walk of the sweep over every session.
type phase struct {
	total   time.Duration
	commits latencies
	handled int
}

// sweepBatch is how many entries the store removes in one transaction.
const sweepBatch = 256

// sweepAtMost bounds a phase: when it has taken so long the rest is left.
const sweepAtMost = 100 * time.Second

// sweepAll lets every session expire, in a copy of the store unless this is the
// last use of it: first by idling out, then by its absolute end.
func (r *stored) sweepAll(dir string, last bool) error {
	at := data(dir)
	if !last {
		at = filepath.Join(dir, "copy")
		if err := copyStore(data(dir), at); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(at) }()
	}
	h, err := openHouse(at)
	if err != nil {
		return err
	}
	defer func() { _ = h.store.Close() }()
	if r.sweep.heads, err = sweepAt(h, time.Now().Add(2*limits.Idle)); err != nil {
		return err
	}
	if r.sweep.rest, err = sweepAt(h, time.Now().Add(2*limits.Absolute)); err != nil {
		return err
	}
	m, err := h.manager()
	if err != nil {
		return err
	}
	users := make([]session.SignIn, 100)
	for i := range users {
		users[i] = signIn(limits.Absolute)
	}
	r.sweep.after, err = measure(len(users), func(i int) error {
		_, err := m.Start(context.Background(), users[i], nil)
		return err
	})
	return err
}

func sweepAt(h *house, now time.Time) (p phase, err error) {
	began := time.Now()
	for {
		commit := time.Now()
		n, err := h.store.Sweep(context.Background(), now, sweepBatch)
		if err != nil {
			return p, err
		}
		p.commits = append(p.commits, time.Since(commit))
		p.handled += n
		if n < sweepBatch || time.Since(began) > sweepAtMost {
			p.total = time.Since(began)
			return p, nil
		}
	}
}

func copyStore(from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	return os.CopyFS(to, os.DirFS(from))
}
