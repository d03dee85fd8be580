package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/cloakroom/cloakroom/bench/stand"
	"github.com/cloakroom/cloakroom/internal/demo"
)

// upstreamNowhere is where no call of these sections goes.
const upstreamNowhere = "127.0.0.1:9"

// starts are some starts of the real binary on one store.
type starts struct {
	stopped, killed stand.Samples // ms to ready, by how the process before ended
	cpu             stand.Samples // ms
	rss             stand.Samples // MiB
}

// startsOn starts the binary on the store in dir's folder data, several times.
func startsOn(binary, dir string) (s starts, err error) {
	for range 3 {
		if err := s.once(binary, dir, &s.stopped, (*stand.Process).Stop); err != nil {
			return s, err
		}
	}
	// The first of these finds a store that was closed.
	var closed stand.Samples
	for i := range 3 {
		into := &s.killed
		if i == 0 {
			into = &closed
		}
		if err := s.once(binary, dir, into, (*stand.Process).Kill); err != nil {
			return s, err
		}
	}
	return s, s.once(binary, dir, &closed, (*stand.Process).Stop)
}

// once starts the binary, notes what that took, and ends it.
func (s *starts) once(binary, dir string, took *stand.Samples, end func(*stand.Process) error) (err error) {
	c, err := stand.NewCloakroom(stand.Options{Dir: dir, Binary: binary, Upstream: upstreamNowhere, Core: "0"})
	if err != nil {
		return err
	}
	defer c.Provider.Close()
	if err := c.Start(); err != nil {
		return err
	}
	*took = append(*took, float64(c.Took)/float64(time.Millisecond))
	cpu, err := c.CPU()
	if err != nil {
		return err
	}
	memory, err := c.Memory()
	if err != nil {
		return err
	}
	s.cpu = append(s.cpu, float64(cpu.Total())/float64(time.Millisecond))
	s.rss = append(s.rss, float64(memory.RSS)/(1<<20))
	return end(c.Process)
}

// start measures what the binary is when nobody uses it.
func (b *bench) start() (string, error) {
	repeats, live := 20, 10_000
	if b.quick {
		repeats, live = 5, 500
	}
	dir, err := b.folder("start")
	if err != nil {
		return "", err
	}
	binary, err := stand.Build(b.dir)
	if err != nil {
		return "", err
	}
	stripped := filepath.Join(b.dir, "stripped")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", stripped, "./cmd/cloakroom")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	sizes, err := mebibytes(binary, stripped)
	if err != nil {
		return "", err
	}
	var first, again starts
	for i := range repeats {
		fresh := filepath.Join(dir, fmt.Sprint(i))
		if err := os.MkdirAll(fresh, 0o700); err != nil {
			return "", err
		}
		if err := first.once(binary, fresh, &first.stopped, (*stand.Process).Stop); err != nil {
			return "", err
		}
		if err := again.once(binary, fresh, &again.stopped, (*stand.Process).Kill); err != nil {
			return "", err
		}
		if err := again.once(binary, fresh, &again.killed, (*stand.Process).Stop); err != nil {
			return "", err
		}
	}
	empty, full, err := b.idle(binary, live)
	if err != nil {
		return "", err
	}
	return stand.Table([][]string{
		{"", "figure"},
		{"binary, MiB", sizes[0]},
		{"binary with -ldflags \"-s -w\", MiB", sizes[1]},
		{"exec to 200 of /readyz, very first start (keys, store and admin token are made), ms", first.stopped.String()},
		{"– second start, empty store, ms", again.stopped.String()},
		{"– after a kill -9, empty store, ms", again.killed.String()},
		{"CPU of a start, ms", again.cpu.String()},
		{"RSS, empty store, MiB", empty.rss},
		{"CPU over 10 idle seconds, empty store, ms", empty.cpu},
		{fmt.Sprintf("RSS, %s live sessions, MiB", count(live)), full.rss},
		{fmt.Sprintf("CPU over 10 idle seconds, %s live sessions, ms", count(live)), full.cpu},
	}) + "\nCPU is counted in steps of 10 ms. The live sessions signed in through the browser's whole way; their tokens are the demo provider's, about 1.3 kB.\n", nil
}

func mebibytes(paths ...string) (sizes []string, err error) {
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		sizes = append(sizes, stand.Number(float64(info.Size())/(1<<20)))
	}
	return sizes, nil
}

// idleFigures are what a process takes while nobody calls.
type idleFigures struct{ rss, cpu string }

func (b *bench) idle(binary string, live int) (empty, full idleFigures, err error) {
	dir, err := b.folder("idle")
	if err != nil {
		return empty, full, err
	}
	c, err := stand.NewCloakroom(stand.Options{
		Dir: dir, Binary: binary, Upstream: upstreamNowhere, Core: "0", Lines: noRates,
		Provider: demo.ProviderConfig{AutoLogin: "alice"},
	})
	if err != nil {
		return empty, full, err
	}
	defer func() { _ = c.Close() }()
	if err := c.Start(); err != nil {
		return empty, full, err
	}
	if empty, err = tenSeconds(c); err != nil {
		return empty, full, err
	}
	err = together(8, live, func(int) error {
		_, err := c.SignIn("alice")
		return err
	})
	if err != nil {
		return empty, full, err
	}
	time.Sleep(3 * time.Second) // upkeep and the collector come to rest
	full, err = tenSeconds(c)
	return empty, full, err
}

func tenSeconds(c *stand.Cloakroom) (f idleFigures, err error) {
	before, err := c.CPU()
	if err != nil {
		return f, err
	}
	time.Sleep(10 * time.Second)
	after, err := c.CPU()
	if err != nil {
		return f, err
	}
	memory, err := c.Memory()
	used := after.Sub(before)
	return idleFigures{rss: stand.Number(float64(memory.RSS) / (1 << 20)), cpu: fmt.Sprint(used.Total().Milliseconds())}, err
}

// noRates lets one address sign in without limit.
const noRates = "limits: {rates: {sign_ins: 0, callbacks: 0}}"
