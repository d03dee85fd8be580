package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// probe finds out what one provider does with a refresh token that comes a
// second time. It listens where the server would, because the provider sends
// users nowhere else, and signs one in.
type probe struct {
	env      *environment
	cfg      *Config
	client   *oidc.Client
	settings Provider
	callback string // path of the provider's redirect URI
	timeout  time.Duration

	pause func(context.Context, time.Duration) error
}

// probeReuse is cloakroom check --probe-reuse.
func probeReuse(env *environment, cfg *Config, c *checkCmd) error {
	p, err := newProbe(env, cfg, c.ProbeReuse, c.ProbeTimeout)
	if err != nil {
		return err
	}
	return p.run()
}

// newProbe returns a probe of the provider of that name.
func newProbe(env *environment, cfg *Config, name string, timeout time.Duration) (*probe, error) {
	i := slices.IndexFunc(cfg.Providers, func(p Provider) bool { return p.Name == name })
	if i < 0 {
		return nil, hinted{fmt.Errorf("--probe-reuse: the configuration has no provider %q", name),
			"it has: " + strings.Join(providerNames(cfg), ", ")}
	}
	if timeout <= 0 {
		return nil, hinted{errors.New("--probe-timeout: must be positive"), "for example --probe-timeout 10m"}
	}
	a := &app{cfg: cfg, log: newLogger(env.stderr, Log{Level: "warn", Format: "text"})}
	if _, err := a.providers(); err != nil {
		return nil, err
	}
	return &probe{
		env: env, cfg: cfg, client: a.clients[i], settings: cfg.Providers[i],
		callback: callbackPath(cfg, i), timeout: timeout, pause: pause,
	}, nil
}

// pause waits for d, or returns why ctx ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// errNoTime is the cause of a probe's end by --probe-timeout.
var errNoTime = errors.New("--probe-timeout has passed")

// run probes, tells what it saw and what to write into the configuration, and
// revokes every token that it got, whatever happened.
func (p *probe) run() error {
	ctx, cancel := context.WithTimeoutCause(p.env.ctx, p.timeout, errNoTime)
	defer cancel()
	x := &experiment{provider: p.client, pause: p.pause, progress: p.env.note}
	in, err := p.signIn(ctx)
	x.hold(in.Tokens)
	var v verdict
	if err == nil {
		p.env.note("signed in as %q; now refresh tokens are used twice, which takes some minutes", in.Subject)
		x.who = in.Identity
		v, err = x.run(ctx, in.Tokens)
	}
	if p.env.ctx.Err() != nil {
		err = errors.New("stopped")
	}
	x.revoke(context.WithoutCancel(ctx))
	if err := x.table(p.env.stdout); err != nil {
		return err
	}
	if err == nil {
		p.tell(v)
		return nil
	}
	h := hinted{hint: "try again"}
	switch {
	case errors.As(err, &h):
	case errors.Is(err, errNoRefresh):
		h.hint = "does the provider want the scope offline_access, or another grant type in the client's registration?"
	case errors.Is(err, errNoTime):
		h.hint = "try again with a longer one; the sign-in is part of it"
	}
	return hinted{fmt.Errorf("nothing learnt: %w", err), h.hint}
}

// tell prints the line for the configuration, and what to know of it.
func (p *probe) tell(v verdict) {
	p.env.say("\nWrite for %s:\n    %s\n", p.settings.Name, v.reuse())
	if v.window > 0 && v.window < p.settings.TokenTimeout+reuseMargin {
		most := v.window - reuseMargin
		if most > 0 {
			v.notes = append(v.notes, fmt.Sprintf("Write token_timeout: %v or less, else a call that times out comes too late for a second one.", most))
		} else {
			v.notes = append(v.notes, "The window is too short for calls that time out: only those that break off early get a second one.")
		}
	}
	for _, note := range v.notes {
		p.env.say("%s", note)
	}
}

// signIn serves until a user has signed in with the provider. Tokens that came
// are in the result even if there is an error.
func (p *probe) signIn(ctx context.Context) (session.SignIn, error) {
	l, err := listenPublic(p.cfg)
	if errors.Is(err, syscall.EADDRINUSE) {
		return session.SignIn{}, hinted{fmt.Errorf("listen: %w", err),
			"the provider sends the browser back to this very address: stop Cloakroom (cloakroom serve) while you probe"}
	}
	if err != nil {
		return session.SignIn{}, err
	}
	defer func() { _ = l.Close() }() // a server that stops before it serves does not
	d := newDoor(p)
	server := &http.Server{
		Handler: d, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: int(p.cfg.Limits.Header), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
		DisableGeneralOptionsHandler: true,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	p.env.note("Sign in as a TEST user: the provider may end every session and grant that the user has.")
	p.env.note("Open %s (Ctrl-C stops)", origin(p.cfg)+d.login)

	var out outcome
	select {
	case out = <-d.done:
	case err = <-failed:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	p.close(server)
	if err != nil {
		// A code may just have been redeemed: its tokens must be revoked too.
		select {
		case out = <-d.done:
		default:
		}
		out.err = err
	}
	return out.in, out.err
}

// close stops the server; a callback that is being finished gets its answer.
func (p *probe) close(server *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), finishTimeout)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		_ = server.Close() // nobody waits for what is left
	}
}

// sameHost tells whether host, as of a Host header, is public_url's. Ports
// are left aside: browsers leave default ones out.
func sameHost(cfg *Config, host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.EqualFold(strings.Trim(host, "[]"), cfg.PublicURL.Hostname())
}
