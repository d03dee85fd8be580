package proxy

import (
	"cmp"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// The values of Config.Token.
const (
	TokenAccess = "access" // the access token
	TokenID     = "id"     // the ID token
	TokenNone   = "none"   // no Authorization at all
)

// The values of Config.Cache.
const (
	CachePrivate  = "private"  // Cache-Control: private, no-store, whatever upstream says
	CacheUpstream = "upstream" // as upstream says
)

// The values of Config.Host.
const (
	HostUpstream = "upstream" // the upstream's own
	HostPublic   = "public"   // that of Options.PublicURL
)

// Config is one route: a path and what is behind it.
type Config struct {
	// Path is what the route covers: itself and everything below it. A slash at
	// its end makes no difference: "/api/" and "/api" both cover "/api", "/api/"
	// and "/api/x", and never "/apix".
	Path string

	// Upstream is where the route leads: https or http, a host, and optionally a
	// base path, to which the request's path is appended.
	Upstream *url.URL

	// StripPrefix is taken off the path before it is appended to Upstream. It is
	// Path or one of its parents; empty takes nothing off.
	StripPrefix string

	// Demand is what the request must satisfy before it gets here. Empty Auth
	// is AuthRequired, empty Documents is DocumentsNone.
	Demand session.Demand

	// Token is which token goes upstream. Empty is TokenAccess.
	Token string

	// Methods are the methods that are forwarded, in upper case. TRACE and CONNECT
	// never are. Empty is GET, HEAD, POST, PUT, PATCH and DELETE.
	Methods []string

	// Timeout is how long the upstream may take to the first byte of its answer,
	// counted from the last byte of the request. The answer itself takes as long
	// as it takes. 0 is 30 s.
	Timeout time.Duration

	// MaxBody is the largest request body in bytes. 0 is 10 MiB, a negative value
	// is no limit.
	MaxBody int64

	// Cache says whether upstream's caching rules count. Empty is CachePrivate.
	Cache string

	// SetCookies and Cookies name the cookies that upstream may set and see. Own
	// cookies are refused here. Both are empty by default.
	SetCookies, Cookies []string

	// Headers are identity headers: a header's name to the claim it carries. They
	// are set from the session's claims and are never taken from a browser, on
	// any route. Strings, numbers and booleans are sent as they are, a list of
	// those as one list with commas. A claim that is missing, or whose value does
	// not fit a header unchanged (control characters, spaces at the ends, a comma
	// in a list), sends no header: an altered identity could be somebody else's.
	Headers map[string]string

	// Host is which Host the upstream sees. Empty is HostUpstream.
	Host string

	// TLS is for upstreams with https.
	TLS TLS
}

// TLS is how an upstream proves who it is. The zero value trusts the system's
// authorities and expects a certificate for the upstream's host.
type TLS struct {
	CAFile     string // PEM: the only authorities trusted for this upstream
	ServerName string // the name to expect instead of the host
}

// Options is what a Proxy is made from.
type Options struct {
	Routes []Config

	// PublicURL is the origin that browsers use. Required.
	PublicURL *url.URL

	// OwnCookie reports whether a cookie of that name is ours: it neither goes
	// upstream nor is set by one. Required.
	OwnCookie func(name string) bool

	// Fail answers a request that gets nothing from upstream. It is called at most
	// once, before anything else was written. Required.
	Fail func(http.ResponseWriter, *http.Request, error)

	// ClientIP is the address to tell upstream. Nil is the peer's.
	ClientIP func(*http.Request) string

	// BufferForReplay is the size up to which a request body is kept until
	// upstream has accepted the token, so that the call can be repeated with a
	// newer one. 0 is 64 KiB, a negative value keeps none.
	BufferForReplay int64

	// Log gets what happens after an answer has begun. Nil is slog.Default.
	Log *slog.Logger
}

func (o *Options) setDefaults() {
	if o.ClientIP == nil {
		o.ClientIP = peer
	}
	if o.BufferForReplay == 0 {
		o.BufferForReplay = 64 << 10
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
}

func (c *Config) setDefaults() {
	c.Demand.Auth = cmp.Or(c.Demand.Auth, session.AuthRequired)
	c.Demand.Documents = cmp.Or(c.Demand.Documents, session.DocumentsNone)
	c.Token = cmp.Or(c.Token, TokenAccess)
	c.Cache = cmp.Or(c.Cache, CachePrivate)
	c.Host = cmp.Or(c.Host, HostUpstream)
	if len(c.Methods) == 0 {
		c.Methods = []string{
			http.MethodGet, http.MethodHead, http.MethodPost,
			http.MethodPut, http.MethodPatch, http.MethodDelete,
		}
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.MaxBody == 0 {
		c.MaxBody = 10 << 20
	}
}
