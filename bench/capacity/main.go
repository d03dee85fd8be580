// Command capacity measures what Cloakroom can hold and how that feels: sign-ins
// and renewals per second with fsync on, the price of a session that is not in
// memory, and how the store, its sweep, the start and the memory grow with the
// number of sessions; and the moment at which thousands of tokens expire at once.
//
//	taskset -c 1 go run ./bench/capacity [-quick] [-only rates,stored,memory,expiry,start]
//
// It writes bench/results/capacity.md and plots beside it. With -only, the other
// sections of the page stay as they are; with -quick, nothing is written. The real
// binary runs on the first core; what runs in this process has the second. Stores lie
// in bin/, on the disk whose fsync counts; one million sessions need 20 GB there for
// some minutes.
package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/cloakroom/cloakroom/bench/stand"
)

// bench is one run.
type bench struct {
	dir   string // for what is needed during the run
	out   string // for the results
	quick bool

	binary string // a Cloakroom to measure; empty: built from this tree
}

// part is one section of the page.
type part struct {
	name, title string
	run         func(b *bench) (string, error)
}

var parts = []part{
	{"rates", "Sign-ins and renewals", (*bench).rates},
	{"stored", "What grows with the number of sessions", (*bench).stored},
	{"memory", "Memory of a live session", (*bench).memory},
	{"expiry", "The moment of expiry", (*bench).expiry},
	{"start", "Start and size", (*bench).start},
}

func main() {
	quick := flag.Bool("quick", false, "less of everything, two minutes, printed and not written: to see that it works")
	only := flag.String("only", "", "of the sections "+stand.Keys(parts, part.key)+", those to measure, with commas between; empty: all")
	out := flag.String("out", "", "folder for the page and the plots; empty: bench/results, and none with -quick")
	hold := flag.Int("hold", 0, "hold so many sessions, print what that takes, and end: for the section memory")
	loaded := flag.Bool("load", false, "with -hold: sessions that were loaded, not begun")
	binary := flag.String("binary", "", "a Cloakroom to measure, for the section expiry; empty: built from this tree")
	role := flag.String("role", "", "internal: what this process is")
	at := flag.String("at", "", "internal: folder or address of the role")
	stand.ParseFlags()
	var err error
	switch {
	case *role == "load":
		err = runJob(*at)
	case *role == "upstream":
		err = serveJSON(*at)
	case *hold > 0:
		err = holdSessions(*hold, *loaded)
	default:
		err = (&bench{out: *out, quick: *quick, binary: *binary}).run(*only)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func (p part) key() string { return p.name }

func (b *bench) run(only string) (err error) {
	chosen, err := stand.Choose(parts, part.key, only)
	if err != nil {
		return err
	}
	if err := os.MkdirAll("bin", 0o755); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("bin", "capacity-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.dir) }()
	defer b.cleanWhenStopped()()
	if b.out == "" && b.quick {
		b.out = b.dir // and gone with it
	}
	b.out = cmp.Or(b.out, "bench/results")
	for _, p := range chosen {
		began, busy := time.Now(), loadAverage()
		text, err := p.run(b)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		took := time.Since(began).Round(time.Second)
		section := fmt.Sprintf("## %s\n\n`%s`, in %v; load average before that %s.\n\n%s", p.title, b.command(p.name), took, busy, text)
		fmt.Println(section)
		if err := b.write(p.name, section); err != nil {
			return err
		}
		runtime.GC()
	}
	return nil
}

// cleanWhenStopped makes an interrupt end the process, and with it its children, and
// remove what it has written so far, which may be 20 GB. forget undoes that.
func (b *bench) cleanWhenStopped() (forget func()) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	done := context.AfterFunc(ctx, func() {
		_ = os.RemoveAll(b.dir)
		os.Exit(1)
	})
	return func() { done(); stop() }
}

// loadAverage says how busy the machine was in the last minute: a figure taken
// beside much other work tells little.
func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	minute, _, _ := strings.Cut(string(text), " ")
	return minute
}

// command is how to measure one section again.
func (b *bench) command(name string) string {
	quick := ""
	if b.quick {
		quick = " -quick"
	}
	return "taskset -c 1 go run ./bench/capacity" + quick + " -only " + name
}

// cloakroom returns the path of the one to measure.
func (b *bench) cloakroom() (string, error) {
	if b.binary != "" {
		return b.binary, nil
	}
	return stand.Build(b.dir)
}

// folder makes a new one for what is needed during the run.
func (b *bench) folder(name string) (string, error) {
	dir := filepath.Join(b.dir, name)
	return dir, os.MkdirAll(dir, 0o700)
}
