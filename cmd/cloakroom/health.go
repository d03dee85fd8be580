package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

type healthCmd struct {
	configFlag
	Address string        `placeholder:"HOST:PORT" help:"The admin listener; otherwise admin.listen of the configuration."`
	Timeout time.Duration `default:"3s" help:"How long to wait for the answer (${default})."`
}

// Run asks GET /healthz of the admin listener and fails unless it says 200.
func (h *healthCmd) Run(env *environment) error {
	address := h.Address
	if address == "" {
		cfg, err := loadLocal(h.Config, env.getenv, "admin.listen")
		if err != nil {
			return err
		}
		address = cfg.Admin.Listen
	}
	if host, err := hostOf(address); err != nil || host == "" {
		return hinted{errors.New("the address must be host:port"), "for example --address 127.0.0.1:9090"}
	}
	ctx, cancel := context.WithTimeout(env.ctx, h.Timeout)
	defer cancel()
	if err := askHealth(ctx, address); err != nil {
		return hinted{err, "is cloakroom serve running here, with this admin.listen? Its log says more"}
	}
	env.say("ok")
	return nil
}

func askHealth(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", nil)
	if err != nil {
		return err
	}
	resp, err := adminHTTP().Do(req)
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not well: /healthz on %s answered %s", address, resp.Status)
	}
	return nil
}
