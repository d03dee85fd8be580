package bolt

import (
	"errors"
	"fmt"
	"os"
)

const (
	compactSuffix = ".compact"        // of what Compact writes
	restoreSuffix = ".restore"        // of what Restore writes
	asideSuffix   = ".before-restore" // of what Restore replaces
)

// ErrRestored means that the file was put back, so that its sessions must go
// before anything else is done with it. It has not been changed.
var ErrRestored = errors.New("not the state that its mark speaks of: put the mark back that belongs to it, or start Cloakroom, which then removes all sessions")

// Compaction is what Compact has done.
type Compaction struct {
	Before, After int64 // size of the file, in bytes
}

// Compact writes the content of the file at path into a new file that takes its
// place, so that what was removed is gone from the disk and its space is free
// again. It needs as much space as the content. Nobody may have the file open
// (ErrLocked), and it must be sound (ErrDamaged) and in the state that its mark
// speaks of (ErrRestored). After an error, or a crash at any moment, the file at
// path is whole, the old or the new one, and keeps its sessions.
func Compact(path string) (Compaction, error) {
	return compact(path, func(string) error { return nil })
}

func compact(path string, step func(string) error) (c Compaction, err error) {
	err = exclusively(path, func(s *Store, l layout) error {
		m, err := l.marked(path)
		if err != nil && !errors.Is(err, errNoMark) {
			return err
		}
		if reason, restored := m.judge(l.point); restored {
			return fmt.Errorf("%w (%s)", ErrRestored, reason)
		}
		if c.Before, err = sizeOf(path); err != nil {
			return err
		}
		d, err := draftBeside(path, compactSuffix)
		if err != nil {
			return err
		}
		err = d.fill(s.db, keepAll)
		if err == nil {
			err = d.finish(path)
		}
		if err == nil {
			err = d.install(path+compactSuffix, path, mark{l.point}, step)
		}
		return d.discard(path+compactSuffix, err)
	})
	if err == nil {
		c.After, err = sizeOf(path)
	}
	if err != nil {
		return Compaction{}, fmt.Errorf("bolt: compact %q: %w", path, err)
	}
	return c, nil
}

// exclusively locks the file at path, which must be a sound store, and has fn
// work on it.
func exclusively(path string, fn func(*Store, layout) error) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	o := offline(path)
	s := newStore(o)
	isNew, err := prepare(path)
	if err != nil {
		return err
	}
	if isNew {
		return ErrEmpty
	}
	if err := s.acquire(o, false); err != nil {
		return err
	}
	return s.guard(func() error {
		l, err := s.examine()
		if err == nil && l.empty {
			err = ErrEmpty
		}
		if err == nil {
			err = fn(s, l)
		}
		return errors.Join(err, s.db.Close())
	})
}

func sizeOf(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
