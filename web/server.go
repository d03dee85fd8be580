package web

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// Provider is one provider that users may sign in with.
type Provider struct {
	*oidc.Client
	DisplayName string
	Callback    string // path of its redirect URI
	PostLogout  string // where the browser ends after a logout: a path of ours or an https URL
}

// Config is what a Server is made from. All of it is required but HSTS, SPA, App,
// Pages, Client, Rates, Count and Now.
type Config struct {
	PublicURL *url.URL // the origin browsers use: scheme and host, nothing else
	BasePath  string   // of our endpoints, without a slash at its end
	Keys      *session.Keyring
	Cookie    CookieConfig
	LoginFrom LoginFrom
	Manager   *session.Manager
	Providers []Provider // at least one

	// Route finds the proxied route for a request whose path is in the strict
	// form: what it demands and the handler that forwards it; nil
	// when there is none. The handler finds the session in the request's context.
	Route func(*http.Request) (session.Demand, http.Handler)

	HSTS HSTS      // empty: HSTSHost
	SPA  fs.FS     // the application's files; nil: there are none
	App  AppConfig // how they are sent, or what a route with session.DocumentsApp sends

	Pages *Pages // what people see of us; nil: as they come

	// RecentAuth is how long ago a user may have authenticated (auth_time) to end other
	// sessions of theirs; 0: however long.
	RecentAuth time.Duration

	EventStreams int // open at a time, of all sessions; 0: no limit

	Client func(*http.Request) netip.Addr // nil: the peer's address
	Rates  Rates                          // zero: no limits
	Count  Counter                        // nil: nobody counts
	Log    *slog.Logger
	Now    func() time.Time // nil: time.Now
}

// LoginFrom says which sites may send a browser to sign in here.
type LoginFrom string

// The values of LoginFrom. A typed address or a bookmark always may.
const (
	LoginFromAny        LoginFrom = "any"
	LoginFromSameSite   LoginFrom = "same-site"
	LoginFromSameOrigin LoginFrom = "same-origin"
)

// Server answers everything that browsers ask. It is safe for concurrent use.
type Server struct {
	Config
	origin  string // of PublicURL
	host    string // of PublicURL, lower case, without a default port
	base    string
	secure  bool
	cookies *cookies
	limits  allowances
	untold  *untold
	unread  unread
	streams *streams
	echo    *echo.Echo
	files   *files
	app     app
	hsts    []string // Strict-Transport-Security; nil: none
	log     *slog.Logger
}

// New returns a Server for c.
func New(c Config) *Server {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Client == nil {
		c.Client = TrustedProxies(nil)
	}
	if c.Pages == nil {
		c.Pages = ownPages()
	}
	secure := c.PublicURL.Scheme == "https"
	s := &Server{
		Config: c, base: c.BasePath, secure: secure, log: c.Log,
		origin: c.PublicURL.Scheme + "://" + canonicalHost(c.PublicURL.Host, secure),
		host:   canonicalHost(c.PublicURL.Host, secure), cookies: newCookies(c.Cookie, c.Keys, secure),
		limits: newAllowances(c.Rates, c.Now), untold: newUntold(c.Now),
		unread: unread{bodies: map[*http.ResponseController]struct{}{}}, streams: newStreams(c.EventStreams),
		app: newApp(c.App),
	}
	if secure {
		s.hsts = hstsValues[cmp.Or(c.HSTS, HSTSHost)]
	}
	if c.Count == nil {
		s.Count = noCount{}
	}
	if c.SPA != nil {
		s.files = newFiles(c.SPA)
	}
	s.app.reporting(s.origin + s.base + "/csp-report")
	s.echo = s.endpoints()
	return s
}

// endpoints returns the routes under the base path. This is the whole map.
func (s *Server) endpoints() *echo.Echo {
	e := echo.New()
	e.HTTPErrorHandler = func(err error, c echo.Context) { s.fail(c.Response(), c.Request(), err) }

	b := e.Group(s.base)
	b.GET("/login", s.login)
	b.GET("/callback", s.callback, returning)
	b.GET("/callback/:provider", s.callback, returning)
	b.GET("/logout/callback", s.logoutCallback, returning)
	b.GET("/signed-in", s.signedIn, returning)
	b.GET("/signed-out", s.signedOut, returning)
	b.POST("/backchannel-logout/:provider", s.backchannelLogout)
	b.GET("/frontchannel-logout/:provider", s.frontchannelLogout)
	b.GET("/jwks", s.jwks)
	b.GET("/jwks/:provider", s.jwks)

	if s.App.Report {
		b.POST("/csp-report", s.cspReport)
	}

	b.GET("/user", s.user, s.guarded)
	b.GET("/session", s.session, s.guarded)
	b.POST("/session/renew", s.renew, s.guarded)
	b.GET("/events", s.events, s.guarded)
	b.GET("/sessions", s.devices, s.guarded)
	b.DELETE("/sessions", s.endOthers, s.guarded)
	b.DELETE("/sessions/:id", s.endDevice, s.guarded)
	b.POST("/logout", s.logout, s.guarded)
	return e
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.log.Enabled(r.Context(), slog.LevelDebug) {
		defer s.logRequest(r, s.Now())
	}
	s.commonHeaders(w.Header())
	defer s.recovered(w, r)
	if err := s.serve(w, r); err != nil {
		s.Fail(w, r, err)
	}
}

// logRequest leaves the query out: a callback's holds the code.
func (s *Server) logRequest(r *http.Request, started time.Time) {
	s.log.DebugContext(r.Context(), "request", "method", limit(r.Method), "path", limit(r.URL.Path),
		"client", s.ClientIP(r), "duration", s.Now().Sub(started))
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) error {
	if canonicalHost(r.Host, s.secure) != s.host {
		return because(errHost, fmt.Errorf("the request is for host %q, public_url says %q", limit(r.Host), s.host))
	}
	path, err := checkTarget(r)
	if err != nil {
		return err
	}
	if s.owns(path) {
		return s.own(w, r, func() error { s.echo.ServeHTTP(w, r); return nil })
	}
	if demand, route := s.Route(r); route != nil {
		if demand.Documents == session.DocumentsApp {
			return s.fromUpstream(w, r, path, route)
		}
		return s.proxied(w, r, demand, route)
	}
	if s.files == nil {
		return errNotFound
	}
	return s.own(w, r, func() error { return s.serveFile(w, r, path) })
}

// recovered turns a panic of a handler into a 500, as far as nothing was written
// yet, and logs where it happened: at a level that is on. What it says is left
// out, since it may be anything. http.ErrAbortHandler is no fault but the way to
// cut an answer off.
func (s *Server) recovered(w http.ResponseWriter, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler {
		panic(cause)
	}
	s.log.ErrorContext(r.Context(), "a handler panicked", "type", fmt.Sprintf("%T", cause), "stack", string(debug.Stack()))
	s.Fail(w, r, errInternal)
}

// owns reports whether path is under the base path, which no route and no file
// can shadow.
func (s *Server) owns(path string) bool {
	return path == s.base || strings.HasPrefix(path, s.base+"/")
}

// SetKeys makes k the keys of this server's cookies: new ones are sealed with
// its first, and those that any of its keys sealed are read. Requests under way
// are served with the one ring or the other.
func (s *Server) SetKeys(k *session.Keyring) {
	s.cookies.setKeys(k)
	s.limits.gone.Purge() // a key that is back opens what did not open
}

// OwnCookie reports whether a cookie of that name is one of ours.
func (s *Server) OwnCookie(name string) bool { return s.cookies.own(name) }

// commonHeaders go on every answer.
func (s *Server) commonHeaders(h http.Header) {
	if s.hsts != nil {
		h["Strict-Transport-Security"] = s.hsts
	}
	h["X-Content-Type-Options"] = nosniff
}

// HSTS says for which hosts browsers take https only, once they have been here
// (M4). With a PublicURL of http they are told nothing.
type HSTS string

// The values of HSTS.
const (
	HSTSHost       HSTS = "host"       // this one
	HSTSSubdomains HSTS = "subdomains" // and all below it
	HSTSPreload    HSTS = "preload"    // and browsers may know before they come here
)

// Values that every answer shares; nobody appends to them in place.
var (
	hstsValues = map[HSTS][]string{
		HSTSHost:       {"max-age=31536000"},
		HSTSSubdomains: {"max-age=31536000; includeSubDomains"},
		HSTSPreload:    {"max-age=63072000; includeSubDomains; preload"},
	}
	nosniff = []string{"nosniff"}
)

// canonicalHost lowers the case of a host and takes the scheme's default port
// off.
func canonicalHost(host string, secure bool) string {
	host = strings.ToLower(host)
	if secure {
		return strings.TrimSuffix(host, ":443")
	}
	return strings.TrimSuffix(host, ":80")
}

// resume returns the session whose ticket r presents, and that ticket. The
// session hears where the request came from, and may end because of it (E17).
func (s *Server) resume(r *http.Request) (*session.Session, session.Ticket, error) {
	t, ok := s.cookies.readTicket(r)
	if !ok {
		return nil, t, session.ErrNotFound // nothing was asked of the store
	}
	client := s.Client(r)
	if err := s.mayOpen(t, byAddress(client)); err != nil {
		return nil, t, err
	}
	resume := s.Manager.Resume
	if r.ContentLength != 0 {
		resume = s.Manager.ResumeBody
	}
	current, err := resume(r.Context(), t)
	if err == nil {
		err = current.From(session.UserContext{UserAgent: r.UserAgent(), Address: client})
	}
	if errors.Is(err, session.ErrNotFound) {
		s.opensNothing(t, byAddress(client))
	}
	return current, t, err
}

// newReference returns a random name for one answer, which is also in the log.
func newReference() string {
	var b [6]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// detached returns r's context for work that must end even if the browser
// leaves.
func detached(r *http.Request) context.Context { return context.WithoutCancel(r.Context()) }
