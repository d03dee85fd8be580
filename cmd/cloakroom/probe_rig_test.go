package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// probeSecret is the client's; nothing the probe prints may contain it (N1).
const probeSecret = "canary-5d1e77"

// hands is a clock that only pauses move.
type hands struct {
	mu sync.Mutex
	at time.Time
}

func (h *hands) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.at
}

func (h *hands) pause(ctx context.Context, d time.Duration) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.at = h.at.Add(d)
	return context.Cause(ctx)
}

// screen is what has been printed so far.
type screen struct {
	mu   sync.Mutex
	b    bytes.Buffer
	more chan struct{}
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
	return s.b.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// probing is one run of a probe at a provider of its own, and a browser.
type probing struct {
	*testing.T
	provider       *demo.Server
	clock          *hands
	config, origin string
	stdout, stderr *screen
	env            *environment
	stop           context.CancelFunc
	ended          chan error
	hc             *http.Client
	seen           []string // values of the cookies that the browser got
}

// newProbing prepares a probe of "main". The configuration names another
// provider first, so that main's callback is not the short one.
func newProbing(t *testing.T, provider demo.ProviderConfig) *probing {
	t.Helper()
	port := quietPort(t)
	p := &probing{
		T: t, clock: &hands{at: time.Now()}, origin: "http://localhost:" + port,
		stdout: &screen{more: make(chan struct{}, 1)}, stderr: &screen{more: make(chan struct{}, 1)},
		ended: make(chan error, 1),
	}
	provider.Now = p.clock.now
	provider.Clients = []demo.Client{{ID: "spa", Secret: probeSecret, RedirectURIs: []string{p.origin + "/bff/callback/main"}}}
	var err error
	if p.provider, err = demo.StartProvider(provider); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.provider.Close)
	p.config = filepath.Join(t.TempDir(), "config.yaml")
	p.write(fmt.Sprintf(`listen: 127.0.0.1:%s
public_url: %s
providers:
  - {name: other, issuer: "https://id.example.com", client_id: spa, client_secret: another-one}
  - name: main
    issuer: %[3]s
    client_id: spa
    client_secret: %[4]s
routes: [{path: /api/, upstream: "http://127.0.0.1:9"}]
`, port, p.origin, p.provider.URL, probeSecret))
	jar, _ := cookiejar.New(nil) // never fails without options
	p.hc = &http.Client{Jar: jar, Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ctx, stop := context.WithCancel(t.Context())
	p.stop = stop
	p.env = &environment{ctx: ctx, stdout: p.stdout, stderr: p.stderr, getenv: os.LookupEnv}
	return p
}

func quietPort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(26_000 + rand.N(4_000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			_ = l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

func (p *probing) write(config string) {
	p.Helper()
	if err := os.WriteFile(p.config, []byte(config), 0o600); err != nil {
		p.Fatal(err)
	}
}

// load reads the configuration, with more at the end of the provider main.
func (p *probing) load(more string) (*Config, error) {
	p.Helper()
	text, err := os.ReadFile(p.config)
	if err != nil {
		p.Fatal(err)
	}
	p.write(strings.Replace(string(text), "routes:", more+"routes:", 1))
	cfg, _, err := LoadConfig(p.config, os.LookupEnv)
	return cfg, err
}

// start runs the probe until it waits for somebody to sign in. edit may be nil.
func (p *probing) start(edit func(*probe)) {
	p.Helper()
	cfg, err := p.load("")
	if err != nil {
		p.Fatal(err)
	}
	run, err := newProbe(p.env, cfg, "main", time.Hour)
	if err != nil {
		p.Fatal(err)
	}
	run.pause = p.clock.pause
	if edit != nil {
		edit(run)
	}
	go func() { p.ended <- run.run() }()
	for !strings.Contains(p.stderr.String(), "Open "+p.origin+"/bff/login ") {
		select {
		case <-p.stderr.more:
		case err := <-p.ended:
			p.Fatalf("the probe ended: %v\n%s", err, p.stderr)
		}
	}
}

// get makes a request and returns the answer's status and body.
func (p *probing) get(address string) (int, string) {
	p.Helper()
	res, err := p.hc.Get(address)
	if err != nil {
		p.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// walk goes to the provider and signs in there, and returns the way back.
func (p *probing) walk() *url.URL {
	p.Helper()
	callback, err := p.provider.SignIn(p.hc, p.origin+"/bff/login", "alice")
	if err != nil {
		p.Fatal(err)
	}
	u, _ := url.Parse(p.origin)
	for _, c := range p.hc.Jar.Cookies(u) {
		p.seen = append(p.seen, c.Value)
	}
	return callback
}

// signIn signs alice in at the probe.
func (p *probing) signIn() {
	p.Helper()
	if status, body := p.get(p.walk().String()); status != http.StatusOK {
		p.Fatalf("the callback answers %d %s", status, body)
	}
}

// end waits for the probe's end, reports its result like the program does, and
// fails the test if anything secret was printed or is still good (N1).
func (p *probing) end() int {
	p.Helper()
	var err error
	select {
	case err = <-p.ended:
	case <-time.After(20 * time.Second):
		p.Fatalf("the probe does not end:\n%s", p.stderr)
	}
	code := report(p.env, err)
	said := p.stdout.String() + p.stderr.String()
	for _, secret := range p.provider.Secrets() {
		if secret.Value != "" && strings.Contains(said, secret.Value) {
			p.Errorf("it printed a %s", secret.Kind)
		}
	}
	for _, value := range append(p.seen, probeSecret) {
		if value != "" && strings.Contains(said, value) {
			p.Error("it printed a cookie, or the client secret")
		}
	}
	if n := p.provider.Live(""); n != 0 {
		p.Errorf("%d grants are still good, want them revoked", n)
	}
	return code
}

// healthy lets so many renewals pass before what goes wrong next.
func (p *probing) healthy(n int) {
	for range n {
		p.provider.FailNext("refresh", demo.Fault{})
	}
}
