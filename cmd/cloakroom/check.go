package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

type checkCmd struct {
	configFlag

	ProbeReuse   string        `placeholder:"PROVIDER" help:"Find out with a test user's sign-in what this provider does when a refresh token comes a second time, and what refresh_reuse should say. Listens like serve, which must be stopped."`
	ProbeTimeout time.Duration `default:"10m" placeholder:"DURATION" help:"How long the probe may take, sign-in and all (${default})."`
}

// Run prints what is wrong, or that nothing is. Without a probe it starts
// nothing and asks nobody: what is beyond this machine isn't looked at.
func (c *checkCmd) Run(env *environment) error {
	cfg, warnings, err := LoadConfig(c.Config, env.getenv)
	if err != nil {
		for _, w := range warnings {
			env.note("%v", w)
		}
		return err
	}
	found := inspect(cfg, time.Now())
	for _, w := range append(warnings, found.Warnings()...) {
		env.note("%v", w)
	}
	if errs := found.Errors(); len(errs) > 0 {
		return errs
	}
	if err := construct(cfg); err != nil {
		return err
	}
	if c.ProbeReuse != "" {
		return probeReuse(env, cfg, c)
	}
	locked, restored, err := opens(env.ctx, cfg)
	if err != nil {
		return err
	}
	if restored != "" {
		noteRestored(env, cfg.Store.Bolt.Path, restored)
	}
	env.say("%s: ok", c.Config)
	env.say("  %s", summary(cfg))
	if locked {
		env.say("  %s is in use, so whether the keys in %s open it could not be looked at", cfg.Store.Bolt.Path, cfg.KeysFile)
	}
	ours := origin(cfg)
	for i, p := range cfg.Providers {
		env.say("  register at %s: redirect URI %s, post-logout redirect URI %s, back-channel logout URI %s (or, only if it knows no back-channel, front-channel logout URI %s)",
			p.Name, ours+callbackPath(cfg, i), ours+logoutPath(cfg),
			ours+cfg.BasePath+"/backchannel-logout/"+p.Name, ours+cfg.BasePath+"/frontchannel-logout/"+p.Name)
		env.say("  %s: refresh_reuse %s: %s", p.Name, p.RefreshReuse.Mode, secondUse(p.RefreshReuse))
		if p.Auth == "private_key_jwt" {
			env.say("  %s: reads the public key at %s%s/jwks/%s", p.Name, ours, cfg.BasePath, p.Name)
		}
	}
	if i := plainCallback(cfg); i == 0 && len(cfg.Providers) > 1 && cfg.Providers[0].Callback == "auto" {
		env.say("  %s has %s%s because it stands first; if the order may change, write callback: plain there", cfg.Providers[0].Name, ours, callbackPath(cfg, i))
	}
	return nil
}

// opens returns what serve would complain of when it opens the store with the
// keys, and why it would take it for one that was put back; "" if it would not. It
// changes nothing, and can't tell while a process has the store open.
func opens(ctx context.Context, cfg *Config) (locked bool, restored bolt.Reason, err error) {
	ring, err := readKeyring(cfg.KeysFile)
	if errors.Is(err, os.ErrNotExist) {
		return false, "", nil // the first start makes it
	}
	if err != nil {
		return false, "", err
	}
	_, report, err := inventory(ctx, cfg, ring)
	switch {
	case errors.Is(err, bolt.ErrLocked):
		return true, "", nil
	case errors.Is(err, bolt.ErrEmpty), errors.Is(err, os.ErrNotExist): // likewise
		return false, report.Restored, nil
	case errors.Is(err, session.ErrWrongKeys):
		return false, "", wrongKeys(cfg)
	}
	return false, report.Restored, hintStore(err)
}

// construct makes what serve would make of cfg, short of opening the store: what
// the packages themselves refuse is refused here too.
func construct(cfg *Config) error {
	a := &app{cfg: cfg, log: slog.New(slog.DiscardHandler)}
	_, err := a.providers()
	_, proxyErr := proxy.New(proxy.Options{
		Routes: proxyRoutes(cfg), PublicURL: cfg.PublicURL,
		OwnCookie: func(string) bool { return false }, Fail: func(http.ResponseWriter, *http.Request, error) {},
	})
	return errors.Join(err, proxyErr)
}

// secondUse says in words when a refresh token is sent again.
func secondUse(r RefreshReuse) string {
	const again = "a refresh token whose first use had no known end is sent again at once"
	switch r.Mode {
	case "grace", "same":
		return fmt.Sprintf("%s, while less than %v have passed, and no third time", again, r.Window)
	case "count":
		return again + ", and no third time"
	case "unlimited":
		return again + ", and as often as it takes to get an answer"
	}
	return "a refresh token is never sent twice, unless the access token has run out and the first use had no known end"
}

// summary says in one line what would be served.
func summary(cfg *Config) string {
	var names []string
	for _, p := range cfg.Providers {
		names = append(names, p.Name)
	}
	parts := []string{
		cfg.PublicURL.String() + " on " + cfg.Listen,
		count(len(names), "provider") + " (" + strings.Join(names, ", ") + ")",
		count(len(cfg.Routes), "route"),
	}
	if cfg.SPA.Dir != "" {
		parts = append(parts, "files from "+cfg.SPA.Dir)
	}
	if cfg.SPA.Upstream != nil {
		parts = append(parts, "the app from "+cfg.SPA.Upstream.Host)
	}
	return strings.Join(parts, "; ")
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
