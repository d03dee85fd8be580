package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"go.etcd.io/bbolt"

	"github.com/cloakroom/cloakroom/session"
)

// Report is what there is in a store file, as Check finds it.
type Report struct {
	Size      int64 // of the file, in bytes
	FreeBytes int64 // of Size: unused, or used before and free to be used again

	Sessions    int // live ones
	Tombstones  int // sessions that are over, whose tokens wait for their ticket
	Revocations int // tokens that the provider is yet to be told to forget
	Marks       int // remembered messages that count once
	Fences      int // remembered burials

	// Debris is how many entries refer to something that is not there any more.
	// They do no harm, and sweeping removes most of them.
	Debris int

	// Restored is why the next Open would remove every session; empty if it
	// would not.
	Restored Reason
}

// Check reads everything in the file at path and compares it: the pages, every
// record, and whether each is found by what must find it. It changes nothing. It
// returns ErrDamaged with the first finding if something is wrong, together with
// as much of the report as there is then; ErrLocked if a process has the file
// open; ErrVersion for a file of something else; ErrEmpty if there is nothing in
// it, and fs.ErrNotExist if there is no file.
// A damaged file is beyond repair: restore a backup, or move it aside.
func Check(path string) (Report, error) {
	report, err := examineFile(path, nil)
	if err != nil {
		return report, fmt.Errorf("bolt: check %q: %w", path, err)
	}
	return report, nil
}

// offline returns how tools open the file at path. A process that has it open
// will not end just now: there is little use in waiting.
func offline(path string) Options {
	o := Options{Path: path, LockTimeout: 300 * time.Millisecond}
	o.setDefaults()
	return o
}

// examineFile checks the file at path under a shared lock, then has fn look at
// it.
func examineFile(path string, fn func(s *Store) error) (r Report, err error) {
	defer func() {
		if errors.Is(err, ErrEmpty) || errors.Is(err, fs.ErrNotExist) {
			r.Restored = goneFrom(path)
		}
	}()
	info, err := os.Stat(path)
	if err != nil {
		return r, err
	}
	o := offline(path)
	s := newStore(o)
	isNew, err := prepare(path)
	if err != nil {
		return r, err
	}
	if isNew {
		return r, ErrEmpty
	}
	r.Size = info.Size()
	err = s.inspect(o, func() error {
		l, err := s.examine()
		if err != nil {
			return err
		}
		if l.empty {
			return ErrEmpty
		}
		if r.Restored, err = l.restored(path); err != nil {
			return err
		}
		pageSize := int64(s.db.Info().PageSize)
		r.FreeBytes = max(r.Size-int64(s.usage.pages-s.usage.free)*pageSize, 0)
		if err := s.db.View(func(tx *bbolt.Tx) error { return verify(tx, &r) }); err != nil || fn == nil {
			return err
		}
		return fn(s)
	})
	return r, err
}

// verifier compares the tables of a file with each other.
type verifier struct {
	tables
	report  *Report
	damaged int
	first   string // finding
}

// verify counts what there is. What a record needs and does not have is damage;
// what refers to nothing is debris.
func verify(tx *bbolt.Tx, r *Report) error {
	v := &verifier{tables: tables{tx: tx}, report: r}
	looks := [tableCount]func(k, value []byte){
		sessionsTable: v.session, tokensTable: v.token, indexTable: v.entry, expiryTable: v.expiry,
		marksTable: v.mark, fencesTable: v.fenceEntry, revocationsTable: v.revocation, queueTable: v.queued,
	}
	for in, look := range looks {
		if look == nil {
			continue
		}
		b := tx.Bucket([]byte(tableNames[in]))
		if b == nil {
			continue // of an early file
		}
		c := b.Cursor()
		for k, value := c.First(); k != nil; k, value = c.Next() {
			look(k, value)
		}
	}
	if v.damaged > 0 {
		return fmt.Errorf("%w (records: %d, the first: %s)", ErrDamaged, v.damaged, v.first)
	}
	return nil
}

func (v *verifier) wrong(what string) {
	if v.damaged++; v.first == "" {
		v.first = what
	}
}

// named is what an entry is called. Sessions have the names of the log.
func named(what string, k []byte) string {
	switch {
	case what != "session" || len(k) != len(session.Key{}):
		return fmt.Sprintf("%s %.4x…", what, k)
	case session.Key(k) == (session.Key{}):
		return "what shows whether the keys fit"
	}
	return "session " + session.Key(k).Ref()
}

// must notes damage unless there is an entry under key.
func (v *verifier) must(in table, key []byte, what string, k []byte) {
	if v.get(in, key) == nil {
		v.wrong(named(what, k) + ", which " + tableNames[in] + " does not know")
	}
}

func (v *verifier) session(k, value []byte) {
	f, ok := decodeFiled(value)
	_, _, whole := decodeTokens(v.get(tokensTable, k))
	if !ok || !whole || len(k) != len(session.Key{}) {
		v.wrong(named("session", k))
		return
	}
	key := session.Key(k)
	v.must(expiryTable, due{f.until, kindUntil, key}.encode(), "session", k)
	if !f.live() {
		v.report.Tombstones++
		return
	}
	v.must(expiryTable, due{f.expires, kindHead, key}.encode(), "session", k)
	for _, ix := range []session.IndexKey{f.subject, f.sid} {
		if ix != (session.IndexKey{}) {
			v.must(indexTable, indexed(ix, key), "session", k)
		}
	}
	if key != (session.Key{}) { // that one is no session
		v.report.Sessions++
	}
}

func (v *verifier) token(k, _ []byte) { v.refers(v.get(sessionsTable, k) != nil) }

func (v *verifier) refers(ok bool) {
	if !ok {
		v.report.Debris++
	}
}

func (v *verifier) entry(k, _ []byte) {
	if len(k) != 64 {
		v.refers(false)
		return
	}
	f, _ := decodeFiled(v.get(sessionsTable, k[32:]))
	ix := session.IndexKey(k[:32])
	v.refers(f.live() && (f.subject == ix || f.sid == ix))
}

func (v *verifier) expiry(k, _ []byte) {
	d, ok := decodeDue(k)
	if !ok {
		v.refers(false)
		return
	}
	switch d.kind {
	case kindMark:
		value := v.get(marksTable, d.key[:])
		v.refers(len(value) == 8 && int64(binary.BigEndian.Uint64(value)) == d.at)
	case kindFence:
		f, ok := decodeFence(v.get(fencesTable, d.key[:]))
		v.refers(ok && f.due(d.key) == d)
	case kindHead:
		f, _ := decodeFiled(v.get(sessionsTable, d.key[:]))
		v.refers(f.live() && f.expires == d.at)
	case kindUntil:
		f, ok := decodeFiled(v.get(sessionsTable, d.key[:]))
		v.refers(ok && f.until == d.at)
	}
}

func (v *verifier) mark(k, value []byte) {
	if len(k) != 32 || len(value) != 8 {
		v.wrong(named("mark", k))
		return
	}
	v.report.Marks++
	v.must(expiryTable, due{int64(binary.BigEndian.Uint64(value)), kindMark, [32]byte(k)}.encode(), "mark", k)
}

func (v *verifier) fenceEntry(k, value []byte) {
	f, ok := decodeFence(value)
	if !ok || len(k) != 32 {
		v.wrong(named("fence", k))
		return
	}
	v.report.Fences++
	v.must(expiryTable, f.due(session.IndexKey(k)).encode(), "fence", k)
}

func (v *verifier) revocation(k, value []byte) {
	at, _, ok := decodeRevocation(value)
	if !ok || len(k) != 16 {
		v.wrong(named("revocation", k))
		return
	}
	v.report.Revocations++
	v.must(queueTable, queued(at, [16]byte(k)), "revocation", k)
}

func (v *verifier) queued(k, _ []byte) {
	at, id, ok := decodeQueued(k)
	if !ok {
		v.refers(false)
		return
	}
	filed, _, ok := decodeRevocation(v.get(revocationsTable, id[:]))
	v.refers(ok && filed == at)
}
