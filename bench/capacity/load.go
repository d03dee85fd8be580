package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/bench/stand"
)

// first is the priority of what users' calls pass through: load, proxy and upstream.
// The provider, in this process, and the machine's other work come after them, as
// they would on other machines.
const first = -10

// job is what a child that makes the load has to do.
type job struct {
	Proxy, Upstream   string // addresses
	Cookies           []string
	Connections       int
	Rate, ControlRate int // calls per second through the proxy, and to the upstream itself
	Time              time.Duration
}

// results are what came of it.
type results struct {
	Proxied []result
	Control []result // calls to the upstream: late by what the machine is late by
}

// result is one call of the load.
type result struct {
	Due  time.Time     // when the call was to be made
	Took time.Duration // since then
	Late time.Duration // how long after Due it was made
	OK   bool          // whether it was answered 200
}

// loading is a load under way.
type loading struct {
	process *stand.Process
	dir     string
}

// startLoad starts a child that does j, and keeps job and results in dir: that the
// kernel shares out the core between load, upstream and provider, and not Go's
// scheduler, which lets whoever runs go on for 10 ms.
func startLoad(dir string, j job) (*loading, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, "job"), text, 0o600)); err != nil {
		return nil, err
	}
	p, err := startRole("load", dir, "")
	return &loading{p, dir}, err
}

// startRole starts this program in another role.
func startRole(role, at, address string) (*stand.Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return stand.Start(stand.Command{Path: self, Args: []string{"-role", role, "-at", at}, Core: "1", Nice: first, Address: address})
}

// wait waits for its results.
func (l *loading) wait() (r results, err error) {
	if err := l.process.Wait(); err != nil {
		return r, fmt.Errorf("the load: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(l.dir, "results"))
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(text, &r)
}

// runJob is the role of the child that makes the load.
func runJob(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "job"))
	if err != nil {
		return err
	}
	var j job
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	r := results{make([]result, int(float64(j.Rate)*j.Time.Seconds())), make([]result, int(float64(j.ControlRate)*j.Time.Seconds()))}
	var both sync.WaitGroup
	var errs [2]error
	both.Go(func() { errs[0] = load(j.Proxy, j.Cookies, j.Connections, j.Rate, r.Proxied) })
	both.Go(func() { errs[1] = load(j.Upstream, []string{"none=none"}, 4, j.ControlRate, r.Control) })
	both.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return err
	}
	if text, err = json.Marshal(r); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "results"), text, 0o600)
}

// startUpstream starts a child that is an upstream with 1 KiB of JSON for every
// call.
func startUpstream() (address string, stop func() error, err error) {
	if address, err = stand.FreeAddress(); err != nil {
		return "", nil, err
	}
	p, err := startRole("upstream", address, address)
	if err != nil {
		return "", nil, err
	}
	return address, p.Stop, nil
}

// serveJSON is the role of that child.
func serveJSON(address string) error {
	body := append(append([]byte(`{"data":"`), text(1013)...), `"}`...)
	s := &http.Server{Addr: address, ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})}
	return s.ListenAndServe()
}

// load makes calls at a fixed rate, one session after the other, so that each
// session's first call after its token is due comes as early as the rate allows.
// A call that can't be made in time counts from when it should have been.
func load(address string, cookies []string, connections, rate int, results []result) error {
	work := make(chan int, len(results))
	var all sync.WaitGroup
	errs := make([]error, connections)
	for i := range connections {
		all.Go(func() { errs[i] = callers(address, cookies, work, results) })
	}
	began := time.Now()
	for i := range results {
		results[i].Due = began.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if wait := time.Until(results[i].Due); wait > 0 {
			time.Sleep(wait)
		}
		work <- i
	}
	close(work)
	all.Wait()
	return errors.Join(errs...)
}

// callers makes those calls over one connection that nobody else has taken.
func callers(address string, cookies []string, work <-chan int, results []result) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	r := bufio.NewReader(conn)
	for i := range work {
		results[i].Late = time.Since(results[i].Due)
		_, err := fmt.Fprintf(conn, "GET /api/x HTTP/1.1\r\nHost: %s\r\nUser-Agent: Go-http-client/1.1\r\nAccept: application/json\r\nSec-Fetch-Site: same-origin\r\n"+
			"Sec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nCookie: %s\r\n\r\n", address, cookies[i%len(cookies)])
		if err != nil {
			return err
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return err
		}
		_ = resp.Body.Close()
		results[i].OK = resp.StatusCode == http.StatusOK
		results[i].Took = time.Since(results[i].Due)
	}
	return nil
}
