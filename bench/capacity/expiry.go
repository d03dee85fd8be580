package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/cloakroom/cloakroom/bench/stand"
	"github.com/cloakroom/cloakroom/internal/demo"
)

// crowd is how many sessions expire together, and under what load.
type crowd struct {
	sessions, connections, rounds int

	rate, controlRate int // calls per second: through the proxy, and to the upstream beside it

	signIn time.Duration // time for everybody to sign in
	every  time.Duration // from one moment of expiry to the next

	// renewBefore is the session's setting of that name: long enough for everybody's
	// next call to come before the tokens expire.
	renewBefore time.Duration
}

// expiry signs many users in, whose tokens then all expire within one second,
// round after round, and compares users' calls while they are renewed with those
// before.
func (b *bench) expiry() (text string, err error) {
	x := crowd{sessions: 10_000, connections: 128, rounds: 3, rate: 400, controlRate: 100, signIn: 2 * time.Minute, every: 90 * time.Second, renewBefore: 30 * time.Second}
	if b.quick {
		x = crowd{sessions: 1000, connections: 64, rounds: 2, rate: 300, controlRate: 100, signIn: 10 * time.Second, every: 16 * time.Second, renewBefore: 6 * time.Second}
	}
	dir, err := b.folder("expiry")
	if err != nil {
		return "", err
	}
	binary, err := b.cloakroom()
	if err != nil {
		return "", err
	}
	upstream, stop, err := startUpstream()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, stop()) }()
	c, err := stand.NewCloakroom(stand.Options{
		Dir: dir, Binary: binary, Upstream: upstream, Core: "0", Nice: first,
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
	return b.expiryOf(x, c, upstream)
}

// expiryOf lets the crowd sign in and then calls for as long as the rounds take.
func (b *bench) expiryOf(x crowd, c *stand.Cloakroom, upstream string) (text string, err error) {
	began := time.Now()
	due := began.Add(x.signIn + x.every) // of the first round: renew_before before the tokens expire
	c.Provider.SetFaults(demo.Faults{Code: expireAt(due.Add(x.renewBefore))})
	cookies := make([]string, x.sessions)
	err = together(8, x.sessions, func(i int) (err error) {
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
	load, err := startLoad(filepath.Join(b.dir, "load"), job{
		Proxy: c.Address, Upstream: upstream, Cookies: cookies, Connections: x.connections,
		Rate: x.rate, ControlRate: x.controlRate, Time: time.Duration(x.rounds) * x.every,
	})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, load.process.Stop()) }()
	var rounds []round
	for range x.rounds {
		r := round{from: due.Add(-x.every / 2), to: due.Add(x.every / 2)}
		c.Provider.SetFaults(demo.Faults{Refresh: expireAt(due.Add(x.every + x.renewBefore))})
		if r.peace, r.renewing, err = used(c.Process, due, r.to); err != nil {
			return "", err
		}
		due = due.Add(x.every)
		for _, call := range c.Provider.Calls("refresh") {
			if call.Time.After(r.from) && call.Time.Before(r.to) {
				r.renewals = append(r.renewals, call)
			}
		}
		rounds = append(rounds, r)
	}
	results, err := load.wait()
	if err != nil {
		return "", err
	}
	nice, err := c.Nice()
	if err != nil {
		return "", err
	}
	return b.expiryPage(x, rounds, results, signedIn, nice)
}

// used returns the CPU time that p uses from now until then, and from there to the
// end.
func used(p *stand.Process, then, end time.Time) (before, after time.Duration, err error) {
	var at [3]stand.CPU
	for i, t := range []time.Time{time.Now(), then, end} {
		time.Sleep(time.Until(t))
		if at[i], err = p.CPU(); err != nil {
			return 0, 0, err
		}
	}
	return at[1].Sub(at[0]).Total(), at[2].Sub(at[1]).Total(), nil
}

// expireAt makes the provider's tokens expire then.
func expireAt(then time.Time) demo.Fault {
	return demo.Fault{EditToken: func(answer map[string]any) {
		answer["expires_in"] = int(time.Until(then).Round(time.Second) / time.Second)
	}}
}
