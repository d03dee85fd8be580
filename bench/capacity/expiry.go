package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/bench/stand"
	"github.com/cloakroom/cloakroom/internal/demo"
)

// crowd is how many sessions expire together, and under what load.
type crowd struct {
	sessions, connections, rounds int

	rate   int           // calls per second
	signIn time.Duration // time for everybody to sign in
	every  time.Duration // from one moment of expiry to the next

	// renewBefore is the session's setting of that name: long enough for everybody's
	// next call to come before the tokens expire.
	renewBefore time.Duration
}

// result is one call of the load.
type result struct {
	due  time.Time     // when the call was to be made
	took time.Duration // since then
	late time.Duration // how long after due it was made
	ok   bool          // whether it was answered 200
}

// expiry signs many users in, whose tokens then all expire within one second,
// round after round, and compares users' calls while they are renewed with those
// before.
func (b *bench) expiry() (text string, err error) {
	x := crowd{sessions: 10_000, connections: 128, rounds: 3, rate: 400, signIn: 2 * time.Minute, every: 90 * time.Second, renewBefore: 30 * time.Second}
	if b.quick {
		x = crowd{sessions: 1000, connections: 64, rounds: 1, rate: 300, signIn: 20 * time.Second, every: 20 * time.Second, renewBefore: 6 * time.Second}
	}
	dir, err := b.folder("expiry")
	if err != nil {
		return "", err
	}
	binary, err := stand.Build(b.dir)
	if err != nil {
		return "", err
	}
	upstream, stop, err := serveJSON()
	if err != nil {
		return "", err
	}
	defer stop()
	c, err := stand.NewCloakroom(stand.Options{
		Dir: dir, Binary: binary, Upstream: upstream, Core: "0",
		Lines:    noRates + fmt.Sprintf("\nsession: {rotate_every: 1h, renew_before: %v}", x.renewBefore),
		Provider: demo.ProviderConfig{AccessTTL: time.Hour, Refresh: demo.RefreshRotate, AutoLogin: "alice"},
	})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.Start(); err != nil {
		return "", err
	}
	return b.expiryOf(x, c)
}

// expiryOf lets the crowd sign in and then calls for as long as the rounds take.
func (b *bench) expiryOf(x crowd, c *stand.Cloakroom) (string, error) {
	began := time.Now()
	due := began.Add(x.signIn + x.every) // of the first round: renew_before before the tokens expire
	c.Provider.SetFaults(demo.Faults{Code: expireAt(due.Add(x.renewBefore))})
	cookies := make([]string, x.sessions)
	err := together(8, x.sessions, func(i int) (err error) {
		cookies[i], err = c.SignIn("alice")
		return err
	})
	if err != nil {
		return "", err
	}
	signedIn := time.Since(began)
	if signedIn > x.signIn {
		return "", fmt.Errorf("the sign-ins took %v: longer than the %v they have", signedIn, x.signIn)
	}
	time.Sleep(time.Until(due.Add(-x.every / 2)))
	ended := make(chan error, 1)
	results := make([]result, int(float64(x.rate)*(float64(x.rounds)*x.every.Seconds())))
	go func() { ended <- x.load(c.Address, cookies, results) }()
	var rounds []round
	for range x.rounds {
		r := round{from: due.Add(-x.every / 2), to: due.Add(x.every / 2)}
		due = due.Add(x.every)
		c.Provider.SetFaults(demo.Faults{Refresh: expireAt(due.Add(x.renewBefore))})
		used, err := c.CPU()
		if err != nil {
			return "", err
		}
		time.Sleep(time.Until(r.to))
		after, err := c.CPU()
		if err != nil {
			return "", err
		}
		r.cpu = after.Sub(used)
		for _, call := range c.Provider.Calls("refresh") {
			if call.Time.After(r.from) && call.Time.Before(r.to) {
				r.renewals = append(r.renewals, call)
			}
		}
		rounds = append(rounds, r)
	}
	if err := <-ended; err != nil {
		return "", err
	}
	return b.expiryPage(x, rounds, results, signedIn)
}

// expireAt makes the provider's tokens expire then.
func expireAt(then time.Time) demo.Fault {
	return demo.Fault{EditToken: func(answer map[string]any) {
		answer["expires_in"] = int(time.Until(then).Round(time.Second) / time.Second)
	}}
}

// serveJSON is an upstream with 1 KiB of JSON for every call.
func serveJSON() (address string, stop func(), err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	body := append(append([]byte(`{"data":"`), text(1013)...), `"}`...)
	s := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})}
	go func() { _ = s.Serve(l) }()
	return l.Addr().String(), func() { _ = s.Close() }, nil
}

// load makes calls at a fixed rate, one session after the other, so that each
// session's first call after its token is due comes as early as the rate allows.
// A call that can't be made in time counts from when it should have been.
func (x crowd) load(address string, cookies []string, results []result) error {
	work := make(chan int, len(results))
	var all sync.WaitGroup
	errs := make([]error, x.connections)
	for i := range x.connections {
		all.Go(func() { errs[i] = callers(address, cookies, work, results) })
	}
	began := time.Now()
	for i := range results {
		results[i].due = began.Add(time.Duration(i) * time.Second / time.Duration(x.rate))
		if wait := time.Until(results[i].due); wait > 0 {
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
		results[i].late = time.Since(results[i].due)
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
		results[i].ok = resp.StatusCode == http.StatusOK
		results[i].took = time.Since(results[i].due)
	}
	return nil
}
