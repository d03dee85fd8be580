package main

import (
	"net/netip"
	"net/url"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// Config is what an operator decides. It is read once, by [LoadConfig], and
// never changed afterwards. Options are explained in config.yaml in the
// repository's root; a test keeps that file and these types together.
//
// Struct tags beside yaml: "enum" lists the words that are allowed, "path"
// marks a file name that is relative to the configuration file, "single" a list whose
// only entry may stand alone.
type Config struct {
	// Listen is where browsers, or the proxy in front, connect: host:port.
	Listen string `yaml:"listen"`

	// PublicURL is the origin browsers use. Cookies, redirect URIs and the
	// check of Origin follow from it, never from a request's header.
	PublicURL *url.URL `yaml:"public_url"`

	TLS TLS `yaml:"tls"`

	// HSTS says for which hosts browsers take https only (RFC 6797). It goes on every
	// answer, if PublicURL is https.
	HSTS string `yaml:"hsts" enum:"host,subdomains,preload"`

	// BasePath holds Cloakroom's own endpoints. No route may reach into it.
	BasePath string `yaml:"base_path"`

	// KeysFile holds the server keys, newest first.
	KeysFile string `yaml:"keys_file" path:"yes"`

	// TrustedProxies are the networks whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"`

	// LoginFrom says from which sites a link may start a sign-in.
	LoginFrom string `yaml:"login_from" enum:"any,same-site,same-origin"`

	Session   Session    `yaml:"session"`
	Store     Store      `yaml:"store"`
	Providers []Provider `yaml:"providers"`
	Routes    []Route    `yaml:"routes"`
	SPA       SPA        `yaml:"spa"`
	Pages     Pages      `yaml:"pages"`
	Limits    Limits     `yaml:"limits"`
	Admin     Admin      `yaml:"admin"`
	Log       Log        `yaml:"log"`

	// ShutdownTimeout is how long a stop waits for requests and token calls
	// that are under way.
	ShutdownTimeout time.Duration `yaml:"shutdown_timeout"`

	at places // where each option stands in the file, for later complaints
}

// TLS makes Cloakroom speak HTTPS itself. Both files or neither.
type TLS struct {
	CertFile string `yaml:"cert_file" path:"yes"`
	KeyFile  string `yaml:"key_file" path:"yes"`
}

// Enabled reports whether a certificate is configured.
func (t TLS) Enabled() bool { return t.CertFile != "" }

// Session bounds the life of a session and of its tokens.
type Session struct {
	// Idle ends a session this long after its last request.
	Idle time.Duration `yaml:"idle"`

	// Absolute ends a session this long after sign-in, however busy it is.
	Absolute time.Duration `yaml:"absolute"`

	// RotateEvery is how often the browser's ticket gets a new issue, by which a
	// copy of it is noticed. One that the file doesn't give is Absolute at most.
	RotateEvery time.Duration `yaml:"rotate_every"`

	// RenewBefore is how long before its end an access token is renewed in the
	// background; a third of the token's life at most. Each session lets its own
	// part of that pass, up to half.
	RenewBefore time.Duration `yaml:"renew_before"`

	// RenewTimeout is how long a request waits for a renewal it can't do
	// without, before it is answered with 503.
	RenewTimeout time.Duration `yaml:"renew_timeout"`

	// Bind says what it leads to that a ticket comes from another browser or
	// network than the one that signed in.
	Bind string `yaml:"bind" enum:"off,log,strict"`

	// MaxPerUser is how many sessions one user may have at a provider: the oldest
	// goes. 0 is no limit.
	MaxPerUser int `yaml:"max_per_user"`

	// RecentAuth is how long ago users may have authenticated to end other sessions of
	// theirs. 0 is however long.
	RecentAuth time.Duration `yaml:"recent_auth"`

	Cookie Cookie `yaml:"cookie"`
}

// Cookie is the session cookie's shape. Its prefix, Secure, HttpOnly and Path
// are not for configuration.
type Cookie struct {
	// Name is put behind the prefix __Host-.
	Name     string `yaml:"name"`
	SameSite string `yaml:"same_site" enum:"strict,lax"`

	// MaxAge lets the cookie outlive the browser; 0 is a cookie that doesn't.
	MaxAge time.Duration `yaml:"max_age"`
}

// Store says where sessions are kept.
type Store struct {
	Bolt Bolt `yaml:"bolt"`
}

// Bolt is the embedded store: one file, one process.
type Bolt struct {
	Path string `yaml:"path" path:"yes"`
}

// SPA is the single-page app's files, served on every path no route names: from
// a folder or from a server of their own, not both.
type SPA struct {
	// Dir is the folder of the built app; empty serves no files.
	Dir string `yaml:"dir" path:"yes"`

	// Upstream is the server that has the app's files: one for development, or a
	// container. It never sees the session.
	Upstream *url.URL `yaml:"upstream"`

	// CSP is the Content-Security-Policy of its pages; empty is a strict one.
	// {nonce} in it becomes a value of each page's own.
	CSP string `yaml:"csp"`

	// Headers are set on the app's pages and files; an empty value leaves one of
	// ours out.
	Headers map[string]string `yaml:"headers"`

	// Immutable are paths below which every file's name has a hash of its content.
	Immutable []string `yaml:"immutable"`

	// Gate shows the app's pages only to who is signed in, but for those that
	// Public covers.
	Gate   bool     `yaml:"gate"`
	Public []string `yaml:"public"`

	// CSPReport asks browsers to report what the policy made them block.
	CSPReport bool `yaml:"csp_report"`
}

// Served reports whether there is an app.
func (s SPA) Served() bool { return s.Dir != "" || s.Upstream != nil }

// Pages are what people see of Cloakroom itself.
type Pages struct {
	// Dir is a folder of style, logo, texts and templates that replace ours or are
	// added to them; empty: there are none.
	Dir string `yaml:"dir" path:"yes"`

	// Name is the application's, for people; empty: pages show none.
	Name string `yaml:"name"`
}

// Limits bounds what one request, one session, one address or all sessions may
// take.
type Limits struct {
	Header            Size `yaml:"header"`
	Body              Size `yaml:"body"`
	StreamsPerSession int  `yaml:"streams_per_session"`

	// EventStreams is how many pages may listen to /bff/events at a time, of all
	// sessions.
	EventStreams int `yaml:"event_streams"`

	// SessionsInMemory is how many sessions are held ready, about. The others are
	// read from the store when they are used.
	SessionsInMemory int `yaml:"sessions_in_memory"`

	Rates Rates `yaml:"rates"`
}

// Rates are events a minute, and as many at once; 0 is no limit. All but
// Renewals are counted per client address.
type Rates struct {
	SignIns        int `yaml:"sign_ins"`        // begun
	Callbacks      int `yaml:"callbacks"`       // and, counted apart, stray ones and refused logouts
	Renewals       int `yaml:"renewals"`        // asked for by the app, and lists of sessions, per session
	RefusedTickets int `yaml:"refused_tickets"` // that opened no session
	CSPReports     int `yaml:"csp_reports"`     // see SPA.CSPReport
}

// Admin is the listener for health checks and for operators. It must be a
// loopback address.
type Admin struct {
	Listen string `yaml:"listen"`

	// TokenFile holds the bearer token that everything but health and metrics
	// asks for.
	TokenFile string `yaml:"token_file" path:"yes"`
}

// Log says how much is logged, and in which form.
type Log struct {
	Level  string `yaml:"level" enum:"debug,info,warn,error"`
	Format string `yaml:"format" enum:"json,text"`
}

// Provider is one OpenID Provider and our registration there.
type Provider struct {
	Name        string `yaml:"name"`
	DisplayName string `yaml:"display_name"`
	Issuer      string `yaml:"issuer"`
	ClientID    string `yaml:"client_id"`

	// EndpointOrigins are where, beside the issuer's origin, the endpoints may be
	// that are sent secrets. Empty: wherever the metadata says at the start.
	EndpointOrigins []string `yaml:"endpoint_origins"`

	// ClientSecret holds the secret wherever it came from: after loading it
	// has the content of ClientSecretFile too.
	ClientSecret     session.Secret `yaml:"client_secret"`
	ClientSecretFile string         `yaml:"client_secret_file" path:"yes"`

	// Callback says whether the provider's name ends its redirect URI.
	Callback string `yaml:"callback" enum:"auto,plain,named"`

	// PrivateKeyFile signs the client assertions of private_key_jwt.
	PrivateKeyFile string `yaml:"private_key_file" path:"yes"`

	Auth   string            `yaml:"auth" enum:"client_secret_basic,client_secret_post,private_key_jwt"`
	Scopes []string          `yaml:"scopes"`
	Params map[string]string `yaml:"params"` // extra authorization parameters
	Claims []string          `yaml:"claims"` // what /bff/user shows; empty: the usual ones
	CAFile string            `yaml:"ca_file" path:"yes"`

	// TokenTimeout bounds one call to the provider.
	TokenTimeout time.Duration `yaml:"token_timeout"`

	// TrustedAudiences are accepted beside ClientID in an ID token's aud.
	TrustedAudiences []string `yaml:"trusted_audiences"`

	// Resource asks for access tokens for these resources (RFC 8707).
	Resource []string `yaml:"resource"`

	RefreshReuse RefreshReuse `yaml:"refresh_reuse"`

	// LogoutTyp is the typ that logout tokens must have: "logout+jwt", or any
	// that is not another kind's.
	LogoutTyp string `yaml:"logout_typ" enum:"required,any"`

	Revoke     string `yaml:"revoke" enum:"auto,refresh_token,none"`
	Renew      string `yaml:"renew" enum:"background,blocking"`
	LogoutHint string `yaml:"logout_hint" enum:"id_token,sub,none"`

	// PostLogout is where the user lands after logout: a path here, or an
	// https URL. One that the file doesn't give is our page under BasePath.
	PostLogout string `yaml:"post_logout"`
}

// RefreshReuse is what the provider does when a refresh token comes a second
// time: it decides when one whose use had no known end is sent again.
type RefreshReuse struct {
	Mode string `yaml:"mode" enum:"none,grace,same,count,unlimited"`

	// Window is how long after the first use the modes grace and same hold.
	Window time.Duration `yaml:"window"`
}
