package stand

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// Options says what is special about a Cloakroom. The zero value is one with
// every default, except for the log's level, which is error.
type Options struct {
	Dir      string // where config, keys and store go; must exist
	Binary   string // from Build, or an older one
	Upstream string // host:port of the API behind /api/
	Streams  string // host:port of what is behind /ws/, where WebSockets may pass; empty: Upstream

	Core     string // this, MaxProcs and Nice as in Command
	MaxProcs int
	Nice     int
	TLS      *Certificate // nil: http

	// Provider is the provider to run, in this process. Its access tokens live an
	// hour if it doesn't say.
	Provider demo.ProviderConfig

	// YAML that is put in: keys of the one provider and of the route /api/, as in
	// ", renew: blocking", and top-level lines such as "limits: {body: 1MiB}".
	ProviderKeys, RouteKeys, Lines string
}

// Cloakroom is the real binary with a provider of its own.
type Cloakroom struct {
	*Process // nil before Start
	Provider *demo.Server
	URL      string // the public origin
	Address  string
	Admin    string // the address of the admin listener

	options Options
	config  string
	client  *http.Client
}

// Build builds Cloakroom as it is released, from the module around the current
// folder, and returns the binary's path.
func Build(dir string) (string, error) {
	binary, err := filepath.Abs(filepath.Join(dir, "cloakroom"))
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "github.com/cloakroom/cloakroom/cmd/cloakroom")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return binary, nil
}

// NewCloakroom starts the provider and writes the config. Close it when done.
func NewCloakroom(o Options) (*Cloakroom, error) {
	c := &Cloakroom{options: o, config: filepath.Join(o.Dir, "config.yaml")}
	var err error
	if c.Address, err = FreeAddress(); err != nil {
		return nil, err
	}
	if c.Admin, err = FreeAddress(); err != nil {
		return nil, err
	}
	c.URL = "http://" + c.Address
	c.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1024}}
	tlsLine := ""
	if o.TLS != nil {
		c.URL = "https://" + c.Address
		c.client = o.TLS.Client()
		tlsLine = fmt.Sprintf("tls: {cert_file: %q, key_file: %q}", o.TLS.CertFile, o.TLS.KeyFile)
	}
	secret := rand.Text()
	p := o.Provider
	p.Clients = append(p.Clients, demo.Client{ID: "bench", Secret: secret, RedirectURIs: []string{c.URL + "/bff/callback"}})
	if p.AccessTTL == 0 {
		p.AccessTTL = time.Hour
	}
	if c.Provider, err = demo.StartProvider(p); err != nil {
		return nil, err
	}
	yaml := strings.NewReplacer("URL", c.URL, "ADDRESS", c.Address, "ADMIN", c.Admin, "ISSUER", c.Provider.URL, "SECRET", secret,
		"UPSTREAM", o.Upstream, "STREAMS", cmp.Or(o.Streams, o.Upstream), "PROVIDERKEYS", o.ProviderKeys, "ROUTEKEYS", o.RouteKeys, "LINES", o.Lines, "TLS", tlsLine).Replace(
		`listen: ADDRESS
public_url: URL
admin: {listen: "ADMIN"}
log: {level: error}
providers:
  - {name: bench, issuer: "ISSUER", client_id: bench, client_secret: "SECRET"PROVIDERKEYS}
routes:
  - {path: /api/, upstream: "http://UPSTREAM"ROUTEKEYS}
  - {path: /ws/, upstream: "http://STREAMS", websocket: true}
TLS
LINES
`)
	if err := os.WriteFile(c.config, []byte(yaml), 0o600); err != nil {
		c.Provider.Close()
		return nil, err
	}
	return c, nil
}

// Start starts the binary and waits until it is ready. It may be started again
// after Stop or Kill, with the store as it is then.
func (c *Cloakroom) Start() error {
	p, err := Start(Command{
		Path: c.options.Binary, Args: []string{"serve", "--config", c.config},
		Core: c.options.Core, MaxProcs: c.options.MaxProcs, Nice: c.options.Nice, Address: c.Admin, Ready: c.ready,
	})
	if err != nil {
		return err
	}
	c.Process = p
	return nil
}

func (c *Cloakroom) ready() bool {
	resp, err := c.client.Get("http://" + c.Admin + "/readyz")
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// SignIn goes through the whole sign-in as a new browser and returns the
// session's cookie, as "name=value". Safe for concurrent use.
func (c *Cloakroom) SignIn(user string) (string, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	browser := &http.Client{Jar: jar, Transport: c.client.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	back, err := c.Provider.SignIn(browser, c.URL+"/bff/login", user)
	if err != nil {
		return "", err
	}
	resp, err := browser.Get(back.String())
	if err != nil {
		return "", err
	}
	_ = resp.Body.Close()
	name := "cloakroom-session"
	if c.options.TLS != nil {
		name = "__Host-session"
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return "", err
	}
	for _, cookie := range jar.Cookies(u) {
		if cookie.Name == name {
			return cookie.Name + "=" + cookie.Value, nil
		}
	}
	return "", fmt.Errorf("the callback answered %s without a session cookie", resp.Status)
}

// Close stops the binary and the provider. The folder stays.
func (c *Cloakroom) Close() error {
	err := c.Stop()
	c.Provider.Close()
	c.client.CloseIdleConnections()
	if err != nil {
		return errors.Join(errors.New("cloakroom"), err)
	}
	return nil
}
