package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// growBy is how much the file grows at a time: bbolt's own 16 MiB is too much
// for a small volume.
const growBy = 512 << 10

func open(o Options) (*Store, error) {
	if o.Path == "" {
		return nil, errors.New("no path given")
	}
	o.setDefaults()
	o.trust = true
	s := newStore(o)
	isNew, err := prepare(o.Path)
	if err != nil {
		return nil, err
	}
	if err := s.acquire(o, isNew); err != nil {
		return nil, err
	}
	s.db.AllocSize = growBy
	var at point
	var marked uint64
	err = s.guard(func() (err error) {
		// What a killed process wrote and did not sync is only in the machine's memory:
		// the mark must not be ahead of the disk.
		if err := s.file.Sync(); err != nil {
			return s.orClose(err)
		}
		at, marked, err = s.settle(o)
		return s.orClose(err)
	})
	if err != nil {
		return nil, err
	}
	s.marker = newMarker(o, at, marked)
	return s, nil
}

func (o *Options) setDefaults() {
	if o.LockTimeout == 0 {
		o.LockTimeout = 2 * time.Second
	}
	if o.OpenFile == nil {
		o.OpenFile = os.OpenFile
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Damaged == nil {
		o.Damaged = func(error) {}
	}
	if o.step == nil {
		o.step = func(string) error { return nil }
	}
}

func newStore(o Options) *Store {
	return &Store{
		path: o.Path, now: o.Now, wait: o.Patience, alarm: o.Damaged,
		queue:   make(chan *change),
		stopped: make(chan struct{}),
		dead:    make(chan struct{}),
		health:  health{trying: make(chan struct{}, 1)},
	}
}

// orClose releases the file if err is not nil, and returns err.
func (s *Store) orClose(err error) error {
	if err != nil {
		return errors.Join(err, s.db.Close())
	}
	return nil
}

// prepare looks at what is there, and makes the directory if nothing is. It
// reports whether the file is yet to be filled.
func prepare(path string) (isNew bool, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() {
		return false, errors.New("not a file: give the path of a file, not of a directory or device")
	}
	return info.Size() == 0, nil
}

// acquire checks the file, if there is anything in it, and locks it for this
// process alone.
func (s *Store) acquire(o Options, isNew bool) error {
	deadline := time.Now().Add(o.LockTimeout)
	for {
		if !isNew {
			if err := s.inspect(o, func() error { return nil }); err != nil {
				return err
			}
		}
		o.LockTimeout = max(time.Until(deadline), time.Millisecond)
		if err := s.guard(func() error { return s.attach(o, false) }); err != nil {
			return err
		}
		current, err := s.isCurrent()
		if err != nil {
			return s.orClose(err)
		}
		if current {
			return nil
		}
		// Whoever had the file open has put another in its place.
		if err := s.db.Close(); err != nil {
			return err
		}
		isNew = false
	}
}

// isCurrent reports whether the file that is open is still the one at the path.
// While this process waited for the lock it may have been replaced: then what
// is written to it would be lost.
func (s *Store) isCurrent() (bool, error) {
	opened, err := s.file.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Stat(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(opened, there), err
}

// inspect checks the file under a shared lock, before bbolt has to rely on it,
// then has fn look at it.
func (s *Store) inspect(o Options, fn func() error) error {
	return s.guard(func() error {
		if err := s.attach(o, true); err != nil {
			return err
		}
		info, err := s.file.Stat()
		if err == nil {
			s.usage, s.partly, err = check(s.file, info.Size(), s.db.Info().PageSize,
				func(txid uint64) bool { return o.trust && isWhole(o.Path, txid, info) })
		}
		if err == nil {
			err = fn()
		}
		return errors.Join(err, s.db.Close())
	})
}

// attach lets bbolt lock and map the file.
func (s *Store) attach(o Options, readOnly bool) error {
	db, err := o.openMapped(bbolt.Options{
		Timeout:      o.LockTimeout,
		ReadOnly:     readOnly,
		FreelistType: bbolt.FreelistMapType,
		OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
			f, err := o.OpenFile(name, flag, perm)
			s.file = f
			return f, err
		},
	})
	var errno syscall.Errno
	switch {
	case err == nil:
	case errors.Is(err, berrors.ErrTimeout):
		return ErrLocked
	case s.file == nil, errors.As(err, &errno):
		return err
	default: // whatever else bbolt has to say is about the content
		return fmt.Errorf("%w (%w)", ErrDamaged, err)
	}
	s.db = db
	return nil
}

// guard runs fn, a part of Open, and turns panics and faults into ErrDamaged.
// The file is closed then, but bbolt keeps it mapped until the process ends.
func (s *Store) guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w (%.200s)", ErrDamaged, fmt.Sprint(p))
			_ = s.file.Close() // and with it the lock; closed before is as well
		}
	}()
	return fn()
}

// syncDirOf makes the entry of a file durable.
func syncDirOf(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
