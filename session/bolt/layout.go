package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// version is that of the layout. Other versions are left alone.
const version = 1

var (
	keyVersion = []byte("version")
	keyID      = []byte("id") // the storeID
)

// layout is what a file looks like before anything is done with it.
type layout struct {
	empty bool // a database without any bucket
	early bool // of a program that knew fewer tables, and no marks
	point
}

// examine looks at the open file and refuses one that something else has laid
// out.
func (s *Store) examine() (l layout, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		l.txid = uint64(tx.ID())
		meta := tx.Bucket([]byte(tableNames[metaTable]))
		if meta == nil {
			if first, _ := tx.Cursor().First(); first != nil {
				return fmt.Errorf("%w (not a store of sessions)", ErrVersion)
			}
			l.empty = true
			return nil
		}
		found := meta.Get(keyVersion)
		if len(found) != 4 || binary.BigEndian.Uint32(found) != version {
			return fmt.Errorf("%w (version %x, want %d)", ErrVersion, found, version)
		}
		copy(l.id[:], meta.Get(keyID))
		for i, name := range tableNames {
			if tx.Bucket([]byte(name)) != nil {
				continue
			}
			if table(i) < firstTables {
				return fmt.Errorf("%w (bucket %s is missing)", ErrDamaged, name)
			}
			l.early = true
		}
		return nil
	})
	return l, err
}

// settle makes the open file a store with a mark that fits it, and removes the
// sessions of one that was restored. It returns where the file is then, and
// which transaction its mark names. A mark is always written before what would
// look restored without it.
func (s *Store) settle(o Options) (at point, marked uint64, err error) {
	l, err := s.examine()
	if err != nil {
		return at, 0, err
	}
	if l.empty {
		return s.create(o, l)
	}

	m, err := l.marked(o.Path)
	if err != nil && !errors.Is(err, errNoMark) {
		return at, 0, err
	}
	_, notes, _ := readNoted(o.Path)
	noted := len(notes) > 0
	at = l.point
	reason, restored := m.judge(at)
	fits := len(m) == 1 // of two only one is left
	if restored {
		s.restored, fits = &Restoration{Reason: reason}, false
		if at, s.restored.Sessions, err = s.disown(o.step); err != nil {
			return at, 0, err
		}
	} else if l.early { // it may have no mark yet
		if err := s.mark(o, at); err != nil {
			return at, 0, err
		}
	}
	if l.early { // not before: a transaction more, and what is behind may be so no longer
		if at, err = s.layOut(layout{point: at}); err != nil {
			return at, 0, err
		}
	}
	switch {
	case !fits:
		return at, at.txid, s.mark(o, at)
	case noted:
		return s.unnote(o, at)
	}
	return at, m[0].txid, nil
}

// unnote writes the mark without the note that the file is whole, for it is about
// to change. If that is not possible (the disk is full), the marker tries again: the
// note speaks of one transaction, which the next leaves as it is.
func (s *Store) unnote(o Options, at point) (point, uint64, error) {
	if err := o.step("mark"); err != nil {
		return at, 0, err
	}
	if err := writeMark(o.Path, mark{at}, o.OpenFile); err != nil {
		return at, 0, nil
	}
	return at, at.txid, nil
}

// create makes a new store of a file with nothing in it. A mark that names a
// state after a store's beginning, which has the transaction 0, tells of one that
// is gone: it stays until there is another.
func (s *Store) create(o Options, l layout) (at point, marked uint64, err error) {
	old, err := readMark(o.Path)
	if err != nil && !errors.Is(err, errNoMark) {
		return at, 0, err
	}
	old = old.begun()
	l.id = newStoreID()
	if err := s.mark(o, append(old, point{l.id, 0})...); err != nil {
		return at, 0, err
	}
	if at, err = s.layOut(l); err != nil || len(old) == 0 {
		return at, 0, err
	}
	s.restored = &Restoration{Reason: Gone}
	return at, at.txid, s.mark(o, at)
}

// marked returns the mark of the file at path. A program that knew no marks left
// none: its file is taken for what it is.
func (l layout) marked(path string) (mark, error) {
	m, err := readMark(path)
	if l.early && errors.Is(err, errNoMark) {
		return mark{l.point}, nil
	}
	return m, err
}

// restored returns why the file at path looks restored, if it does.
func (l layout) restored(path string) (Reason, error) {
	m, err := l.marked(path)
	if err != nil && !errors.Is(err, errNoMark) {
		return "", err
	}
	reason, _ := m.judge(l.point)
	return reason, nil
}

func (s *Store) mark(o Options, points ...point) error {
	if err := o.step("mark"); err != nil {
		return err
	}
	return writeMark(o.Path, points, o.OpenFile)
}

// layOut adds what is missing to a file, and returns where it is then. The entry
// of a new file becomes durable too.
func (s *Store) layOut(l layout) (point, error) {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		l.txid = uint64(tx.ID())
		return layOut(tx, l)
	})
	if err == nil && l.empty {
		err = syncDirOf(s.path)
	}
	return l.point, err
}

func layOut(tx *bbolt.Tx, l layout) error {
	for _, name := range tableNames {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	if !l.empty {
		return nil
	}
	meta := tx.Bucket([]byte(tableNames[metaTable]))
	if err := meta.Put(keyID, l.id[:]); err != nil {
		return err
	}
	return meta.Put(keyVersion, binary.BigEndian.AppendUint32(nil, version))
}
