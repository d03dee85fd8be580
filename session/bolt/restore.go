package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Recovery is what Restore has done.
type Recovery struct {
	Sessions int    // live ones in the backup, which were left out
	Aside    string // where the file is that was replaced; empty if there was none
}

// Restore puts what is in the backup in the place of the file at path: all but
// the sessions. Their refresh tokens may have been used since, and a provider
// takes one that it sees again for stolen and ends every session of that user;
// also, some of them may have been signed out. What is left are used marks,
// burials and the revocations that wait. The file at path, which nobody may have
// open (ErrLocked), is kept at <path>.before-restore (ErrExists), in whatever
// state it is. The backup is checked first (ErrDamaged, ErrVersion) and not
// changed. After a crash the file at path is whole, the old or the new one.
func Restore(backup, path string) (Recovery, error) {
	r, err := restore(backup, path, func(string) error { return nil })
	if err != nil {
		return Recovery{}, fmt.Errorf("bolt: restore %q: %w", path, err)
	}
	return r, nil
}

func restore(backup, path string, step func(string) error) (Recovery, error) {
	var r Recovery
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		err := r.replace(backup, path, step)
		return r, err
	}
	if err != nil {
		return r, err
	}
	if is, err := os.Stat(backup); err == nil && os.SameFile(is, there) {
		return r, fmt.Errorf("%q is the store itself", backup)
	}
	r.Aside = path + asideSuffix
	switch aside, err := os.Lstat(r.Aside); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return r, err
	case os.SameFile(aside, there): // left by one that was cut off
	default:
		return r, fmt.Errorf("%q: %w", r.Aside, ErrExists)
	}
	release, err := lockOld(path)
	if err != nil {
		return r, err
	}
	err = r.replace(backup, path, step)
	return r, errors.Join(err, release())
}

// replace makes a store of the backup and puts it at path.
func (r *Recovery) replace(backup, path string, step func(string) error) error {
	report, err := examineFile(backup, func(s *Store) error {
		d, err := draftBeside(path, restoreSuffix)
		if err != nil {
			return err
		}
		err = d.fill(s.db, func(in table, k []byte) bool { return !ofSessions(in) || keptOnDrop(in, k) })
		if err == nil {
			err = d.finish(path)
		}
		if err == nil && r.Aside != "" {
			err = keepAside(path, r.Aside)
		}
		if err == nil {
			old, _ := readMark(path) // if it makes no sense, it says nothing of the old file
			err = d.install(path+restoreSuffix, path, old, step)
		}
		return d.discard(path+restoreSuffix, err)
	})
	r.Sessions = report.Sessions
	if err != nil {
		return fmt.Errorf("from %q: %w", backup, err)
	}
	return nil
}

// lockOld makes sure that nobody has the file at path open, and that nobody
// opens it before release is called. One that is no sound store cannot be locked,
// nor opened by anybody.
func lockOld(path string) (release func() error, err error) {
	nothing := func() error { return nil }
	o := offline(path)
	s := newStore(o)
	if isNew, err := prepare(path); isNew || err != nil {
		return nothing, err
	}
	err = s.acquire(o, false)
	if errors.Is(err, ErrDamaged) {
		return nothing, nil
	}
	if err != nil {
		return nil, err
	}
	return s.db.Close, nil
}

// keepAside gives the file at path a second name, so that there is always one at
// path; a file system that cannot do that is asked to rename it.
func keepAside(path, aside string) error {
	if err := os.Link(path, aside); err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return os.Rename(path, aside)
}
