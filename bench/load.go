package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// result is one round.
type result struct {
	cpu      float64 // µs of the proxy's CPU per request
	rate     float64 // requests per second
	p50, p99 time.Duration
}

// measure sends so many requests over so many connections. Every answer must be
// a 200.
func (c *contender) measure(requests, connections int) (result, error) {
	before, err := c.process.CPU()
	if err != nil {
		return result{}, err
	}
	each := requests / connections
	latencies := make([][]time.Duration, connections)
	errs := make([]error, connections)
	began := time.Now()
	var workers sync.WaitGroup
	for i := range connections {
		workers.Go(func() { latencies[i], errs[i] = c.send(each) })
	}
	workers.Wait()
	took := time.Since(began)
	after, err := c.process.CPU()
	if err := errors.Join(append(errs, err)...); err != nil {
		return result{}, err
	}
	all := slices.Concat(latencies...)
	slices.Sort(all)
	return result{
		cpu:  float64(after.Sub(before).Total().Microseconds()) / float64(len(all)),
		rate: float64(len(all)) / took.Seconds(),
		p50:  all[len(all)/2], p99: all[len(all)*99/100],
	}, nil
}

// send sends n requests, one after the other, over one connection.
func (c *contender) send(n int) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", c.address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	r := bufio.NewReader(conn)
	latencies := make([]time.Duration, 0, n)
	for range n {
		began := time.Now()
		if _, err := conn.Write(c.request); err != nil {
			return nil, err
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return nil, err
		}
		body, err := io.Copy(io.Discard, resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK || body != 1024 {
			return nil, fmt.Errorf("got %s with %d bytes, %w", resp.Status, body, err)
		}
		latencies = append(latencies, time.Since(began))
	}
	return latencies, nil
}
