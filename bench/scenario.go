package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cloakroom/cloakroom/bench/stand"
)

// scenario is one kind of load.
type scenario struct {
	key, title  string
	unit        string // what is counted; empty: request
	tool        string // wrk, h2load, ws, sse
	path        string
	connections int
	streams     int // of each connection, for h2load
	body        int // bytes of an answer's body, at least
	upload      int // bytes of a request's body
	setup       setup
}

var (
	oneCore  = setup{name: "one", core: proxyCore, procs: 1}
	twoProcs = setup{name: "two", procs: 2}
	tlsCore  = setup{name: "tls", core: proxyCore, procs: 1, tls: true}
)

// mainScenario is the one that is plotted and printed.
const mainScenario = "json-64"

// scenarios are in the order of their setups.
var scenarios = []scenario{
	{key: "json-1", title: "1 KiB of JSON, 1 connection", tool: "wrk", path: "/api/x", connections: 1, body: 1024, setup: oneCore},
	{key: mainScenario, title: "1 KiB of JSON, 64 connections", tool: "wrk", path: "/api/x", connections: 64, body: 1024, setup: oneCore},
	{key: "json-512", title: "1 KiB of JSON, 512 connections", tool: "wrk", path: "/api/x", connections: 512, body: 1024, setup: oneCore},
	{key: "64k", title: "64 KiB of answer, 64 connections", tool: "wrk", path: "/api/64k", connections: 64, body: 64 << 10, setup: oneCore},
	{key: "10m", title: "10 MiB of answer, 8 connections", tool: "wrk", path: "/api/10m", connections: 8, body: 10 << 20, setup: oneCore},
	{key: "upload-64k", title: "upload of 64 KiB, 64 connections", tool: "wrk", path: "/api/upload", connections: 64, upload: 64 << 10, setup: oneCore},
	{key: "upload-1m", title: "upload of 1 MiB, 8 connections", tool: "wrk", path: "/api/upload", connections: 8, upload: 1 << 20, setup: oneCore},
	{key: "ws", title: "WebSocket, 64 connections: a message of 128 bytes there and back", unit: "round trip", tool: "ws", path: "/ws/echo", connections: 64, setup: oneCore},
	{key: "sse", title: "event streams, 200 of them, an event every 10 ms on each", unit: "event", tool: "sse", path: "/ws/events", connections: 200, setup: oneCore},
	{key: "h2", title: "HTTP/2 over TLS, 16 connections with 4 calls at a time, 1 KiB of JSON", tool: "h2load", path: "/api/x", connections: 16, streams: 4, body: 1024, setup: tlsCore},
	{key: "two-procs", title: "1 KiB of JSON, 64 connections, GOMAXPROCS=2 (nginx: 2 workers) on both cores, which load and upstream share", tool: "wrk", path: "/api/x", connections: 64, body: 1024, setup: twoProcs},
}

// round is what one contender did in one round of a scenario.
type round struct {
	rate         float64 // a second
	p50, p99     float64 // ms
	user, system float64 // µs a request
	rss          float64 // MiB, right after
}

func (r round) cpu() float64 { return r.user + r.system }

// measure has one contender serve one round.
func (c *contender) measure(ctx context.Context, r *rig, s scenario, d time.Duration) (round, error) {
	ctx, cancel := context.WithTimeout(ctx, d+time.Minute)
	defer cancel()
	var readings []stand.CPU
	used := func() error {
		cpu, err := c.process.CPU()
		readings = append(readings, cpu)
		return err
	}
	run := func() (load, error) {
		if err := used(); err != nil {
			return load{}, err
		}
		tool := c.wrk
		if s.tool == "h2load" {
			tool = c.h2load
		}
		l, err := tool(ctx, r, s, d)
		if err != nil {
			return l, err
		}
		return l, used()
	}
	if s.tool == "ws" || s.tool == "sse" {
		run = func() (load, error) { return c.streams(ctx, r, s, d, used) }
	}
	l, err := run()
	if err != nil {
		return round{}, fmt.Errorf("%s: %s: %w", s.key, c.name, err)
	}
	memory, err := c.process.Memory()
	if err != nil {
		return round{}, err
	}
	cpu := readings[1].Sub(readings[0])
	micros := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / l.requests }
	millis := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }
	return round{
		rate: l.requests / l.took.Seconds(), p50: millis(l.p50), p99: millis(l.p99),
		user: micros(cpu.User), system: micros(cpu.System), rss: float64(memory.RSS) / (1 << 20),
	}, nil
}

// results are the rounds of each contender, by its key.
type results map[string][]round

// play runs the rounds of one scenario, all contenders in turn. The first one
// warms up and isn't counted.
func (r *rig) play(ctx context.Context, all []*contender, s scenario, rounds int, d time.Duration) (results, error) {
	found := results{}
	for _, c := range all {
		if c.left != "" || s.tool == "ws" || s.tool == "sse" || s.upload > 0 {
			continue
		}
		complete := func(body []byte) error {
			if len(body) != s.body {
				return fmt.Errorf("got %d bytes, want %d", len(body), s.body)
			}
			return nil
		}
		if err := c.probe(r.certificate.Client(), s.path, complete); err != nil {
			return nil, err
		}
	}
	for n := range rounds + 1 {
		for _, c := range all {
			if c.left != "" {
				continue
			}
			one, err := c.measure(ctx, r, s, d)
			if err != nil {
				return nil, err
			}
			if n > 0 {
				found[c.key] = append(found[c.key], one)
			}
		}
	}
	return found, nil
}
