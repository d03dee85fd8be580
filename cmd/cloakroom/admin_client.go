package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/bolt"
)

// errNotRunning means that nothing listens at admin.listen, or nobody of ours, as
// the store is not open: commands that can, work on the files themselves then.
var errNotRunning = errors.New("no server is running here")

// maxAdminAnswer bounds what a command reads into memory of an answer.
const maxAdminAnswer = 16 << 20

// localKeys are the options that commands on the store and the keys need, with
// a server or without one.
var localKeys = []string{"admin", "keys_file", "store", "session.absolute"}

// adminClient asks a running server through its admin listener.
type adminClient struct {
	address, tokenFile, store string
	http                      *http.Client
}

func newAdminClient(cfg *Config) *adminClient {
	return &adminClient{address: cfg.Admin.Listen, tokenFile: cfg.Admin.TokenFile, store: cfg.Store.Bolt.Path, http: adminHTTP()}
}

// adminHTTP never leaves this machine's own network: no proxy from the
// environment, no redirect. There is no time limit on a whole answer, which may
// be a backup: copying a large store takes minutes before the first byte.
func adminHTTP() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy: nil, DisableKeepAlives: true,
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			ResponseHeaderTimeout: 10 * time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// do sends a request and returns the body of its 200. The error is
// errNotRunning, or says what an operator can do about it. The caller closes
// the body.
func (c *adminClient) do(ctx context.Context, method, path string) (io.ReadCloser, error) {
	token, tokenErr := c.token()
	if errors.Is(tokenErr, errNotRunning) {
		return nil, errNotRunning
	}
	if tokenErr != nil {
		// Whether somebody is there comes first: if not, no token is needed.
		path, method = "/healthz", http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+c.address+path, nil)
	if err != nil {
		return nil, err
	}
	if tokenErr == nil {
		req.Header.Set("Authorization", "Bearer "+token.Reveal())
	}
	res, err := c.http.Do(req)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, errNotRunning
	case err != nil:
		return nil, hinted{fmt.Errorf("no answer from the admin listener: %w", err), "its log may say more"}
	case tokenErr == nil && res.StatusCode == http.StatusOK:
		return res.Body, nil
	}
	defer func() { _ = res.Body.Close() }()
	if tokenErr != nil {
		return nil, tokenErr
	}
	return nil, c.refusal(res)
}

// token returns the token for a server that can be ours: ours has the store open.
// While none has, any user of this machine may be who listens, and gets no token
// (errNotRunning). Where nobody can tell, it is asked all the same.
func (c *adminClient) token() (session.Secret, error) {
	locked, err := bolt.Locked(c.store)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", hinted{fmt.Errorf("something listens at admin.listen (%s), but there is no store %s", c.address, c.store),
			"is this the configuration that it was started with? If it is not Cloakroom, admin.listen is taken: name another address"}
	case err == nil && !locked:
		return "", errNotRunning
	}
	token, err := readAdminToken(c.tokenFile)
	if err != nil {
		return "", c.tokenTrouble(err)
	}
	return token, nil
}

// unanswered is err of a command that went without a server, as nobody answered:
// a store that is locked nevertheless wants another explanation.
func (c *adminClient) unanswered(err error) error {
	if !errors.Is(err, bolt.ErrLocked) {
		return err
	}
	return hinted{fmt.Errorf("a process has %s open, but nothing listens at admin.listen (%s)", c.store, c.address),
		"is this the configuration that it was started with, or is it just starting or stopping?"}
}

// tokenTrouble says why a server that runs can't be asked.
func (c *adminClient) tokenTrouble(err error) error {
	hint := "it must be the file with which the server was started"
	switch {
	case errors.Is(err, os.ErrPermission):
		hint = "run this as the user that the server runs as, or as root"
	case errors.Is(err, os.ErrNotExist):
		hint = "is this the configuration that the server was started with? It made the file at its start"
	}
	return hinted{fmt.Errorf("the server runs, but admin.token_file (%s) can't be used: %w", c.tokenFile, err), hint}
}

// refusal says what an answer that is not 200 means.
func (c *adminClient) refusal(res *http.Response) error {
	var p adminProblem
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	ours := kind == "application/problem+json" && json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(&p) == nil
	switch {
	case ours && p.Code == "admin_token":
		return hinted{fmt.Errorf("the server refuses the token in %s", c.tokenFile),
			"is this the configuration that it was started with? It reads the token at its start"}
	case ours:
		return fmt.Errorf("the server answers: %s (%s)", p.Title, p.Detail)
	}
	return hinted{fmt.Errorf("what listens at admin.listen (%s) answers %d", c.address, res.StatusCode),
		"is it Cloakroom, in this version, with this configuration?"}
}

// get reads the JSON answer of GET path into out.
func (c *adminClient) get(ctx context.Context, path string, out any) error {
	body, err := c.do(ctx, http.MethodGet, path)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	if err := json.NewDecoder(io.LimitReader(body, maxAdminAnswer)).Decode(out); err != nil {
		return fmt.Errorf("the server's answer can't be read: %w", err)
	}
	return nil
}

// listKeys answers GET /keys.
func (a *app) listKeys(w http.ResponseWriter, r *http.Request) {
	uses, err := a.manager.Inventory(r.Context())
	if err != nil {
		adminFailed(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(keyInventory{Absolute: a.cfg.Session.Absolute, Keys: uses})
}

// keyInventory is the body of GET /keys.
type keyInventory struct {
	Absolute time.Duration    `json:"absolute"` // session.absolute, in ns
	Keys     []session.KeyUse `json:"keys"`
}
