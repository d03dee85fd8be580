package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// load is what a program that makes load says of its run.
type load struct {
	requests float64
	took     time.Duration
	p50, p99 time.Duration
}

// wrkScript has wrk send the headers, and say at the end what the report for
// people rounds. Nothing of it runs for each request.
func (c *contender) wrkScript(s scenario) string {
	var b strings.Builder
	if s.upload > 0 {
		fmt.Fprintf(&b, "wrk.method = \"POST\"\nwrk.body = string.rep(\"x\", %d)\n", s.upload)
		fmt.Fprintf(&b, "wrk.headers[\"Content-Type\"] = \"application/octet-stream\"\nwrk.headers[\"Origin\"] = %q\n", c.url)
	}
	for _, h := range c.headers(0) {
		fmt.Fprintf(&b, "wrk.headers[%q] = %q\n", h.name, h.value)
	}
	b.WriteString(`function done(s, latency)
  local e = s.errors
  print(string.format("bench %d %d %d %d %d %d %d %d %d %d", s.requests, s.bytes, s.duration,
    e.connect, e.read, e.write, e.status, e.timeout, latency:percentile(50), latency:percentile(99)))
end
`)
	return b.String()
}

// wrk runs wrk and judges its answers.
func (c *contender) wrk(ctx context.Context, r *rig, s scenario, d time.Duration) (load, error) {
	args, err := c.wrkArgs(r, s, d)
	if err != nil {
		return load{}, err
	}
	out, err := exec.CommandContext(ctx, "taskset", args...).CombinedOutput()
	if err != nil {
		return load{}, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	return parseWrk(string(out), s.body)
}

// wrkArgs writes the script and returns taskset's arguments.
func (c *contender) wrkArgs(r *rig, s scenario, d time.Duration) ([]string, error) {
	script := filepath.Join(r.dir, c.key+"-"+s.key+".lua")
	if err := os.WriteFile(script, []byte(c.wrkScript(s)), 0o600); err != nil {
		return nil, err
	}
	seconds := strconv.Itoa(max(1, int(d.Round(time.Second).Seconds()))) + "s"
	return []string{"-c", loadCore, "wrk", "-t1", "-c" + strconv.Itoa(s.connections), "-d" + seconds,
		"--timeout", "30s", "-s", script, c.url + s.path}, nil
}

// parseWrk reads the script's line. Every answer must be a 2xx with a body of
// that many bytes.
func parseWrk(out string, body int) (load, error) {
	_, line, found := strings.Cut(out, "\nbench ")
	if !found {
		return load{}, fmt.Errorf("wrk: no figures in:\n%s", out)
	}
	var requests, bytes, took, connect, read, write, status, timeout, p50, p99 int64
	if _, err := fmt.Sscan(line, &requests, &bytes, &took, &connect, &read, &write, &status, &timeout, &p50, &p99); err != nil {
		return load{}, fmt.Errorf("wrk: %w in %q", err, line)
	}
	switch {
	case connect+read+write+status+timeout > 0:
		return load{}, fmt.Errorf("wrk: %d connections failed, %d reads, %d writes, %d answers not 2xx, %d timeouts", connect, read, write, status, timeout)
	case requests == 0:
		return load{}, fmt.Errorf("wrk: not one request")
	case bytes < requests*int64(body): // wrk takes a redirect for success
		return load{}, fmt.Errorf("wrk: %d answers of %d bytes, but only %d bytes in all", requests, body, bytes)
	}
	// Of large bodies a good part is under way at the end: it was paid for, too.
	l := load{requests: float64(requests), took: time.Duration(took) * time.Microsecond,
		p50: time.Duration(p50) * time.Microsecond, p99: time.Duration(p99) * time.Microsecond}
	if body >= 1<<20 {
		l.requests = float64(bytes) / float64(body)
	}
	return l, nil
}
