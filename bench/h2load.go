package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// h2load runs nghttp2's h2load over s.connections connections with s.streams
// calls at a time on each, and judges its answers.
func (c *contender) h2load(ctx context.Context, r *rig, s scenario, d time.Duration) (load, error) {
	log := filepath.Join(r.dir, "h2load.log")
	if err := os.RemoveAll(log); err != nil { // h2load appends
		return load{}, err
	}
	args := []string{"-c", loadCore, "h2load", "-t1", "-c" + strconv.Itoa(s.connections), "-m" + strconv.Itoa(s.streams),
		"-D", strconv.Itoa(max(1, int(d.Round(time.Second).Seconds()))), "--log-file", log}
	for _, h := range c.headers(0) {
		args = append(args, "-H", h.name+": "+h.value)
	}
	out, err := exec.CommandContext(ctx, "taskset", append(args, c.url+s.path)...).CombinedOutput()
	if err != nil {
		return load{}, fmt.Errorf("h2load: %w\n%s", err, out)
	}
	if !strings.Contains(string(out), "Application protocol: h2") {
		return load{}, fmt.Errorf("h2load: no HTTP/2 in:\n%s", out)
	}
	lines, err := os.ReadFile(log)
	if err != nil {
		return load{}, err
	}
	l, err := parseH2Load(string(lines))
	if err != nil {
		return l, fmt.Errorf("%w in the log, and it reported:\n%s", err, out)
	}
	return l, nil
}

// parseH2Load reads the log: for each answer a line with its start, its status and
// how long it took, times in µs. Every status must be 200.
func parseH2Load(log string) (load, error) {
	var l load
	var first, last int64
	var took []time.Duration
	for line := range strings.Lines(log) {
		var start, status, micros int64
		if _, err := fmt.Sscan(line, &start, &status, &micros); err != nil {
			return l, fmt.Errorf("h2load: %w in %q", err, line)
		}
		if status != 200 {
			return l, fmt.Errorf("h2load: status %d", status)
		}
		if first == 0 {
			first = start
		}
		last = max(last, start+micros)
		took = append(took, time.Duration(micros)*time.Microsecond)
	}
	if len(took) == 0 {
		return l, fmt.Errorf("h2load: not one request")
	}
	slices.Sort(took)
	return load{float64(len(took)), time.Duration(last-first) * time.Microsecond, took[len(took)/2], took[len(took)*99/100]}, nil
}
