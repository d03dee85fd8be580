package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"

	"github.com/cloakroom/cloakroom/bench/stand"
	"github.com/cloakroom/cloakroom/session"
)

// held is what a child says about the sessions that it holds.
type held struct {
	Heap, RSS float64 // bytes each
	Objects   float64 // each
}

// memory measures what a session takes that is in memory, in children that do
// nothing else.
func (b *bench) memory() (string, error) {
	sizes := []int{10_000, 100_000}
	if b.quick {
		sizes = []int{1000, 10_000}
	}
	rows := [][]string{{"sessions in memory", "heap each", "over the tokens", "RSS each", "over the tokens", "objects each"}}
	for _, loaded := range []bool{false, true} {
		for _, n := range sizes {
			out, err := exec.Command(os.Args[0], "-hold", strconv.Itoa(n), "-load="+strconv.FormatBool(loaded)).Output()
			if err != nil {
				return "", err
			}
			var h held
			if err := json.Unmarshal(out, &h); err != nil {
				return "", err
			}
			name := count(n) + " that signed in"
			if loaded {
				name = count(n) + " that were loaded"
			}
			over := func(v float64) string { return stand.Number(v - tokensSize) }
			rows = append(rows, []string{name, stand.Number(h.Heap), over(h.Heap), stand.Number(h.RSS), over(h.RSS), stand.Number(h.Objects)})
		}
	}
	return stand.Table(rows) + "\nBytes, after a collection that gave unused memory back to the machine. The tokens are two of 1800 bytes and one of 400; Go keeps them in 2048, 2048 and 416, so 512 of what is over is that.\n", nil
}

// holdSessions makes n sessions, prints what that took, and returns.
func holdSessions(n int, load bool) error {
	keys, err := session.ParseKeyring([]byte(session.NewKey()))
	if err != nil {
		return err
	}
	store := &lastOnly{}
	m, err := newManager(store, keys, instant{limits.Absolute})
	if err != nil {
		return err
	}
	tickets := make([]session.Ticket, n)
	before, err := occupied()
	if err != nil {
		return err
	}
	begin := m
	for i := range tickets {
		if load && i%1000 == 0 { // what this one holds is not counted
			if begin, err = newManager(store, keys, instant{limits.Absolute}); err != nil {
				return err
			}
		}
		if tickets[i], err = begin.Start(context.Background(), signIn(limits.Absolute), nil); err != nil {
			return err
		}
		if _, err := m.Resume(context.Background(), tickets[i]); err != nil {
			return err
		}
	}
	begin, store.record = nil, session.Record{}
	after, err := occupied()
	if err != nil {
		return err
	}
	runtime.KeepAlive(m)
	runtime.KeepAlive(tickets)
	each := float64(n)
	return json.NewEncoder(os.Stdout).Encode(held{
		Heap: (after.Heap - before.Heap) / each, RSS: (after.RSS - before.RSS) / each, Objects: (after.Objects - before.Objects) / each,
	})
}

// occupied returns what this process occupies when everything unused was given
// back.
func occupied() (h held, err error) {
	debug.FreeOSMemory()
	debug.FreeOSMemory() // what finalizers let go
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return h, err
	}
	var size, resident float64
	if _, err := fmt.Sscan(string(statm), &size, &resident); err != nil {
		return h, err
	}
	return held{Heap: float64(m.HeapAlloc), RSS: resident * float64(os.Getpagesize()), Objects: float64(m.HeapObjects)}, nil
}

// lastOnly is a store that knows only the session that came last: what is
// measured is the memory of the Manager.
type lastOnly struct {
	session.Store
	key    session.Key
	record session.Record
}

func (s *lastOnly) Create(_ context.Context, k session.Key, r session.Record, _ session.Filing) error {
	s.key, s.record = k, r
	return nil
}

func (s *lastOnly) Load(_ context.Context, k session.Key) (session.Record, error) {
	if k != s.key || !s.record.Live() {
		return session.Record{}, session.ErrNotFound
	}
	return s.record, nil
}
