package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/cloakroom/cloakroom/bench/stand"
)

const (
	proxyCore = "0" // the proxies', one at work at a time
	loadCore  = "1" // the load's and the upstreams'

	sessions = 10 // so many that 200 streams stay within limits.streams_per_session
)

// setup is how all contenders run in a group of scenarios.
type setup struct {
	name  string
	core  string // empty: wherever the kernel puts them
	procs int    // GOMAXPROCS, and nginx's worker_processes
	tls   bool
}

// contender is one proxy under load.
type contender struct {
	key, name string
	signedIn  bool
	begin     func(*rig, *contender, setup) error

	// What begin fills in.
	address, url string
	process      *stand.Process
	cookies      []string // of as many sessions
	alsoClose    func()

	left string // why it is left out; empty: it isn't
}

func contenders() []*contender {
	return []*contender{
		{key: "bare", name: "bare ReverseProxy, no sign-in", begin: bare(0)},
		{key: "floor", name: "bare ReverseProxy, 32 MiB heap floor", begin: bare(32)},
		{key: "cloakroom", name: "Cloakroom, signed in", signedIn: true, begin: cloakroom},
		{key: "nginx", name: "nginx, no sign-in", begin: nginx},
		{key: "apache", name: "mod_auth_openidc, signed in", signedIn: true, begin: modAuthOpenIDC},
	}
}

// rig is what the contenders share.
type rig struct {
	dir, binary       string
	certificate       *stand.Certificate
	upstream, streams string // addresses
	processes         []*stand.Process
	notes             []string // what a reader of the figures has to know
}

func newRig(binary string) (_ *rig, err error) {
	r := &rig{binary: binary}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if r.dir, err = os.MkdirTemp("", "cloakroom-bench-"); err != nil {
		return nil, err
	}
	// nginx's and Apache's workers run as users of their own.
	if err := os.Chmod(r.dir, 0o755); err != nil {
		return nil, err
	}
	if r.certificate, err = stand.NewCertificate(r.dir); err != nil {
		return nil, err
	}
	if r.binary == "" {
		if r.binary, err = stand.Build(r.dir); err != nil {
			return nil, err
		}
	}
	if r.streams, err = stand.FreeAddress(); err != nil {
		return nil, err
	}
	p, err := role(loadCore, 1, r.streams, "-role", "upstream")
	if err != nil {
		return nil, err
	}
	r.processes = append(r.processes, p)
	if r.upstream, err = stand.FreeAddress(); err != nil {
		return nil, err
	}
	var absent missing
	p, err = nginxUpstream(filepath.Join(r.dir, "upstream"), loadCore, r.upstream)
	if errors.As(err, &absent) {
		r.notes = append(r.notes, "The upstream is one in Go, as nginx is "+absent.Error()+".")
		r.upstream = r.streams
		return r, nil
	}
	r.processes = append(r.processes, p)
	return r, err
}

// start starts the contenders, and drops those whose program isn't installed.
func (r *rig) start(all []*contender, s setup) error {
	for _, c := range all {
		var err error
		if c.address, err = stand.FreeAddress(); err != nil {
			return err
		}
		c.url = "http://" + c.address
		if s.tls {
			c.url = "https://" + c.address
		}
		c.left, c.cookies = "", nil
		var absent missing
		if err = c.begin(r, c, s); errors.As(err, &absent) {
			c.left = absent.Error()
			continue
		} else if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if err := c.probe(r.certificate.Client(), "/api/seen", c.seen); err != nil {
			return err
		}
	}
	return nil
}

func (r *rig) stop(all []*contender) error {
	var errs []error
	for _, c := range all {
		errs = append(errs, c.process.Stop())
		if c.alsoClose != nil {
			c.alsoClose()
		}
		c.process, c.alsoClose = nil, nil
	}
	return errors.Join(errs...)
}

func (r *rig) close() {
	for _, p := range r.processes {
		_ = p.Stop()
	}
	_ = os.RemoveAll(r.dir)
}

func bare(floor int) func(*rig, *contender, setup) error {
	return func(r *rig, c *contender, s setup) (err error) {
		args := []string{"-role", "bare", "-target", r.upstream, "-streams", r.streams, "-floor", strconv.Itoa(floor)}
		if s.tls {
			args = append(args, "-cert", r.certificate.CertFile, "-key", r.certificate.KeyFile)
		}
		c.process, err = role(s.core, s.procs, c.address, args...)
		return err
	}
}

// cloakroom starts the real binary with its defaults, and signs users in.
func cloakroom(r *rig, c *contender, s setup) error {
	dir := filepath.Join(r.dir, c.key+s.name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	o := stand.Options{Dir: dir, Binary: r.binary, Upstream: r.upstream, Streams: r.streams, Core: s.core, MaxProcs: s.procs}
	if s.tls {
		o.TLS = r.certificate
	}
	ours, err := stand.NewCloakroom(o)
	if err != nil {
		return err
	}
	c.alsoClose = func() { _ = ours.Close() }
	if err := ours.Start(); err != nil {
		return err
	}
	c.process, c.address, c.url = ours.Process, ours.Address, ours.URL
	for range sessions {
		cookie, err := ours.SignIn("alice")
		if err != nil {
			return err
		}
		c.cookies = append(c.cookies, cookie)
	}
	return nil
}

// role starts this program as another part of the bench.
func role(core string, procs int, address string, args ...string) (*stand.Process, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return stand.Start(stand.Command{Path: path, Args: append(args, "-listen", address), Core: core, MaxProcs: procs, Address: address})
}
