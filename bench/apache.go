package main

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/bench/stand"
	"github.com/cloakroom/cloakroom/internal/demo"
)

const apacheModules = "/usr/lib/apache2/modules/"

// apacheConfig is Apache as a Backend-for-Frontend: sessions and tokens in shared
// memory, no cookie and the access token to the upstream.
const apacheConfig = `ServerRoot DIR
ServerName 127.0.0.1
PidFile DIR/apache.pid
Listen ADDRESS
User www-data
Group www-data
ErrorLog DIR/error.log
LogLevel warn
LoadModule mpm_event_module MODULESmod_mpm_event.so
LoadModule authn_core_module MODULESmod_authn_core.so
LoadModule authz_core_module MODULESmod_authz_core.so
LoadModule authz_user_module MODULESmod_authz_user.so
LoadModule headers_module MODULESmod_headers.so
LoadModule proxy_module MODULESmod_proxy.so
LoadModule proxy_http_module MODULESmod_proxy_http.so
LoadModule auth_openidc_module MODULESmod_auth_openidc.so
ServerLimit 1
StartServers 1
ThreadLimit 576
ThreadsPerChild 576
MaxRequestWorkers 576
MinSpareThreads 1
MaxSpareThreads 576
KeepAlive On
KeepAliveTimeout 600
MaxKeepAliveRequests 0
MaxConnectionsPerChild 0
Timeout 600
OIDCProviderIssuer ISSUER
OIDCProviderAuthorizationEndpoint ISSUER/authorize
OIDCProviderTokenEndpoint ISSUER/token
OIDCProviderTokenEndpointAuth client_secret_basic
OIDCProviderJwksUri ISSUER/jwks
OIDCSSLValidateServer Off
OIDCClientID bench
OIDCClientSecret SECRET
OIDCRedirectURI SCHEME://ADDRESS/api/callback
OIDCScope openid
OIDCPKCEMethod S256
OIDCCryptoPassphrase SECRET
OIDCSessionType server-cache
OIDCCacheType shm
OIDCSessionInactivityTimeout 1800
OIDCPassClaimsAs environment
TLS
<Location />
  AuthType openid-connect
  Require valid-user
  RequestHeader unset Cookie
  RequestHeader set Authorization "Bearer %{OIDC_access_token}e" env=OIDC_access_token
</Location>
ProxyPass /api/callback !
ProxyPass /ws/ http://STREAMS/ws/ upgrade=websocket
ProxyPass /api/ http://UPSTREAM/api/ keepalive=On
`

const apacheTLS = `LoadModule ssl_module MODULESmod_ssl.so
LoadModule http2_module MODULESmod_http2.so
SSLEngine on
SSLCertificateFile CERT
SSLCertificateKeyFile KEY
Protocols h2 http/1.1`

// modAuthOpenIDC is the contender: Debian's Apache with mod_auth_openidc, and a user
// who signed in at a provider of its own.
func modAuthOpenIDC(r *rig, c *contender, s setup) error {
	path, err := program("apache2", "apache2")
	if err != nil {
		return err
	}
	if _, err := os.Stat(apacheModules + "mod_auth_openidc.so"); err != nil {
		return missing{"libapache2-mod-auth-openidc"}
	}
	dir := filepath.Join(r.dir, c.key+s.name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	secret, scheme, tls := rand.Text(), "http", ""
	if s.tls {
		scheme, tls = "https", apacheTLS
	}
	provider, err := tlsProvider(r.certificate, demo.Client{ID: "bench", Secret: secret, RedirectURIs: []string{c.url + "/api/callback"}})
	if err != nil {
		return err
	}
	c.alsoClose = provider.close
	config := strings.ReplaceAll(apacheConfig, "TLS", tls)
	config = strings.NewReplacer("DIR", dir, "ADDRESS", c.address, "MODULES", apacheModules, "ISSUER", provider.Issuer(), "SECRET", secret,
		"SCHEME", scheme, "UPSTREAM", r.upstream, "STREAMS", r.streams, "CERT", r.certificate.CertFile, "KEY", r.certificate.KeyFile).Replace(config)
	file := filepath.Join(dir, "apache.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return err
	}
	c.process, err = stand.Start(stand.Command{Path: path, Args: []string{"-f", file, "-DFOREGROUND"}, Core: s.core, Address: c.address})
	if err != nil {
		return err
	}
	cookie, err := provider.signIn(r.certificate.Client(), c.url)
	c.cookies = []string{cookie}
	return err
}

// provider speaks TLS, which mod_auth_openidc insists on.
type provider struct {
	*demo.Provider
	server *http.Server
}

func tlsProvider(certificate *stand.Certificate, client demo.Client) (*provider, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p, err := demo.NewProvider(demo.ProviderConfig{Issuer: "https://" + l.Addr().String(), Clients: []demo.Client{client}, AccessTTL: 2 * time.Hour})
	if err != nil {
		return nil, err
	}
	s := &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
	// It returns when close is called; no other end is of interest here.
	go func() { _ = s.ServeTLS(l, certificate.CertFile, certificate.KeyFile) }()
	return &provider{p, s}, nil
}

func (p *provider) close() { _ = p.server.Close() }

// signIn opens a page of the app as a new browser, goes through the sign-in, and
// returns the session's cookie.
func (p *provider) signIn(browser *http.Client, app string) (string, error) {
	var err error
	if browser.Jar, err = cookiejar.New(nil); err != nil {
		return "", err
	}
	back, err := p.SignIn(browser, app+"/api/x", "alice")
	if err != nil {
		return "", err
	}
	resp, err := browser.Get(back.String())
	if err != nil {
		return "", err
	}
	_ = resp.Body.Close()
	u, err := url.Parse(app)
	if err != nil {
		return "", err
	}
	for _, cookie := range browser.Jar.Cookies(u) {
		if cookie.Name == "mod_auth_openidc_session" {
			return cookie.Name + "=" + cookie.Value, nil
		}
	}
	return "", fmt.Errorf("mod_auth_openidc set no session cookie; the callback led to %s", cmp.Or(resp.Status, "nowhere"))
}
