package bolt_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

const pageSize = 4096

// damagesPerPage is how many of the damages each page suffers. To see them all
// takes minutes.
const damagesPerPage = 2

// populated is a file with enough in it for every type of page, and what it
// should hold.
type populated struct {
	path    string
	content []byte
	mark    []byte
	stopped time.Time // when the file was written last
	want    *model
	keys    []session.Key
}

func populate(t *testing.T) populated {
	t.Helper()
	if os.Getpagesize() != pageSize {
		t.Fatalf("pages have %d bytes here: the tests of damage know %d only", os.Getpagesize(), pageSize)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	p := populated{path: filepath.Join(t.TempDir(), "sessions.db"), want: newModel()}
	s, err := bolt.Open(bolt.Options{Path: p.path})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 60 {
		k := session.Key{byte(rnd.Uint32()), byte(rnd.Uint32()), byte(i)}
		r := session.Record{Head: make([]byte, 300), Tokens: make([]byte, 500+rnd.IntN(4000)), Version: 1}
		for j := range r.Tokens {
			r.Tokens[j] = byte(rnd.Uint32())
		}
		for j := range r.Head {
			r.Head[j] = byte(rnd.Uint32())
		}
		f := session.Filing{Subject: index(i % 7), SID: index(i), Expires: at(time.Duration(i) * time.Minute), Until: at(8 * time.Hour)}
		p.keys = append(p.keys, k)
		wg.Go(func() {
			err := errors.Join(s.Create(t.Context(), k, r, f), p.want.Create(t.Context(), k, r, f))
			if err == nil && i%5 == 0 { // leaves free pages
				err = errors.Join(s.Delete(t.Context(), k, nil), p.want.Delete(t.Context(), k, nil))
			}
			if err != nil {
				t.Errorf("populate: %v", err)
			}
		})
	}
	wg.Wait()
	for i := range 40 { // the other tables
		id := [32]byte{byte(i), 0x5A}
		_, err := s.MarkUsed(t.Context(), id, at(time.Duration(i)*time.Minute))
		err = errors.Join(err, s.PutRevocation(t.Context(), session.Revocation{ID: [16]byte(id[:16]), Due: at(time.Duration(i) * time.Minute), Sealed: make([]byte, 200)}))
		if _, buryErr := s.Bury(t.Context(), burial(session.IndexKey(id))); err != nil || buryErr != nil {
			t.Fatal(err, buryErr)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if p.content, err = os.ReadFile(p.path); err != nil {
		t.Fatal(err)
	}
	if p.mark, err = os.ReadFile(p.path + ".mark"); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(p.path)
	if err != nil {
		t.Fatal(err)
	}
	p.stopped = info.ModTime()
	return p
}

// place makes content the file at path, under the mark of the populated file.
func (p populated) place(t *testing.T, path string, content []byte) {
	t.Helper()
	err := errors.Join(os.WriteFile(path, content, 0o600), os.WriteFile(path+".mark", p.mark, 0o600))
	if err != nil {
		t.Fatal(err)
	}
}

// exercise calls everything there is. Whatever fails must fail with an error,
// and a record that is returned must be that of its key but for bytes that
// were changed on disk: as records are sealed, a changed one is no use to
// anybody. It returns how many sessions were not as they should be.
func (p populated) exercise(t *testing.T, s *bolt.Store) (lost int) {
	t.Helper()
	ctx := t.Context()
	for _, k := range p.keys {
		want, wantErr := p.want.Load(ctx, k)
		got, err := s.Load(ctx, k)
		if err == nil && p.isOther(ctx, k, got) {
			t.Errorf("Load(%s) returned another session's tokens", k.Ref())
		}
		if !same(got, want) || (err == nil) != (wantErr == nil) {
			lost++
		}
	}
	p.use(ctx, s)
	return lost
}

// use calls everything else, mostly at once, and does not care for the answers.
func (p populated) use(ctx context.Context, s *bolt.Store) {
	var wg sync.WaitGroup
	var updates []session.HeadUpdate
	for i, k := range p.keys {
		updates = append(updates, session.HeadUpdate{Key: k, Head: []byte("h"), Expires: at(time.Hour), Until: at(time.Hour)})
		if i%10 == 0 {
			wg.Go(func() { _ = s.SwapTokens(ctx, k, session.TokensUpdate{From: 1, To: 2, Tokens: make([]byte, 5000)}) })
			wg.Go(func() { _ = s.Delete(ctx, p.keys[i+1], nil) })
			wg.Go(func() { _, _ = s.Find(ctx, index(i%7)) })
		}
	}
	wg.Go(func() { _ = s.UpdateHeads(ctx, updates[:len(updates)/2]) })
	wg.Go(func() { _ = s.Create(ctx, session.Key{1, 2, 3, 4}, record(1), filing()) })
	wg.Go(func() { _, _ = s.MarkUsed(ctx, [32]byte{1}, at(0)) })
	wg.Go(func() { _, _ = s.Bury(ctx, burial(index(3), session.IndexKey{7, 0x5A})) })
	wg.Go(func() { _ = s.PutRevocation(ctx, session.Revocation{ID: [16]byte{9, 0x5A}, Due: at(0)}) })
	wg.Go(func() { _ = s.DropRevocation(ctx, [16]byte{11, 0x5A}) })
	wg.Go(func() { _, _ = s.Revocations(ctx, at(time.Hour), 1000) })
	wg.Go(func() { _, _ = s.Scan(ctx, session.Key{}, 1000) })
	wg.Go(func() { _ = s.Backup(ctx, io.Discard) })
	wg.Wait()
	_, _ = s.Sweep(ctx, at(3*time.Hour), 1000)
	_ = s.Ping(ctx)
}

func (p populated) isOther(ctx context.Context, k session.Key, r session.Record) bool {
	for _, other := range p.keys {
		o, err := p.want.Load(ctx, other)
		if err == nil && other != k && bytes.Equal(o.Tokens, r.Tokens) {
			return true
		}
	}
	return false
}

// finishes fails the test if fn hangs. The race detector needs seconds for a value
// whose damaged size is a gigabyte.
func finishes(t *testing.T, what string, fn func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); fn() }()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		t.Fatalf("%s: hangs", what)
	}
}

// What damages are called that a start after a stop in peace cannot see in time.
const (
	renumbered = "another page renumbered"     // it may be a page above it
	larger     = "bit of the overflow flipped" // freeing a million pages takes minutes
)

// damage is something that happens to one page of a file.
type damage struct {
	name string
	do   func(b []byte, id int) []byte
}

func pageOf(b []byte, id int) []byte { return b[id*pageSize : (id+1)*pageSize] }

// damages returns what is done to every page of a file of content. Where chance
// is in it, rnd decides.
func damages(rnd *rand.Rand, content []byte) []damage {
	other := func() []byte { return pageOf(content, rnd.IntN(len(content)/pageSize)) }
	flip := func(from, to int) func([]byte, int) []byte {
		return func(b []byte, id int) []byte {
			pageOf(b, id)[from+rnd.IntN(to-from)] ^= 1 << rnd.IntN(8)
			return b
		}
	}
	return []damage{
		{"zeroed", func(b []byte, id int) []byte { clear(pageOf(b, id)); return b }},
		{"half zeroed", func(b []byte, id int) []byte { clear(pageOf(b, id)[pageSize/2:]); return b }},
		{"all ones", func(b []byte, id int) []byte { copy(pageOf(b, id), bytes.Repeat([]byte{0xFF}, pageSize)); return b }},
		{"cut off before", func(b []byte, id int) []byte { return b[:id*pageSize] }},
		{"cut off within", func(b []byte, id int) []byte { return b[:id*pageSize+100] }},
		{"another page", func(b []byte, id int) []byte { copy(pageOf(b, id), other()); return b }},
		{renumbered, func(b []byte, id int) []byte { copy(pageOf(b, id)[8:], other()[8:]); return b }},
		{"bit of the header flipped", flip(0, 12)},
		{larger, flip(12, 16)},
		{"bit of the first elements flipped", flip(16, 80)},
		{"bit flipped", flip(16, pageSize)},
	}
}

// Experiment 12: each page of a populated file is damaged in several ways, so that each way
// meets each type of page. Open must refuse the file, or all but a few sessions
// must be as they were; nothing may crash.
func TestDamagedFile(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 3))
	p := populate(t)
	all := damages(rnd, p.content)
	for name, unseen := range map[string]bool{"by somebody": false, "by the disk after a stop": true} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "damaged.db")
			refused, opened := 0, 0
			for id := range len(p.content) / pageSize {
				if bytes.Count(pageOf(p.content, id), []byte{0}) == pageSize {
					continue // never used
				}
				rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
				for _, damage := range all[:damagesPerPage] {
					if unseen && (damage.name == renumbered || damage.name == larger) {
						continue
					}
					if p.suffers(t, path, id, damage, unseen) {
						opened++
					} else {
						refused++
					}
				}
			}
			t.Logf("%d pages, %d files refused, %d opened", len(p.content)/pageSize, refused, opened)
			if refused == 0 || opened == 0 {
				t.Error("the damage is too hard or too soft to prove anything")
			}
		})
	}
}

// suffers reports whether a store with one damage opens. If the damage is unseen,
// nothing but the content tells of it.
func (p populated) suffers(t *testing.T, path string, id int, damage damage, unseen bool) (opens bool) {
	t.Helper()
	what := fmt.Sprintf("page %d: %s", id, damage.name)
	b := damage.do(bytes.Clone(p.content), id)
	p.place(t, path, b)
	if unseen {
		if err := os.Chtimes(path, p.stopped, p.stopped); err != nil {
			t.Fatal(err)
		}
	}
	found := make(told, 1)
	s, err := bolt.Open(bolt.Options{Path: path, Damaged: found.alarm})
	if err != nil {
		if !errors.Is(err, bolt.ErrDamaged) {
			t.Errorf("%s: Open: %v, want ErrDamaged", what, err)
		}
		if now, _ := os.ReadFile(path); !bytes.Equal(now, b) {
			t.Errorf("%s: Open changed the file", what)
		}
		return false
	}
	finishes(t, what, func() {
		// An empty file is a new store. Without the newer meta page the last
		// commit is gone, as if the process had died in it. And nobody can
		// tell that a page is another's if it has the right number.
		lost := p.exercise(t, s)
		if lost > 6 && id >= 2 && damage.name != renumbered {
			if s.Patrolled(); len(found) == 0 {
				t.Errorf("%s: %d sessions lost and nobody told", what, lost)
			}
		}
		_ = s.Close()
	})
	return true
}

// A page of the tree that refers to itself or to a page above it would send
// bbolt round for ever.
func TestCycle(t *testing.T) {
	p := populate(t)
	path := filepath.Join(t.TempDir(), "damaged.db")
	found := 0
	for id := range len(p.content) / pageSize {
		header := p.content[id*pageSize:]
		if binary.NativeEndian.Uint64(header) != uint64(id) || binary.NativeEndian.Uint16(header[8:]) != 1 {
			continue
		}
		found++
		b := bytes.Clone(p.content)
		for i := range int(binary.NativeEndian.Uint16(header[10:])) {
			binary.NativeEndian.PutUint64(b[id*pageSize+16+16*i+8:], uint64(id))
		}
		p.place(t, path, b)
		s, err := bolt.Open(bolt.Options{Path: path})
		if !errors.Is(err, bolt.ErrDamaged) {
			// Free pages may hold anything.
			finishes(t, "cycle", func() { p.exercise(t, s); _ = s.Close() })
		}
	}
	if found == 0 {
		t.Error("no branch page in the file")
	}
}
