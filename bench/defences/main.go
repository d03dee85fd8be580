// Command defences turns off one defence of Cloakroom after the other and runs
// the test that proves it: each must fail. A test that can't fail proves
// nothing, and this shows that it still can.
//
// A defence is turned off in a copy of one source file, which the go command
// takes in place of the real one (its flag -overlay); no switch for it exists in
// the program. Run it with "make defences".
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A defence is one place in the source, what turns it off, and the test that
// must notice.
type defence struct {
	Name     string // what is turned off
	File     string // from the module's root
	Old, New string // Old stands in File exactly once
	Package  string // of the test
	Test     string // its name
}

// timeout is how long one test may take without its defence.
const timeout = 4 * time.Minute

func main() {
	only := flag.String("run", "", "only defences whose name or test contains this")
	parallel := flag.Int("parallel", 2, "tests at a time")
	core := flag.Bool("core", false, "only the main ones: renewal, crashes, the soak")
	dry := flag.Bool("dry", false, "only look whether each defence is where the table says")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var failed atomic.Int32
	var wg sync.WaitGroup
	slots := make(chan struct{}, *parallel)
	n := 0
	all := slices.Concat(table, custody, rotation, memory, file, logouts, edge, upstream, operator, told, providers, ofApp)
	if *core {
		all = table
	}
	for _, d := range all {
		if !strings.Contains(d.Name+" "+d.Test, *only) {
			continue
		}
		n++
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			started := time.Now()
			var err error
			if *dry {
				if _, err = d.source(); err == nil {
					return
				}
			} else {
				err = d.check(ctx)
			}
			text := "fails without it, as it must"
			if err != nil {
				failed.Add(1)
				text = "WRONG: " + err.Error()
			}
			fmt.Printf("%5.1f s  %-34s %s: %s\n", time.Since(started).Seconds(), d.Test, d.Name, text)
		})
	}
	wg.Wait()
	fmt.Printf("%d defences, %d wrong\n", n, failed.Load())
	if failed.Load() > 0 || n == 0 {
		os.Exit(1)
	}
}

// check returns an error unless the test fails without the defence.
func (d defence) check(ctx context.Context) error {
	source, err := d.source()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "cloakroom-defence-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	overlay, err := d.overlay(dir, source)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-timeout=3m", "-run", "^"+d.Test+"$", d.Package)
	// By GOFLAGS it also reaches the go commands that tests run.
	cmd.Env = append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -overlay="+overlay))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil && strings.Contains(string(out), "no tests to run"):
		return errors.New("there is no such test")
	case err == nil:
		return errors.New("the test passes without it")
	case ctx.Err() != nil:
		return errors.New("the test neither failed nor passed in time")
	case !strings.Contains(string(out), "--- FAIL: ") && !strings.Contains(string(out), "panic: "):
		return fmt.Errorf("the test did not run: %s", tail(string(out)))
	}
	return nil
}

// source returns the file, which must hold what is replaced exactly once.
func (d defence) source() (string, error) {
	b, err := os.ReadFile(d.File)
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(b), d.Old); n != 1 {
		return "", fmt.Errorf("%s holds the text to replace %d times: %q", d.File, n, d.Old)
	}
	return string(b), nil
}

// overlay writes the changed file and the description of where it belongs.
func (d defence) overlay(dir, source string) (string, error) {
	real, err := filepath.Abs(d.File)
	if err != nil {
		return "", err
	}
	changed := filepath.Join(dir, filepath.Base(d.File))
	if err := os.WriteFile(changed, []byte(strings.Replace(source, d.Old, d.New, 1)), 0o600); err != nil {
		return "", err
	}
	b, err := json.Marshal(map[string]any{"Replace": map[string]string{real: changed}})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	return file, os.WriteFile(file, b, 0o600)
}

// tail returns the last of a long text.
func tail(text string) string {
	const most = 600
	return strings.TrimSpace(text[max(0, len(text)-most):])
}
