package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type serveCmd struct{ configFlag }

// Run serves until the environment's context ends.
func (c *serveCmd) Run(env *environment) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	cfg, warnings, err := LoadConfig(c.Config, env.getenv)
	for _, w := range warnings {
		env.note("%v", w)
	}
	if err != nil {
		return err
	}
	found := inspect(cfg, time.Now())
	for _, w := range found.Warnings() {
		env.note("%v", w)
	}
	if errs := found.Errors(); len(errs) > 0 {
		return errs
	}
	log := newLogger(env.stderr, cfg.Log)
	a, err := wire(cfg, nil, log)
	if err != nil {
		return err
	}
	if cfg.PublicURL.Scheme == "http" {
		log.Warn("public_url is http: cookies have neither Secure nor the prefix __Host-; for this machine only")
	}
	a.hup = hup
	return a.serve(env.ctx)
}

// heapFloor is how much memory the garbage collector takes for granted, in bytes.
// It collects when as much again has been allocated: with the few MiB that live
// here, that would be some hundred times a second under load, at a quarter of the
// CPU time. The floor itself is never touched, so that it takes no memory; what
// comes on top of it does, once there is load.
const heapFloor = 32 << 20

// Times of connections. There is none on a whole request or answer: they may be
// streams.
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
)

// listeners are the two sockets of an app.
type listeners struct{ public, admin net.Listener }

func (a *app) listen() (l listeners, err error) {
	if l.public, err = listenPublic(a.cfg); err != nil {
		return l, err
	}
	if l.admin, err = net.Listen("tcp", a.cfg.Admin.Listen); err != nil {
		err = errors.Join(err, l.public.Close())
		return l, notHad("admin.listen", a.cfg.Admin.Listen, err)
	}
	return l, nil
}

// notHad says why nobody can listen on address, the value of key.
func notHad(key, address string, err error) error {
	hint := "is another process using this address? Change " + key + ", or stop it"
	switch {
	case errors.Is(err, syscall.EACCES):
		hint = "ports below 1024 need the capability CAP_NET_BIND_SERVICE; or take a higher one, with a proxy in front"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = "this machine has no such address: name one of its own, or none (:PORT) for all of them"
	}
	return hinted{taken(key+" "+address, err), hint}
}

// listenPublic takes the address that browsers connect to, with the configured
// certificate.
func listenPublic(cfg *Config) (net.Listener, error) {
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, notHad("listen", cfg.Listen, err)
	}
	if !cfg.TLS.Enabled() {
		return l, nil
	}
	pair, err := tls.LoadX509KeyPair(cfg.TLS.CertFile, cfg.TLS.KeyFile)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("tls: %w", err), l.Close())
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"},
	}), nil
}

// serve runs a until ctx ends, then drains it and closes it.
func (a *app) serve(ctx context.Context) error {
	l, err := a.listen()
	if err != nil {
		return errors.Join(err, a.closeFiles())
	}
	return a.serveOn(ctx, l)
}

func (a *app) serveOn(ctx context.Context, l listeners) error {
	var idle newcomers
	errorLog := slog.NewLogLogger(a.log.Handler(), slog.LevelDebug)
	public := &http.Server{
		Handler: a.web, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: int(a.cfg.Limits.Header), ErrorLog: errorLog,
		// Else net/http answers "OPTIONS *" before anybody has looked at the Host.
		DisableGeneralOptionsHandler: true,
		ConnState:                    idle.watch,
	}
	var draining atomic.Bool
	admin := &http.Server{
		Handler: a.adminHandler(&draining), ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: 16 << 10, ErrorLog: errorLog,
	}
	upkeep, stopUpkeep := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	floor := make([]byte, heapFloor)
	defer runtime.KeepAlive(floor)
	running.Go(func() { a.manager.Run(upkeep) })
	running.Go(func() { a.web.Run(upkeep) })
	running.Go(func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		a.watchKeys(a.keyIDs).run(upkeep, tick.C, a.hup)
	})
	a.warm(ctx)

	failed := make(chan error, 2)
	go func() { failed <- public.Serve(l.public) }()
	go func() { failed <- admin.Serve(l.admin) }()
	a.log.Info("serving", "public_url", a.cfg.PublicURL.String(), "listen", l.public.Addr().String(),
		"admin", l.admin.Addr().String(), "version", version())

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	draining.Store(true)
	defer time.AfterFunc(newcomerPatience, idle.dismiss).Stop()
	return errors.Join(err, a.drain(public, admin, func() { stopUpkeep(); running.Wait() }))
}

// drain ends what runs, in the order in which nothing is lost: no new
// connections; streams end; calls under way are answered; token calls under way
// are answered and written, for which there is time even if the calls used theirs
// up; then the file is closed. The admin listener answers until the end.
func (a *app) drain(public, admin *http.Server, stopUpkeep func()) error {
	a.log.Info("stopping", "shutdown_timeout", a.cfg.ShutdownTimeout)
	ctx, cancel := context.WithTimeout(context.Background(), a.cfg.ShutdownTimeout)
	defer cancel()
	a.proxy.Close()
	a.web.Close()
	err := public.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests were cut off after shutdown_timeout: %w", err), public.Close())
	}
	stopUpkeep()
	deadline, _ := ctx.Deadline()
	renewing, cancel := context.WithTimeout(context.Background(), max(time.Until(deadline), a.longestRenewal()))
	defer cancel()
	err = errors.Join(err, a.manager.Close(renewing), admin.Close(), a.closeFiles())
	a.log.Info("stopped")
	return err
}

// longestRenewal is how long a renewal may take that begins now: the call to the
// provider, and a moment to write what it brought.
func (a *app) longestRenewal() time.Duration {
	const write = time.Second
	var call time.Duration
	for _, p := range a.cfg.Providers {
		call = max(call, p.TokenTimeout)
	}
	return call + write
}
