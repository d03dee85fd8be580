package bolt

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// Examine does what [Check] does, then has fn read the store, which nobody may
// change meanwhile: what fn wants to change is refused. A file that was put back
// is not opened for good by it and keeps its sessions; the report says so.
func Examine(path string, fn func(session.Store) error) (Report, error) {
	report, err := examineFile(path, func(s *Store) error {
		go s.write() // the file is open to read it: bbolt refuses
		defer func() {
			s.mu.Lock()
			s.closed = true
			s.mu.Unlock()
			s.calls.Wait()
			close(s.queue)
			<-s.stopped
		}()
		return fn(s)
	})
	if err != nil {
		return report, fmt.Errorf("bolt: examine %q: %w", path, err)
	}
	return report, nil
}

// Locked reports whether a process has the file at path open to write it. It
// neither waits nor changes anything. An error means that nobody can tell; it is
// fs.ErrNotExist if there is no file.
func Locked(path string) (bool, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return false, err
	case !info.Mode().IsRegular():
		return false, errors.New("not a file")
	case info.Size() == 0: // whoever has a store open has filled it
		return false, nil
	}
	o := offline(path)
	o.LockTimeout = time.Nanosecond // one attempt
	s := newStore(o)
	err = s.guard(func() error {
		if err := s.attach(o, true); err != nil {
			return err
		}
		return s.db.Close()
	})
	switch {
	case errors.Is(err, ErrLocked):
		return true, nil
	case errors.Is(err, ErrDamaged): // it was locked before it was looked at
		return false, nil
	}
	return false, err
}
