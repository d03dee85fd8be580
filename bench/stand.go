package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// stand is everything that runs: provider, upstream and the contenders, the
// bare proxy first.
type stand struct {
	dir        string
	provider   *demo.Server
	upstream   *process
	contenders []*contender
}

func newStand() (_ *stand, err error) {
	s := &stand{}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.dir, err = os.MkdirTemp("", "cloakroom-bench-"); err != nil {
		return nil, err
	}
	addresses := make([]string, 4) // upstream, bare, cloakroom, its admin listener
	for i := range addresses {
		if addresses[i], err = freeAddress(); err != nil {
			return nil, err
		}
	}
	if s.upstream, err = start("1", addresses[0], self(), "-role", "upstream", "-listen", addresses[0]); err != nil {
		return nil, err
	}
	bare, err := start("0", addresses[1], self(), "-role", "bare", "-listen", addresses[1], "-target", "http://"+addresses[0])
	if err != nil {
		return nil, err
	}
	s.contenders = append(s.contenders, &contender{
		name: "bare ReverseProxy", process: bare, address: addresses[1],
		request: []byte("GET /api/x HTTP/1.1\r\nHost: " + addresses[1] + "\r\nAccept: application/json\r\n\r\n"),
	})
	ours, err := s.cloakroom(addresses[0], addresses[2], addresses[3])
	if err != nil {
		return nil, err
	}
	s.contenders = append(s.contenders, ours)
	return s, nil
}

// cloakroom builds and starts the real binary, and signs a user in.
func (s *stand) cloakroom(upstream, address, admin string) (*contender, error) {
	secret := rand.Text()
	app := "http://" + address
	var err error
	s.provider, err = demo.StartProvider(demo.ProviderConfig{AccessTTL: time.Hour, Clients: []demo.Client{{
		ID: "bench", Secret: secret, RedirectURIs: []string{app + "/bff/callback"},
	}}})
	if err != nil {
		return nil, err
	}
	binary, config := filepath.Join(s.dir, "cloakroom"), filepath.Join(s.dir, "config.yaml")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "./cmd/cloakroom")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, out)
	}
	yaml := strings.NewReplacer("ADDRESS", address, "ADMIN", admin, "ISSUER", s.provider.URL, "SECRET", secret, "UPSTREAM", upstream).Replace(
		`listen: ADDRESS
public_url: http://ADDRESS
admin: {listen: "ADMIN"}
log: {level: warn}
providers:
  - {name: bench, issuer: "ISSUER", client_id: bench, client_secret: "SECRET"}
routes:
  - {path: /api/, upstream: "http://UPSTREAM"}
`)
	if err := os.WriteFile(config, []byte(yaml), 0o600); err != nil {
		return nil, err
	}
	p, err := start("0", address, binary, "serve", "--config", config)
	if err != nil {
		return nil, err
	}
	c := &contender{name: "Cloakroom, signed in", process: p, address: address}
	cookie, err := s.signIn(app)
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	c.request = []byte("GET /api/x HTTP/1.1\r\nHost: " + address + "\r\nAccept: application/json\r\n" +
		"Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\nCookie: " + cookie + "\r\n\r\n")
	return c, nil
}

// signIn goes through the whole sign-in and returns the session's cookie.
func (s *stand) signIn(app string) (string, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	browser := &http.Client{Jar: jar}
	back, err := s.provider.SignIn(browser, app+"/bff/login", "alice")
	if err != nil {
		return "", err
	}
	resp, err := browser.Get(back.String())
	if err != nil {
		return "", err
	}
	_ = resp.Body.Close()
	u, _ := url.Parse(app)
	for _, c := range jar.Cookies(u) {
		if c.Name == "cloakroom-session" {
			return c.Name + "=" + c.Value, nil
		}
	}
	return "", errors.New("signed in, but there is no session cookie")
}

func (s *stand) close() {
	for _, c := range s.contenders {
		_ = c.process.stop()
	}
	if s.upstream != nil {
		_ = s.upstream.stop()
	}
	if s.provider != nil {
		s.provider.Close()
	}
	_ = os.RemoveAll(s.dir)
}

// process is one child, bound to one core.
type process struct{ cmd *exec.Cmd }

// start runs a command on one core with one Go thread of execution and waits
// until something listens at address.
func start(core, address, name string, args ...string) (*process, error) {
	cmd := exec.Command("taskset", append([]string{"-c", core, name}, args...)...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd}
	for range 200 {
		if listens(address) {
			return p, nil
		}
		time.Sleep(25 * time.Millisecond)
	}
	return nil, errors.Join(fmt.Errorf("%s does not listen at %s", name, address), p.stop())
}

func (p *process) stop() error {
	err := p.cmd.Process.Signal(os.Interrupt)
	return errors.Join(err, p.cmd.Wait())
}

// cpu returns the CPU time that the process has used, user and system.
func (p *process) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The name, in brackets, may hold spaces: fields are counted behind it.
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil // USER_HZ is 100
}
