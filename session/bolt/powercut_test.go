//go:build linux && (amd64 || arm64)

package bolt_test

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

// powerEnv names the store that this binary, run as a child, is to lead through
// the lives of some sessions.
const powerEnv = "BOLT_TEST_POWER"

func init() { children[powerEnv] = liveOnPower }

const (
	powerWorkers = 3
	powerKeys    = 14 // of each
)

// toStage takes a session from the stage before to the given one.
func toStage(ctx context.Context, s session.Store, k session.Key, stage int) (err error) {
	switch stage {
	case 1:
		err = s.Create(ctx, k, crashRecord(k, 1), filing())
	case 2:
		err = s.SwapTokens(ctx, k, session.TokensUpdate{From: 1, To: 2, Tokens: crashRecord(k, 2).Tokens})
	case 3:
		_, err = s.Bury(ctx, session.Burial{Keys: []session.Key{k}})
	case 4:
		r := session.Revocation{ID: [16]byte(k[:16]), Due: start, Sealed: k[:]}
		err = s.Delete(ctx, k, &r)
	}
	return err
}

// liveOnPower says which session has come to which stage as soon as that is
// acknowledged.
func liveOnPower(path string) error {
	s, err := bolt.Open(bolt.Options{Path: path})
	if err != nil {
		return err
	}
	failed := make(chan error, powerWorkers)
	for w := range powerWorkers {
		go func() {
			rnd := rand.New(rand.NewPCG(13, uint64(w)))
			var at [powerKeys]int
			for left := powerKeys * 4; left > 0; left-- {
				i := rnd.IntN(powerKeys)
				for at[i] == 4 {
					i = (i + 1) % powerKeys
				}
				at[i]++
				k := session.Key{byte(17*i + 101*w), byte(i), byte(w)} // anywhere in the file
				if err := toStage(context.Background(), s, k, at[i]); err != nil {
					failed <- err
					return
				}
				_, _ = os.Stdout.WriteString(fmt.Sprintf("%x %d\n", k, at[i]))
			}
			failed <- nil
		}()
	}
	for range powerWorkers {
		err = errors.Join(err, <-failed)
	}
	return err // without Close: the power is cut
}

// Experiment 13, J10: the power is cut while sessions begin, are renewed, buried
// and deleted. Of what was written since the last sync that returned, any sectors
// may be on the disk and any may not. Whatever was acknowledged is there
// afterwards, every time, and nothing looks damaged or restored.
func TestPowerCut(t *testing.T) {
	cuts := 240
	if testing.Short() {
		cuts = 60
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), powerEnv+"="+filepath.Join(dir, "sessions.db"))
	cmd.Stderr = os.Stderr
	history := powerHistory{dir, traced(t, cmd)}

	first := slices.IndexFunc(history.log, func(d did) bool { return d.what == "say" })
	if first < 0 {
		t.Fatal("nothing was acknowledged")
	}
	if !slices.ContainsFunc(history.log[:first], func(d did) bool { return d.what == "sync" && d.path == dir }) {
		t.Error("the entry of the new file was not synced before the first change was acknowledged")
	}
	path := filepath.Join(memoryDir(t), "sessions.db")
	syncs := 0
	for _, d := range history.log {
		if d.what == "sync" && strings.HasSuffix(d.path, "sessions.db") {
			syncs++
		}
	}
	if n := len(history.acknowledged(len(history.log))); n < powerWorkers*powerKeys/2 {
		t.Errorf("%d sessions were acknowledged, want more of them", n)
	}
	for range cuts {
		at := first + 1 + rnd.IntN(len(history.log)-first)
		file, mark := history.cut(at, rnd)
		write(t, path, file)
		write(t, path+".mark", mark)
		s, err := bolt.Open(bolt.Options{Path: path})
		if err != nil {
			t.Fatalf("cut before step %d of %d: Open: %v", at, len(history.log), err)
		}
		wantRestored(t, s, "", 0)
		f := fixture{t, s}
		for k, stage := range history.acknowledged(at) {
			if got := f.powerStage(k); got != stage && got != stage+1 {
				t.Errorf("cut before step %d of %d: session %s is at stage %d, acknowledged was %d", at, len(history.log), k.Ref(), got, stage)
			}
		}
		f.wantError("Close", f.Close(), nil)
		if _, err := bolt.Check(path); err != nil {
			t.Errorf("cut before step %d of %d: Check: %v", at, len(history.log), err)
		}
	}
	t.Logf("%d cuts in %d steps with %d syncs", cuts, len(history.log), syncs)
}

// memoryDir is for files that need not survive anything: syncing them costs
// nothing, where there is such a place.
func memoryDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "bolt-test-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// powerStage returns to which stage a session has come, and that all of it is
// there.
func (f fixture) powerStage(k session.Key) int {
	f.Helper()
	r, err := f.Load(f.Context(), k)
	due, dueErr := f.Revocations(f.Context(), start, 1000)
	f.wantError("Revocations", dueErr, nil)
	deleted := slices.ContainsFunc(due, func(r session.Revocation) bool { return r.ID == [16]byte(k[:16]) })
	switch {
	case errors.Is(err, session.ErrNotFound) && deleted:
		return 4
	case errors.Is(err, session.ErrNotFound):
		return 0
	case err != nil:
		f.Errorf("Load: %v", err)
		return -1
	case deleted:
		f.Errorf("session %s is there although its deletion has happened", k.Ref())
	}
	whole := crashRecord(k, r.Version)
	if !r.Live() {
		whole.Head = nil
	}
	if !same(r, whole) {
		f.Errorf("session %s is not what was filed", k.Ref())
	}
	if !r.Live() {
		return 3
	}
	return int(r.Version)
}

// powerHistory is what the child did.
type powerHistory struct {
	dir string
	log []did
}

// acknowledged returns to which stage each session is known to have come before
// the cut.
func (h powerHistory) acknowledged(cut int) map[session.Key]int {
	stages := map[session.Key]int{}
	for _, d := range h.log[:cut] {
		if d.what != "say" {
			continue
		}
		var name string
		var stage int
		if n, _ := fmt.Sscanf(string(d.data), "%64s %d\n", &name, &stage); n != 2 {
			continue
		}
		var k session.Key
		_, _ = hex.Decode(k[:], []byte(name))
		stages[k] = max(stages[k], stage)
	}
	return stages
}

// cut returns what may be on the disk if the power is cut there.
func (h powerHistory) cut(cut int, rnd *rand.Rand) (file, mark []byte) {
	path := filepath.Join(h.dir, "sessions.db")
	durable := h.durable(path, cut)
	p := []float64{0, 0.1, 0.5, 0.9, 1}[rnd.IntN(5)] // how likely a sector has arrived
	for i, d := range h.log[:cut] {
		if d.path == path {
			arrived := func() bool { return i < durable || rnd.Float64() < p }
			file = apply(file, d, arrived)
		}
	}

	// The mark: the last one whose directory was synced, or any later one.
	entries := h.durable(h.dir, cut)
	temporary := path + ".mark.new"
	var content []byte
	for i, d := range h.log[:cut] {
		switch {
		case d.path == temporary && d.what == "truncate":
			content = nil // another file: the one before was renamed
		case d.path == temporary:
			content = apply(content, d, func() bool { return i < h.durable(temporary, cut) || rnd.Float64() < p })
		case d.what == "rename" && d.path == path+".mark" && (i < entries || rnd.IntN(2) == 0):
			mark = slices.Clone(content)
		}
	}
	return file, mark
}

// durable returns the place in the log before which everything done to path is on
// the disk at the cut.
func (h powerHistory) durable(path string, cut int) int {
	upTo := 0
	for _, d := range h.log[:cut] {
		if d.what == "sync" && d.path == path {
			upTo = max(upTo, d.upTo)
		}
	}
	return upTo
}

// apply does to b those sectors of d that have arrived.
func apply(b []byte, d did, arrived func() bool) []byte {
	const sector = 512
	grow := func(size int64) {
		if size > int64(len(b)) {
			b = append(b, make([]byte, size-int64(len(b)))...)
		}
	}
	switch d.what {
	case "truncate":
		if arrived() {
			grow(d.off)
			b = b[:d.off]
		}
	case "write":
		for from := 0; from < len(d.data); from += sector {
			if part := d.data[from:min(from+sector, len(d.data))]; arrived() {
				grow(d.off + int64(from+len(part)))
				copy(b[d.off+int64(from):], part)
			}
		}
	}
	return b
}
