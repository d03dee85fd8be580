package bolt

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// version is that of the layout. Other versions are left alone.
const version = 1

// growBy is how much the file grows at a time: bbolt's own 16 MiB is too much
// for a small volume.
const growBy = 1 << 20

var (
	keyVersion = []byte("version")
	keyID      = []byte("id") // random: tells this store from any other
)

func open(o Options) (*Store, error) {
	if o.Path == "" {
		return nil, errors.New("no path given")
	}
	if o.LockTimeout == 0 {
		o.LockTimeout = 2 * time.Second
	}
	if o.OpenFile == nil {
		o.OpenFile = os.OpenFile
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Store{
		path: o.Path, now: o.Now,
		queue:   make(chan *change),
		stopped: make(chan struct{}),
		dead:    make(chan struct{}),
		health:  health{trying: make(chan struct{}, 1)},
	}

	isNew, err := prepare(o.Path)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(o.LockTimeout)
	if !isNew {
		if err := s.inspect(o); err != nil {
			return nil, err
		}
	}
	o.LockTimeout = max(time.Until(deadline), time.Millisecond)
	if err := s.guard(func() error { return s.attach(o, false) }); err != nil {
		return nil, err
	}
	s.db.AllocSize = growBy
	err = s.guard(func() error {
		err := s.initialise()
		if err == nil && isNew {
			err = syncDir(filepath.Dir(o.Path))
		}
		if err != nil {
			return errors.Join(err, s.db.Close())
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s, nil
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

// inspect checks the file under a shared lock, before bbolt has to rely on it.
func (s *Store) inspect(o Options) error {
	return s.guard(func() error {
		if err := s.attach(o, true); err != nil {
			return err
		}
		info, err := s.file.Stat()
		if err == nil {
			err = check(s.file, info.Size(), s.db.Info().PageSize)
		}
		return errors.Join(err, s.db.Close())
	})
}

// attach lets bbolt lock and map the file.
func (s *Store) attach(o Options, readOnly bool) error {
	db, err := bbolt.Open(o.Path, 0o600, &bbolt.Options{
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

// guard runs fn and turns panics and faults into ErrDamaged. bbolt keeps its
// lock on the file then, until the process ends.
func (s *Store) guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w (%.200s)", ErrDamaged, fmt.Sprint(p))
		}
	}()
	return fn()
}

// initialise lays out an empty database, and refuses one that something else
// has laid out. It writes only in the first case.
func (s *Store) initialise() error {
	empty, missing := true, false
	err := s.db.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket([]byte(tableNames[metaTable]))
		if meta == nil {
			first, _ := tx.Cursor().First()
			empty = first == nil
			if !empty {
				return fmt.Errorf("%w (not a store of sessions)", ErrVersion)
			}
			return nil
		}
		empty = false
		found := meta.Get(keyVersion)
		if len(found) != 4 || binary.BigEndian.Uint32(found) != version {
			return fmt.Errorf("%w (version %x, want %d)", ErrVersion, found, version)
		}
		for i, name := range tableNames {
			if tx.Bucket([]byte(name)) != nil {
				continue
			}
			if table(i) < firstTables {
				return fmt.Errorf("%w (bucket %s is missing)", ErrDamaged, name)
			}
			missing = true
		}
		return nil
	})
	if err != nil || !empty && !missing {
		return err
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range tableNames {
			if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
				return err
			}
		}
		if !empty {
			return nil
		}
		meta := tx.Bucket([]byte(tableNames[metaTable]))
		id := make([]byte, 16)
		_, _ = rand.Read(id) // never fails: crypto/rand ends the process instead
		if err := meta.Put(keyID, id); err != nil {
			return err
		}
		return meta.Put(keyVersion, binary.BigEndian.AppendUint32(nil, version))
	})
}

// syncDir makes the entry of a new file durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
