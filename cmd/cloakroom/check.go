package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/proxy"
)

type checkCmd struct{ configFlag }

// Run prints what is wrong, or that nothing is. It starts nothing and asks
// nobody: what is beyond this machine isn't looked at.
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
	env.say("%s: ok", c.Config)
	env.say("  %s", summary(cfg))
	for i, p := range cfg.Providers {
		env.say("  register at %s: redirect URI %s%s, post-logout redirect URI %s%s",
			p.Name, origin(cfg), callbackPath(cfg, i), origin(cfg), logoutPath(cfg))
	}
	return nil
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
	return strings.Join(parts, "; ")
}

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
