package bolt_test

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

// childEnv names the store that this binary, run as a child, is to write to.
const childEnv = "BOLT_TEST_CHILD"

// children are what this binary does, instead of testing, if one of these
// variables names a store.
var children = map[string]func(path string) error{childEnv: writeForEver}

func TestMain(m *testing.M) {
	for name, child := range children {
		if path := os.Getenv(name); path != "" {
			if err := child(path); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

// writeForEver creates sessions and renews each once, from several goroutines,
// and prints what has been acknowledged, until it is killed.
func writeForEver(path string) error {
	ctx := context.Background()
	s, err := bolt.Open(bolt.Options{Path: path})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for range 8 {
		go func() {
			for {
				k := session.NewTicket(time.Now()).Key()
				if err := s.Create(ctx, k, crashRecord(k, 1), filing()); err != nil {
					failed <- err
				}
				fmt.Printf("%x 1\n", k)
				u := session.TokensUpdate{From: 1, To: 2, Tokens: crashRecord(k, 2).Tokens}
				if err := s.SwapTokens(ctx, k, u); err != nil {
					failed <- err
				}
				fmt.Printf("%x 2\n", k)
			}
		}()
	}
	return <-failed
}

func crashRecord(k session.Key, version uint64) session.Record {
	tokens := make([]byte, 100+100*int(k[0]))
	copy(tokens, fmt.Sprintf("%x %d", k, version))
	return session.Record{Head: k[:], Tokens: tokens, Version: version}
}

// J10: a process that is killed at any moment leaves a sound file with all that
// it had acknowledged.
func TestKilled(t *testing.T) {
	const rounds = 12
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	path := filepath.Join(t.TempDir(), "sessions.db")
	acknowledged := map[session.Key]uint64{}
	for round := range rounds {
		lines := 0
		if round > 0 { // the first is killed as it starts
			lines = 1 + rnd.IntN(400)
		}
		runAndKill(t, path, lines, acknowledged)
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			continue // killed before there was a file
		}
		mustBeSound(t, path)
		verify(t, path, acknowledged)
	}
	t.Logf("%d sessions acknowledged in %d rounds", len(acknowledged), rounds)
}

// J4: however a process is killed, its file never looks like one that was
// restored: not when it is new, and not while the mark is written.
func TestKilledIsNotRestored(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	for round := range rounds {
		path := filepath.Join(dir, fmt.Sprint(round/4)) // each file lives four times
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+path)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Duration(rnd.IntN(60))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // killed
		if cmd.ProcessState.Exited() {
			t.Fatalf("child: %v", cmd.ProcessState)
		}
		if round%4 == 3 {
			mustBeSound(t, path)
			verify(t, path, nil)
			continue
		}
		if _, err := os.Stat(path); err == nil {
			verify(t, path, nil)
		}
	}
}

// runAndKill has a child write to path, kills it after so many acknowledgements,
// and adds what the child said.
func runAndKill(t *testing.T, path string, lines int, acknowledged map[session.Key]uint64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	kill := func() { once.Do(func() { _ = cmd.Process.Kill() }) }
	if lines == 0 {
		kill()
	}
	scanner := bufio.NewScanner(out)
	for n := 1; scanner.Scan(); n++ {
		var name string
		var version uint64
		if c, err := fmt.Sscanf(scanner.Text(), "%64s %d", &name, &version); c == 2 && err == nil {
			var k session.Key
			if _, err := hex.Decode(k[:], []byte(name)); err != nil {
				t.Fatal(err)
			}
			acknowledged[k] = max(acknowledged[k], version)
		}
		if n >= lines {
			kill()
		}
	}
	_ = cmd.Wait() // killed
	if cmd.ProcessState.Exited() {
		t.Fatalf("child: %v", cmd.ProcessState)
	}
}

// verify looks for everything acknowledged. A renewal may have been on its way
// when the process died.
func verify(t *testing.T, path string, acknowledged map[session.Key]uint64) {
	t.Helper()
	s, err := bolt.Open(bolt.Options{Path: path})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer func() { _ = s.Close() }()
	if r, restored := s.Restored(); restored {
		t.Errorf("Restored = %v after a kill, want not restored", r)
	}
	for k, version := range acknowledged {
		got, err := s.Load(t.Context(), k)
		if err != nil {
			t.Errorf("Load(%s): %v", k.Ref(), err)
			continue
		}
		if got.Version < version || !same(got, crashRecord(k, got.Version)) {
			t.Errorf("Load(%s): version %d, or another's record; want at least %d", k.Ref(), got.Version, version)
		}
	}
}
