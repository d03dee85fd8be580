package bolt

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/cloakroom/cloakroom/session"
)

// batchSize bounds what one transaction carries, and with it the time that a
// change waits for those before it.
const batchSize = 512

// longestGather is after how long the writer lets others run no longer before it
// commits what it has: about what a commit takes.
const longestGather = time.Millisecond

// errUnchanged ends a transaction that has nothing to commit.
var errUnchanged = errors.New("unchanged")

// change is one caller's wish and the way to answer it.
type change struct {
	// apply makes the change. It may be called more than once, each time in a
	// fresh transaction, so it sets its results anew. It returns what refused
	// names only before its first write.
	apply   func(*tables) error
	patient bool       // nobody waits for it
	err     error      // of the last call of apply
	done    chan error // has room for the one answer
}

// change has the writer make a change and waits until it is durable. A context
// that ends before the writer takes it up prevents it; later it is not asked.
func (s *Store) change(ctx context.Context, apply func(*tables) error) error {
	return s.carry(ctx, &change{apply: apply})
}

func (s *Store) carry(ctx context.Context, c *change) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	if err := ctx.Err(); err != nil {
		return err
	}

	c.done = make(chan error, 1)
	select {
	case s.queue <- c:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.dead:
		return s.cause
	}

	select {
	case err := <-c.done:
		return err
	case <-s.dead:
	}
	select {
	case err := <-c.done:
		return err
	default:
		return fmt.Errorf("%w: %w", ErrUnknown, s.cause)
	}
}

// write is the one writer: it carries out what waits in the queue, batch by
// batch, until the queue is closed.
func (s *Store) write() {
	defer close(s.stopped)
	debug.SetPanicOnFault(true) // for this goroutine: a fault in the mapped file is an error
	for first := range s.queue {
		s.commit(s.gather(first))
	}
}

// gather adds to first whatever waits already, and what those add who are about to:
// they get to run before a commit holds the processor, as a system call does until the
// runtime takes it away. Where others keep the processor busy, each turn of them all
// is as much time that the first waits, so longestGather bounds that. While all
// changes are patient it waits for more, until the first that is not.
func (s *Store) gather(first *change) []*change {
	batch := []*change{first}
	if first.patient && s.wait > 0 {
		batch = s.company(batch)
	}
	for began := time.Now(); ; {
		before := len(batch)
		runtime.Gosched()
		batch = s.drain(batch)
		if len(batch) == before || len(batch) == batchSize || time.Since(began) > longestGather {
			return batch
		}
	}
}

// drain adds what waits.
func (s *Store) drain(batch []*change) []*change {
	for len(batch) < batchSize {
		select {
		case c, ok := <-s.queue:
			if !ok {
				return batch
			}
			batch = append(batch, c)
		default:
			return batch
		}
	}
	return batch
}

// company adds what comes while nobody waits for any of it.
func (s *Store) company(batch []*change) []*change {
	timer := time.NewTimer(s.wait)
	defer timer.Stop()
	for len(batch) < batchSize {
		select {
		case c, ok := <-s.queue:
			if !ok {
				return batch
			}
			batch = append(batch, c)
			if !c.patient {
				return batch
			}
		case <-timer.C:
			return batch
		}
	}
	return batch
}

// commit carries out a batch and answers each of its changes.
func (s *Store) commit(batch []*change) {
	for len(batch) > 0 {
		bad, err := s.try(batch)
		switch {
		case err == nil:
			for _, c := range batch {
				c.done <- c.err
			}
			return
		case bad >= 0:
			// What this one wrote went with the transaction; so did the work of
			// the others, who had no part in it.
			batch[bad].done <- err
			batch = slices.Delete(batch, bad, bad+1)
		case errors.Is(err, ErrDamaged) && !s.isDead() && len(batch) > 1:
			// Some change touched a broken page that shows at commit only: let it
			// fail alone.
			for _, c := range batch {
				s.commit([]*change{c})
			}
			return
		default:
			for _, c := range batch {
				c.done <- err
			}
			return
		}
	}
}

// try carries out a batch in one transaction. If one change spoils it, bad is
// its place in the batch, otherwise -1. A change that was refused is no error.
func (s *Store) try(batch []*change) (bad int, err error) {
	if s.isDead() {
		return -1, s.cause
	}

	bad = -1
	var tx *bbolt.Tx
	var id int // of the transaction; known once it has begun
	defer func() {
		if p := recover(); p != nil {
			err = s.damaged(p)
			if tx == nil || tx.DB() != nil {
				s.bury(err) // the writer's lock was not released
			}
		}
		if bad < 0 && err == errUnchanged {
			err = nil
			return
		}
		if bad < 0 {
			err = s.outcome(id, err)
			s.health.set(err)
			if err == nil {
				s.marker.committed(uint64(id))
			}
		}
	}()

	err = s.db.Update(func(t *bbolt.Tx) error {
		tx, id = t, t.ID()
		tb := &tables{tx: t, store: s}
		for i, c := range batch {
			bad = i
			if c.err = c.apply(tb); c.err != nil && !refused(c.err) {
				return c.err
			}
		}
		bad = -1
		if !tb.dirty {
			return errUnchanged
		}
		return nil
	})
	return bad, err
}

// refused reports whether err is an answer and not a failure.
func refused(err error) bool {
	return errors.Is(err, session.ErrNotFound) || errors.Is(err, session.ErrConflict) ||
		errors.Is(err, session.ErrSignedOut) || errors.Is(err, session.ErrRepeated)
}

// outcome completes the error of a commit. When only the last fdatasync failed,
// the change is there to be read, yet may be gone after a crash.
func (s *Store) outcome(id int, err error) error {
	if err == nil || s.isDead() {
		return err
	}
	var last int
	if lookErr := s.look(func(t *tables) error { last = t.tx.ID(); return nil }); lookErr != nil {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	if id != 0 && last >= id {
		return fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return err
}

func (s *Store) isDead() bool {
	select {
	case <-s.dead:
		return true
	default:
		return false
	}
}
