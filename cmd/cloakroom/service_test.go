package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// site is all that surrounds a running Cloakroom: its folder, its addresses, a
// provider and an API. Processes may come and go in it.
type site struct {
	*testing.T
	dir, origin, admin string
	provider           *demo.Server
	api                *demo.API
}

func newSite(t *testing.T, provider demo.ProviderConfig) *site {
	t.Helper()
	public, admin := freePort(t), freePort(t)
	s := &site{T: t, dir: t.TempDir(), origin: "http://localhost:" + public, admin: "127.0.0.1:" + admin}
	provider.Clients = []demo.Client{{
		ID: "spa", Secret: canary, RedirectURIs: []string{s.origin + "/bff/callback"},
		PostLogoutRedirectURIs: []string{s.origin + "/bff/logout/callback"},
	}}
	var err error
	if s.provider, err = demo.StartProvider(provider); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.provider.Close)
	s.api = demo.NewAPI(demo.APIConfig{Issuer: s.provider.URL, Keys: s.provider.KeySet})
	api := httptest.NewServer(s.api)
	t.Cleanup(func() { api.CloseClientConnections(); api.Close() })
	write(t, s.dir, "dist/index.html", "<title>app</title>")
	write(t, s.dir, "config.yaml", fmt.Sprintf(`listen: 127.0.0.1:%s
public_url: %s
shutdown_timeout: 10s
session: {renew_timeout: 5s}
providers:
  - {name: main, issuer: "%s", client_id: spa, client_secret: %s, token_timeout: 5s}
routes:
  - {path: /api/, upstream: "%s", strip_prefix: /api}
spa: {dir: dist}
admin: {listen: "%s"}
log: {level: debug}
`, public, s.origin, s.provider.URL, canary, api.URL, s.admin))
	return s
}

// config returns the site's configuration with some texts replaced.
func (s *site) config(oldnew ...string) string {
	s.Helper()
	b, err := os.ReadFile(s.file("config.yaml"))
	if err != nil {
		s.Fatal(err)
	}
	return strings.NewReplacer(oldnew...).Replace(string(b))
}

// freePort returns a port of 127.0.0.1 that was free a moment ago. It is not
// one that the system gives to listeners on port 0 and to outgoing connections:
// the tests of other packages, which run beside, take those all the time. Nor is it
// one that this process was given before.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(20_000 + rand.N(6_000))
		if _, given := portsGiven.LoadOrStore(port, true); given {
			continue
		}
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

var portsGiven sync.Map // by freePort

// output is what a process has printed so far.
type output struct {
	mu      sync.Mutex
	b       bytes.Buffer
	changed chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.changed != nil {
		close(o.changed)
		o.changed = nil
	}
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// until waits until text stands in the output, or the process has ended.
func (o *output) until(text string, ended <-chan struct{}) bool {
	return o.untilTimes(text, 1, ended)
}

// untilTimes waits until text stands there so many times.
func (o *output) untilTimes(text string, n int, ended <-chan struct{}) bool {
	timeout := time.NewTimer(20 * time.Second)
	defer timeout.Stop()
	for {
		o.mu.Lock()
		if o.changed == nil {
			o.changed = make(chan struct{})
		}
		changed, found := o.changed, strings.Count(o.b.String(), text) >= n
		o.mu.Unlock()
		if found {
			return true
		}
		select {
		case <-changed:
		case <-ended:
			return strings.Count(o.String(), text) >= n
		case <-timeout.C:
			return false
		}
	}
}

// process is one run of the program.
type process struct {
	*site
	cmd            *exec.Cmd
	stdout, stderr *output
	ended          chan struct{} // closed at its end
}

// run starts the program in the site's folder.
func (s *site) run(args ...string) *process {
	s.Helper()
	p := &process{site: s, cmd: exec.Command(binary, args...), stdout: &output{}, stderr: &output{}, ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = s.dir, p.stdout, p.stderr
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + s.dir}
	if err := p.cmd.Start(); err != nil {
		s.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.ended) }()
	s.Cleanup(func() { p.kill(); p.checkLeaks() })
	return p
}

// serve starts Cloakroom and waits until it serves.
func (s *site) serve() *process {
	s.Helper()
	p := s.run("serve")
	if !p.stderr.until(`"msg":"serving"`, p.ended) {
		s.Fatalf("it does not serve:\n%s", p.stderr)
	}
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// stop sends SIGTERM.
func (p *process) stop() {
	p.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.Fatal(err)
	}
}

// wait waits for the end and returns the exit code.
func (p *process) wait() int {
	p.Helper()
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		p.Fatalf("it does not end:\n%s", p.stderr)
	}
	return p.cmd.ProcessState.ExitCode()
}

// checkLeaks fails the test if anything secret was printed, at debug level (N1).
func (p *process) checkLeaks() {
	text := p.stdout.String() + p.stderr.String()
	for _, secret := range p.provider.Secrets() {
		if strings.Contains(text, secret.Value) {
			p.Errorf("it printed a %s", secret.Kind)
		}
	}
	if strings.Contains(text, canary) {
		p.Error("it printed the client secret")
	}
	if token, err := os.ReadFile(p.file("data/admin-token")); err == nil && strings.Contains(text, strings.TrimSpace(string(token))) {
		p.Error("it printed the admin token")
	}
}

// user is somebody with a browser.
type user struct {
	*site
	hc *http.Client
}

func (s *site) user() *user {
	jar, _ := cookiejar.New(nil) // never fails without options
	return &user{s, &http.Client{
		Jar: jar, Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// send makes a request as a page of ours does, and returns the answer's status
// and body. The status is 0 if there was no answer.
func (u *user) send(method, path string, headers ...string) (int, string) {
	r, err := http.NewRequest(method, u.origin+path, nil)
	if err != nil {
		return 0, err.Error()
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", u.origin)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := u.hc.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(body)
}

// signIn signs the user in as alice.
func (u *user) signIn() {
	u.Helper()
	callback, err := u.provider.SignIn(u.hc, u.origin+"/bff/login", "alice")
	if err != nil {
		u.Fatal(err)
	}
	path := strings.TrimPrefix(callback.String(), u.origin)
	if status, body := u.send("GET", path, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"); status != http.StatusSeeOther {
		u.Fatalf("the callback answers %d %s", status, body)
	}
	if got := u.name(); got != "u-1001" {
		u.Fatalf("signed in as %q", got)
	}
}

// name returns the sub that /bff/user names, "" for nobody.
func (u *user) name() string {
	var body struct{ Sub string }
	status, text := u.send("GET", "/bff/user")
	if err := json.Unmarshal([]byte(text), &body); err != nil || status != http.StatusOK {
		return ""
	}
	return body.Sub
}

// raw sends bytes to the public listener and returns the answer's first line.
func (s *site) raw(request string) string {
	s.Helper()
	c, err := net.Dial("tcp", strings.Replace(strings.TrimPrefix(s.origin, "http://"), "localhost", "127.0.0.1", 1))
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = c.Write([]byte(request))
	line, _ := bufio.NewReader(c).ReadString('\n')
	return line
}

// ask asks the admin listener.
func (s *site) ask(path string, edit func(*http.Request)) (int, string) {
	s.Helper()
	r, err := http.NewRequest("GET", "http://"+s.admin+path, nil)
	if err != nil {
		s.Fatal(err)
	}
	if edit != nil {
		edit(r)
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		s.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil && !errors.Is(err, io.EOF) {
		s.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// token is the admin listener's.
func (s *site) token() string {
	s.Helper()
	b, err := os.ReadFile(s.file("data/admin-token"))
	if err != nil {
		s.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// file is a path in the site's folder.
func (s *site) file(name string) string { return filepath.Join(s.dir, name) }
