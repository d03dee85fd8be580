package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"go.etcd.io/bbolt"
)

// fillSize bounds, in bytes, what one transaction copies.
const fillSize = 4 << 20

// draft is a store file in the making. Nothing is durable before finish.
type draft struct {
	db   *bbolt.DB
	file *os.File // db's own
	at   point
}

// newDraft makes an empty store with a new id in f, which it takes over.
func newDraft(f *os.File) (*draft, error) {
	db, err := bbolt.Open(f.Name(), 0o600, &bbolt.Options{
		FreelistType: bbolt.FreelistMapType,
		NoSync:       true,
		NoGrowSync:   true,
		OpenFile:     func(string, int, os.FileMode) (*os.File, error) { return f, nil },
	})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	db.AllocSize = growBy
	d := &draft{db: db, file: f, at: point{id: newStoreID()}}
	err = db.Update(func(tx *bbolt.Tx) error {
		d.at.txid = uint64(tx.ID())
		return layOut(tx, layout{empty: true, point: d.at})
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return d, nil
}

// fill copies what keep accepts from src: its content alone, nothing that was
// removed there.
func (d *draft) fill(src *bbolt.DB, keep func(in table, key []byte) bool) error {
	return src.View(func(from *bbolt.Tx) error {
		for in := range tableCount {
			b := from.Bucket([]byte(tableNames[in]))
			if b == nil {
				continue // of an early file
			}
			c := b.Cursor()
			k, v := c.First()
			for k != nil {
				err := d.db.Update(func(to *bbolt.Tx) error {
					d.at.txid = uint64(to.ID())
					b := to.Bucket([]byte(tableNames[in]))
					b.FillPercent = 0.9 // the keys come in order, but new ones will come between them
					for size := 0; k != nil && size < fillSize; k, v = c.Next() {
						if in == metaTable && !keptOfMeta(k) || !keep(in, k) {
							continue
						}
						size += len(k) + len(v)
						if err := b.Put(k, v); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// keptOfMeta reports whether an entry of the meta table belongs in a copy.
func keptOfMeta(k []byte) bool {
	return !bytes.Equal(k, keyID) && !bytes.Equal(k, keyVersion) && !bytes.Equal(k, keyProbe)
}

func keepAll(table, []byte) bool { return true }

// finish makes the draft durable, and gives it the mode and the owner of the
// file at path.
func (d *draft) finish(path string) error {
	mode := os.FileMode(0o600)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	return errors.Join(d.file.Chmod(mode), keepOwner(d.file, path), d.file.Sync())
}

// install puts the draft, which is at temporary, in the place of the file at
// path. The caller has both locked. Until the draft is there the mark is true of
// either file: of the old one it says what it said before.
func (d *draft) install(temporary, path string, old mark, step func(string) error) error {
	if err := writeMark(path, append(old, d.at), os.OpenFile); err != nil {
		return err
	}
	if err := step("rename"); err != nil {
		return err
	}
	if err := errors.Join(os.Rename(temporary, path), syncDirOf(path)); err != nil {
		return err
	}
	if err := step("mark"); err != nil {
		return err
	}
	return writeMark(path, mark{d.at}, os.OpenFile)
}

// draftBeside makes a draft at path+suffix, over one that a crash has left
// there. Who calls it has the file at path locked.
func draftBeside(path, suffix string) (*draft, error) {
	if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(path+suffix, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	d, err := newDraft(f)
	if err != nil {
		return nil, errors.Join(err, os.Remove(path+suffix))
	}
	return d, nil
}

// discard closes the draft and removes it if err is not nil. It returns err.
func (d *draft) discard(temporary string, err error) error {
	if closing := d.db.Close(); err == nil {
		return closing
	}
	if removing := os.Remove(temporary); removing != nil && !errors.Is(removing, os.ErrNotExist) {
		return fmt.Errorf("%w; %w", err, removing)
	}
	return err
}
