package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cloakroom/cloakroom/bench/stand"
	"github.com/cloakroom/cloakroom/session"
)

// rate is one row of the section.
type rate struct {
	perSecond, commits, median, p99, cpu stand.Samples
}

// rates measures sign-ins and renewals per second, from 1, 64 and 512 callers at
// once, beside what the disk can do.
func (b *bench) rates() (string, error) {
	rounds, size := 3, 3
	if b.quick {
		rounds, size = 1, 1
	}
	parallel := []int{1, 64, 512}
	ins, renewals := make([]rate, len(parallel)), make([]rate, len(parallel))
	var bare stand.Samples
	for round := range rounds {
		syncs, err := bareSync(b.dir, 500)
		if err != nil {
			return "", err
		}
		bare = append(bare, float64(syncs.at(0.5))/float64(time.Microsecond))
		for i, callers := range parallel {
			n := size * min(10*callers+400, 4000)
			if err := b.rateOf(fmt.Sprintf("rates-%d-%d", round, callers), callers, n, &ins[i], &renewals[i]); err != nil {
				return "", err
			}
		}
	}
	rows := [][]string{{"", "callers", "per second", "commits each", "median ms", "p99 ms", "CPU µs each"}}
	row := func(name string, callers int, r rate) {
		rows = append(rows, []string{name, fmt.Sprint(callers), r.perSecond.String(), r.commits.String(), r.median.String(), r.p99.String(), r.cpu.String()})
	}
	for i, callers := range parallel {
		row("sign-in", callers, ins[i])
	}
	for i, callers := range parallel {
		row("renewal", callers, renewals[i])
	}
	return stand.Table(rows) + fmt.Sprintf(`
To write 4 kB and have them on this disk (write, fdatasync) takes %s µs in the same run: %s a second from one caller. A sign-in is one
change, a renewal two, one after the other: the intent before the token is sent, the new tokens after; a commit syncs twice (the pages, then the page
that names them). Changes that come while a commit is under way share the next one. The provider answers at once; of its calls a Manager
has 32 under way at most, so more callers than that wait at its gate, not at the disk. CPU includes making the random tokens.
`, bare, stand.Number(1e6/bare.Median())), nil
}

// rateOf measures n sign-ins, and then as many renewals of the same sessions.
func (b *bench) rateOf(name string, callers, n int, ins, renewals *rate) error {
	dir, err := b.folder(name)
	if err != nil {
		return err
	}
	h, err := openHouse(dir)
	if err != nil {
		return err
	}
	defer func() { _ = h.store.Close() }()
	m, err := h.manager()
	if err != nil {
		return err
	}
	ctx := context.Background()
	// A token that has expired when it comes makes the first call wait for its
	// renewal.
	tickets := make([]session.Ticket, n)
	users := make([]session.SignIn, n)
	for i := range users {
		users[i] = signIn(time.Nanosecond)
	}
	err = ins.add(h, callers, n, func(i int) (err error) {
		tickets[i], err = m.Start(ctx, users[i], nil)
		return err
	})
	if err != nil {
		return err
	}
	return renewals.add(h, callers, n, func(i int) error {
		s, err := m.Resume(ctx, tickets[i])
		if err != nil {
			return err
		}
		_, err = s.Access(ctx)
		return err
	})
}

// add measures do(0) to do(n-1), from so many callers at once.
func (r *rate) add(h *house, callers, n int, do func(i int) error) error {
	before, err := commits(h.path())
	if err != nil {
		return err
	}
	took := make(latencies, n)
	cpu, began := ownCPU(), time.Now()
	err = together(callers, n, func(i int) error {
		began := time.Now()
		err := do(i)
		took[i] = time.Since(began)
		return err
	})
	all := time.Since(began)
	used := ownCPU() - cpu
	if err != nil {
		return err
	}
	after, err := commits(h.path())
	if err != nil {
		return err
	}
	r.perSecond = append(r.perSecond, float64(n)/all.Seconds())
	r.commits = append(r.commits, float64(after-before)/float64(n))
	r.median = append(r.median, float64(took.at(0.5))/float64(time.Millisecond))
	r.p99 = append(r.p99, float64(took.at(0.99))/float64(time.Millisecond))
	r.cpu = append(r.cpu, float64(used)/float64(time.Microsecond)/float64(n))
	return nil
}
