package session

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	upkeepEvery   = time.Second      // streams, activity and deletions are looked at
	sweepEvery    = 10 * time.Second // the store is swept
	countEvery    = 15 * time.Second // what waits is counted for the metrics
	deletesAtOnce = 128              // deletions that are repeated at a time
	storeTimeout  = 30 * time.Second // for one call to the store that no request waits for
)

// granularity is how often activity on one session is written at most: a crash
// makes a session idle out that much earlier.
func (m *Manager) granularity() time.Duration { return min(m.limits.Idle/20, time.Minute) }

// Run does the upkeep until ctx is done: it writes activity, closes streams of
// sessions that ran out, sweeps store and memory (see makeRoom), repeats deletions
// that the store refused, and takes up revocations. It logs what goes wrong and goes on.
func (m *Manager) Run(ctx context.Context) {
	tick := time.NewTicker(upkeepEvery)
	defer tick.Stop()
	var others sync.WaitGroup
	defer others.Wait()
	others.Go(func() { m.watchStreams(ctx) })
	others.Go(func() { m.watchMemory(ctx) })
	var swept, counted time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := m.now()
		m.deletePending(ctx)
		m.revokeDue(ctx, now)
		flushed := m.flush(ctx, now, false)
		if flushed && now.Sub(swept) >= sweepEvery && !m.sweep(ctx, now) {
			swept = now
		}
		if now.Sub(counted) >= countEvery {
			m.countRevocations(ctx)
			counted = now
		}
	}
}

// watchStreams closes streams in time, whatever the store does.
func (m *Manager) watchStreams(ctx context.Context) {
	tick := time.NewTicker(upkeepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			m.closeStreams(m.now())
		}
	}
}

// Close waits for renewals and revocations under way, until ctx is done, and
// then writes the last activity. Nothing new is begun once it is called. The
// store is the caller's to close.
func (m *Manager) Close(ctx context.Context) error {
	m.mu.Lock()
	if !m.isClosing() {
		close(m.closing)
	}
	m.mu.Unlock()
	idle := make(chan struct{})
	go func() { m.work.Wait(); close(idle) }()
	var err error
	select {
	case <-idle:
	case <-ctx.Done():
		err = errors.New("session: closed before all renewals had ended; their intents are written")
	}
	// Even a deadline that is over must not cost the users their activity.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	m.deletePending(ctx)
	m.flush(ctx, m.now(), true)
	return err
}

// pause waits for d, and less if the Manager begins to close meanwhile: time
// for one last attempt. It reports false if the Manager was closing before.
func (m *Manager) pause(d time.Duration) bool {
	if m.isClosing() {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-m.closing:
	}
	return true
}

// flush writes the activity of all sessions whose last write is long enough
// ago, or of all. It reports whether the store took it.
func (m *Manager) flush(ctx context.Context, now time.Time, all bool) bool {
	for began := m.now(); ; {
		most := m.flushing.batch()
		if m.now().Sub(began) >= upkeepEvery {
			most = mostBatch // each commit costs the disk so much that small ones fall behind
		}
		batch := m.unwritten(now, all, most)
		if len(batch) == 0 {
			return true
		}
		if err := m.writeHeads(ctx, batch); err != nil {
			m.log.Error("activity can't be written; trying again", "sessions", len(batch), "error", err)
			m.mu.Lock()
			for _, s := range batch {
				s.dirty.Store(true)
				s.urgent.Store(true)
				m.dirty[s] = struct{}{}
			}
			m.mu.Unlock()
			unpin(batch)
			return false
		}
		unpin(batch)
	}
}

// unpin lets sessions leave memory again that unwritten took.
func unpin(batch []*Session) {
	for _, s := range batch {
		s.writing.Add(-1)
	}
}

// unwritten takes a batch of sessions out of m.dirty, of so many at most. They stay in memory until
// that write is over: what is loaded before the write is done would be older.
func (m *Manager) unwritten(now time.Time, all bool, most int) (batch []*Session) {
	before := now.Add(-m.granularity()).UnixMilli()
	m.mu.Lock()
	defer m.mu.Unlock()
	for s := range m.dirty {
		if !all && !s.urgent.Load() && s.written.Load() > before {
			continue
		}
		delete(m.dirty, s)
		s.writing.Add(1)
		// Clean before seen is read: activity from here on makes it dirty again.
		s.dirty.Store(false)
		s.urgent.Store(false)
		if batch = append(batch, s); len(batch) == most {
			break
		}
	}
	return batch
}

// writeHeads writes the heads of sessions as they are now. One call follows the
// other, so that an older head never overtakes a newer one on its way to the
// store. No request but a sign-in that replaces a session waits for it.
func (m *Manager) writeHeads(ctx context.Context, batch []*Session) error {
	m.heads.Lock()
	defer m.heads.Unlock()
	now := m.now().UnixMilli()
	updates := make([]HeadUpdate, 0, len(batch))
	for _, s := range batch {
		if s.gone() {
			continue // its successor knows better
		}
		update, err := s.headUpdate(m.keys.Load())
		if err != nil {
			return err
		}
		updates = append(updates, update)
	}
	timed := m.probed
	if m.now().Sub(timed) >= probeEvery {
		update, err := m.sealProbe(m.keys.Load())
		if err != nil {
			return err
		}
		updates, timed = append(updates, update), m.now()
	}
	began := m.now()
	if err := m.store.UpdateHeads(ctx, updates); err != nil {
		return err
	}
	m.flushing.wrote(len(batch), m.now().Sub(began), longestFlush)
	m.probed = timed
	for _, s := range batch {
		s.written.Store(now)
	}
	return nil
}

// sweep removes what has expired from the store, batch by batch. It reports whether
// there may be more to go on with at once: what is more urgent has its turn before.
func (m *Manager) sweep(ctx context.Context, now time.Time) (more bool) {
	for first := m.now(); ctx.Err() == nil && m.now().Sub(first) < upkeepEvery; {
		batch, began := m.sweeping.batch(), m.now()
		n, err := m.store.Sweep(ctx, now, batch)
		if err != nil {
			m.log.Error("expired sessions can't be removed; trying again", "error", err)
			return false
		}
		m.sweeping.wrote(n, m.now().Sub(began), longestSweep)
		if n < batch {
			return false
		}
	}
	return true
}

// deletePending repeats the deletions that the store refused: one, and if that
// works the others, many at a time.
func (m *Manager) deletePending(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	var tasks errgroup.Group
	tasks.SetLimit(deletesAtOnce)
	tried := false
	m.ended.Range(func(k, v any) bool {
		b := v.(*burial)
		if !b.pending {
			return true
		}
		m.note(k.(Key), func(b *burial) bool {
			b.pending, b.revoke = false, nil
			return true
		})
		if !tried {
			tried = true
			return m.tryRemove(ctx, k.(Key), b.revoke)
		}
		tasks.Go(func() error {
			m.tryRemove(ctx, k.(Key), b.revoke)
			return nil
		})
		return true
	})
	_ = tasks.Wait()
}
