package bolt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

// ErrExists means that something is where a file was to be written. It has not
// been changed.
var ErrExists = errors.New("exists already, and nothing is ever overwritten")

// Backup writes a copy of what the store holds at this moment to w: a store file
// of its own, with a new id and without anything that was removed before. It
// reads the file once as it is, into an unnamed temporary file beside it, and lets
// go of it before it writes to w, so that a slow w delays nobody; it needs twice
// the space of the store while it works. It ends early when ctx does. The store
// goes on meanwhile.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	if err := s.enter(); err != nil {
		return wrap("backup", err)
	}
	defer s.leave()
	return wrap("backup", s.backup(ctx, w))
}

func (s *Store) backup(ctx context.Context, w io.Writer) error {
	raw, err := unnamed(s.path)
	if err != nil {
		return err
	}
	err = s.view(ctx, func(t *tables) error { return copyTo(ctx, t.tx, raw) })
	if err != nil {
		return errors.Join(err, raw.Close())
	}
	return copyOf(raw, func(src *bbolt.DB) error {
		f, err := unnamed(s.path)
		if err != nil {
			return err
		}
		d, err := newDraft(f)
		if err != nil {
			return err
		}
		err = d.fill(src, keepAll)
		if err == nil {
			err = d.db.View(func(tx *bbolt.Tx) error { return copyTo(ctx, tx, w) })
		}
		return errors.Join(err, d.db.Close())
	})
}

// copyOf checks f, which it takes over, and has fn read it.
func copyOf(f *os.File, fn func(src *bbolt.DB) error) error {
	o := Options{Path: f.Name(), OpenFile: func(string, int, os.FileMode) (*os.File, error) { return f, nil }}
	o.setDefaults()
	s := newStore(o)
	return s.inspect(o, func() error { return fn(s.db) })
}

// unnamed opens a new file beside path that vanishes when it is closed, or when
// the process dies.
func unnamed(path string) (*os.File, error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".backup-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// copyTo writes the state that tx sees to w, until ctx ends. Of some errors of w
// bbolt keeps the text alone.
func copyTo(ctx context.Context, tx *bbolt.Tx, w io.Writer) error {
	guarded := &ctxWriter{ctx: ctx, w: w}
	_, err := tx.WriteTo(guarded)
	if guarded.err != nil {
		return guarded.err
	}
	return err
}

// ctxWriter refuses to write once ctx has ended, and keeps the first error.
type ctxWriter struct {
	ctx context.Context
	w   io.Writer
	err error
}

func (c *ctxWriter) Write(b []byte) (n int, err error) {
	if c.err = c.ctx.Err(); c.err == nil {
		n, c.err = c.w.Write(b)
	}
	return n, c.err
}

// Backup does the same for the file at path, which nobody has open, and makes a
// new file at to (ErrExists), with mode 0600. It checks the file like [Check], and
// returns what is in it.
func Backup(path, to string) (Report, error) {
	report, err := backup(path, to)
	if err != nil {
		return report, fmt.Errorf("bolt: back up %q: %w", path, err)
	}
	return report, nil
}

func backup(path, to string) (Report, error) {
	if _, err := os.Lstat(to); !errors.Is(err, os.ErrNotExist) {
		return Report{}, errors.Join(err, fmt.Errorf("%q: %w", to, ErrExists))
	}
	return examineFile(path, func(s *Store) error {
		f, err := os.CreateTemp(filepath.Dir(to), filepath.Base(to)+".new-*")
		if err != nil {
			return err
		}
		d, err := newDraft(f)
		if err != nil {
			return errors.Join(err, os.Remove(f.Name()))
		}
		err = d.fill(s.db, keepAll)
		if err == nil {
			err = d.file.Sync()
		}
		if err == nil {
			err = errors.Join(os.Rename(f.Name(), to), syncDirOf(to))
		}
		return d.discard(f.Name(), err)
	})
}
