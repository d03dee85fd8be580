// Command bench measures what a signed-in call through Cloakroom costs, beside
// other proxies under the same load in interleaved rounds of one run.
//
//	go run ./bench [-rounds 5] [-time 3s] [-quick] [-only NAMES] [-contenders NAMES] [-binary PATH]
//	go run ./bench -serve
//
// Each proxy runs as a process of its own on the first core, with GOMAXPROCS=1;
// upstream and load have the second. The machine's other work disturbs wall-clock
// time, so what counts is CPU time per request, from /proc, and its ratio to a
// bare httputil.ReverseProxy in the same round. docs/speed.md says more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/cloakroom/cloakroom/bench/stand"
)

// options are the flags; the last ones are those of the roles that this program
// starts itself in.
type options struct {
	rounds           int
	time             time.Duration
	quick, serve     bool
	only, contenders string
	binary, out      string
	date             string

	role, cookies string
	connections   int
	bare          bareProxy
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "rounds that count; one before them warms up")
	flag.DurationVar(&o.time, "time", 3*time.Second, "how long each contender is under load in a round, whole seconds")
	flag.BoolVar(&o.quick, "quick", false, "one round of 1 s that counts, and no report: to see that all works")
	flag.BoolVar(&o.serve, "serve", false, "start everything, say where and how to put load on it, and wait for an interrupt")
	flag.StringVar(&o.only, "only", "", "of the scenarios "+stand.Keys(scenarios, scenarioKey)+", those to run, with commas between; empty: all")
	flag.StringVar(&o.contenders, "contenders", "", "of "+stand.Keys(contenders(), contenderKey)+", those to run, with commas between; empty: all")
	flag.StringVar(&o.binary, "binary", "", "a Cloakroom to measure; empty: built from this tree")
	flag.StringVar(&o.out, "out", "", "folder for compare.md and compare.svg; empty: they aren't written")
	flag.StringVar(&o.date, "date", time.Now().Format(time.DateOnly), "the date that the report names")
	flag.StringVar(&o.role, "role", "", "internal: what this process is")
	flag.StringVar(&o.cookies, "cookies", "", "internal: the streams' sessions")
	flag.IntVar(&o.connections, "connections", 64, "internal: how many streams")
	flag.StringVar(&o.bare.listen, "listen", "", "internal: address of the role")
	flag.StringVar(&o.bare.target, "target", "", "internal: where the role's calls go")
	flag.StringVar(&o.bare.streams, "streams", "", "internal: where those below /ws/ go")
	flag.StringVar(&o.bare.cert, "cert", "", "internal: certificate")
	flag.StringVar(&o.bare.key, "key", "", "internal: its key")
	flag.IntVar(&o.bare.floor, "floor", 0, "internal: MiB of heap floor")
	stand.ParseFlags()
	if o.quick {
		o.rounds, o.time, o.out = 1, time.Second, ""
	}
	if err := o.run(); err != nil {
		log.Fatal(err)
	}
}

func (o options) run() error {
	load := &streamLoad{url: o.bare.target, connections: o.connections, d: o.time, cookies: strings.FieldsFunc(o.cookies, func(r rune) bool { return r == '\n' })}
	load.origin, _, _ = strings.Cut(o.bare.target, "/ws/")
	switch o.role {
	case "upstream":
		return serveUpstream(o.bare.listen)
	case "bare":
		return o.bare.serve()
	case "ws":
		return load.run(load.webSocket)
	case "sse":
		return load.run(load.eventStream)
	}
	// Only now: the roles end with the signal that Stop sends.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return o.compare(ctx)
}

// compare runs the scenarios and writes the report.
func (o options) compare(ctx context.Context) (err error) {
	all, err := stand.Choose(contenders(), contenderKey, o.contenders)
	if err != nil {
		return fmt.Errorf("-contenders: %w", err)
	}
	chosen, err := stand.Choose(scenarios, scenarioKey, o.only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	if o.rounds < 1 || o.time < time.Second || o.time%time.Second != 0 {
		return errors.New("-rounds is 1 or more, and -time whole seconds: wrk knows no others")
	}
	for tool, pkg := range map[string]string{"taskset": "util-linux", "wrk": "wrk", "h2load": "nghttp2-client"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is %w", tool, missing{pkg})
		}
	}
	r, err := newRig(o.binary)
	if err != nil {
		return err
	}
	defer r.close()
	if o.serve {
		return r.serve(ctx, all, chosen)
	}
	found := run{date: o.date, command: "go run ./bench" + flags(), rounds: o.rounds, seconds: o.time.Seconds(), scenarios: chosen, found: map[string]results{}}
	for i, s := range chosen {
		if i == 0 || chosen[i-1].setup != s.setup {
			err := errors.Join(r.stop(all), r.start(all, s.setup))
			defer func() { _ = r.stop(all) }()
			if err != nil {
				return err
			}
		}
		fmt.Fprintln(os.Stderr, s.title)
		if found.found[s.key], err = r.play(ctx, all, s, o.rounds, o.time); err != nil {
			return err
		}
	}
	found.notes = r.notes
	for _, c := range all {
		if c.left != "" {
			found.notes = append(found.notes, c.name+", is left out: "+c.left+".")
		}
	}
	return o.report(found, all)
}

func contenderKey(c *contender) string { return c.key }
func scenarioKey(s scenario) string    { return s.key }

func (o options) report(found run, all []*contender) error {
	if o.out != "" {
		err := errors.Join(os.MkdirAll(o.out, 0o755),
			os.WriteFile(filepath.Join(o.out, "compare.md"), []byte(found.markdown(all)), 0o644),
			os.WriteFile(filepath.Join(o.out, "compare.svg"), []byte(found.plot(all)), 0o644))
		if err != nil {
			return err
		}
	}
	for _, note := range found.notes {
		fmt.Println(note)
	}
	for _, s := range found.scenarios {
		if o.out == "" || s.key == mainScenario { // the others are in the file
			fmt.Printf("\n%s\n\n%s", s.title, found.found[s.key].table(all, s))
		}
	}
	return nil
}

// flags returns those that were given and change the figures.
func flags() (given string) {
	flag.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "rounds", "time", "quick", "only", "contenders":
			given += fmt.Sprintf(" -%s=%s", f.Name, f.Value)
		}
	})
	return given
}

// serve starts the contenders as the first scenario has them, and waits.
func (r *rig) serve(ctx context.Context, all []*contender, chosen []scenario) error {
	s := chosen[0]
	err := r.start(all, s.setup)
	defer func() { _ = r.stop(all) }()
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.left != "" {
			fmt.Printf("%s: left out, %s\n", c.name, c.left)
			continue
		}
		fmt.Printf("%s: pid %d, %s\n", c.name, c.process.PID(), c.url)
		for _, cookie := range c.cookies[:min(1, len(c.cookies))] {
			fmt.Printf("  Cookie: %s\n", cookie)
		}
		if s.tool == "wrk" {
			args, err := c.wrkArgs(r, s, 10*time.Second)
			if err != nil {
				return err
			}
			fmt.Printf("  taskset %s\n", strings.Join(args, " "))
		}
	}
	<-ctx.Done()
	return nil
}
