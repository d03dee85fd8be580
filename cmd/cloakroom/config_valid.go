package main

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// validate complains about everything in cfg that is well-formed but can't
// work or must not be. It only reads: it opens no file and changes nothing.
func validate(cfg *Config, c *complaints) {
	v := validator{cfg: cfg, complaints: c}
	v.addresses()
	v.publicURL()
	v.basePath()
	v.sessions()
	v.limits()
	v.providers()
	v.routes()
	v.nameless()
	v.spa()
}

type validator struct {
	cfg *Config
	*complaints
}

// ok reports whether key has a value worth a closer look; it complains if a
// required one is missing. An option with a problem already gets no second one.
func (v validator) ok(key string, empty bool, hint string) bool {
	if v.has(key) {
		return false
	}
	if empty && !v.meant[key] {
		v.errorf(key, "is missing; %s", hint)
	}
	return !empty
}

func (v validator) addresses() {
	cfg := v.cfg
	if v.ok("listen", cfg.Listen == "", "for example 127.0.0.1:8080") {
		if _, err := hostOf(cfg.Listen); err != nil {
			v.errorf("listen", "must be host:port, such as 127.0.0.1:8080 or :8080")
		}
	}
	if v.ok("admin.listen", cfg.Admin.Listen == "", "for example 127.0.0.1:9090") {
		host, err := hostOf(cfg.Admin.Listen)
		switch {
		case err != nil:
			v.errorf("admin.listen", "must be host:port, such as 127.0.0.1:9090")
		case !loopback(host):
			v.errorf("admin.listen", "must be a loopback address, such as 127.0.0.1:9090: it speaks plain HTTP, and health and metrics ask for no token")
		case cfg.Admin.Listen == cfg.Listen && !strings.HasSuffix(cfg.Listen, ":0"):
			v.errorf("admin.listen", "is the same as listen; take another port")
		}
	}
	if cfg.TLS.CertFile != "" && cfg.TLS.KeyFile == "" {
		v.errorf("tls.cert_file", "tls.key_file is missing; give both or neither")
	}
	if cfg.TLS.KeyFile != "" && cfg.TLS.CertFile == "" {
		v.errorf("tls.key_file", "tls.cert_file is missing; give both or neither")
	}
	for i, p := range cfg.TrustedProxies {
		if why := networkProblem(p); p.IsValid() && why != "" {
			v.errorf("trusted_proxies["+strconv.Itoa(i)+"]", "%s", why)
		}
	}
	if v.ok("keys_file", cfg.KeysFile == "", "for example data/keys") &&
		v.ok("store.bolt.path", cfg.Store.Bolt.Path == "", "for example data/sessions.db") &&
		cfg.KeysFile == cfg.Store.Bolt.Path {
		v.errorf("keys_file", "is the same file as store.bolt.path")
	}
	if v.ok("admin.token_file", cfg.Admin.TokenFile == "", "for example data/admin-token") {
		switch cfg.Admin.TokenFile {
		case cfg.KeysFile:
			v.errorf("admin.token_file", "is the same file as keys_file; name one of its own, such as data/admin-token")
		case cfg.Store.Bolt.Path:
			v.errorf("admin.token_file", "is the same file as store.bolt.path; name one of its own, such as data/admin-token")
		}
	}
}

// localNetworks are those in which there are no strangers, however short they are.
var localNetworks = []netip.Prefix{netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10")}

// networkProblem says why p should not be believed; empty if it may. A list of
// halves believes everybody just as /0 does.
func networkProblem(p netip.Prefix) string {
	bits := p.Bits()
	if p.Addr().Is4In6() {
		bits = max(bits-96, 0)
	}
	v4 := p.Addr().Unmap().Is4()
	local := slices.ContainsFunc(localNetworks, func(l netip.Prefix) bool { return bits >= l.Bits() && l.Contains(p.Addr()) })
	switch {
	case bits == 0:
		return "believes everybody; name the networks of your proxies"
	case v4 && bits < 8:
		return "believes strangers; name the networks of your proxies, IPv4 with /8 or longer"
	case !v4 && bits < 16 && !local:
		return "believes strangers; name the networks of your proxies, IPv6 with /16 or longer"
	case p.Addr().Is4In6():
		// The one value that is repeated: what was read as a network is no secret.
		return "never matches, as addresses are compared in their IPv4 form; write " + netip.PrefixFrom(p.Addr().Unmap(), bits).String()
	}
	return ""
}

func (v validator) publicURL() {
	const key = "public_url"
	u := v.cfg.PublicURL
	if !v.ok(key, u == nil, "give the origin browsers use, such as https://app.example.com") {
		return
	}
	switch {
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || (u.Path != "" && u.Path != "/"):
		v.errorf(key, "must be an origin, scheme and host only, such as https://app.example.com")
	case u.Scheme != "https" && u.Scheme != "http":
		v.errorf(key, "must begin with https://")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		v.errorf(key, "must be https; plain http is for localhost, 127.0.0.1 and [::1] only, because browsers then get cookies without Secure")
	case u.Scheme == "http" && v.cfg.TLS.Enabled():
		v.errorf(key, "is http, but tls is configured; write https")
	case u.Host != strings.ToLower(u.Host) || strings.ContainsFunc(u.Host, unprintable):
		v.errorf(key, "write the host as browsers send it: lower case, international names as xn--")
	case hostProblem(u) != "":
		v.errorf(key, "%s", hostProblem(u))
	case defaultPort(u):
		v.errorf(key, "leave the port out: browsers don't send the scheme's own one")
	}
}

// plainPath is a path that every server and browser reads in the same way:
// unreserved characters and single slashes.
var plainPath = regexp.MustCompile(`^(/[A-Za-z0-9_~.-]+)*/?$`)

// pathProblem says what is wrong with a configured path; empty if nothing is.
func pathProblem(path string) string {
	switch {
	case !strings.HasPrefix(path, "/"):
		return "must begin with /"
	case strings.Contains(path, "//"):
		return "has an empty segment (//)"
	case !plainPath.MatchString(path):
		return `may hold letters, digits, "-", ".", "_", "~" and "/" only: other characters have two spellings, and servers disagree about them`
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." {
			return "has a dot segment (/./ or /../)"
		}
	}
	return ""
}

func (v validator) basePath() {
	const key = "base_path"
	if !v.ok(key, v.cfg.BasePath == "", "for example /bff") {
		return
	}
	if why := pathProblem(v.cfg.BasePath); why != "" {
		v.errorf(key, "%s", why)
	} else if strings.HasSuffix(v.cfg.BasePath, "/") {
		v.errorf(key, "must not end with /; /bff is the usual one")
	}
}

var token = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$") // RFC 9110 5.6.2

func (v validator) sessions() {
	s := v.cfg.Session
	v.positive("session.idle", s.Idle)
	v.positive("session.absolute", s.Absolute)
	v.positive("session.renew_timeout", s.RenewTimeout)
	v.positive("shutdown_timeout", v.cfg.ShutdownTimeout)
	if s.Idle > s.Absolute && !v.has("session.absolute") && !v.has("session.idle") {
		v.errorf("session.idle", "is longer than session.absolute, so it would never end a session")
	}
	v.rotation(s)
	if s.RecentAuth != 0 && s.RecentAuth < leastAge && !v.has("session.recent_auth") {
		v.errorf("session.recent_auth", "must be 1m or longer, or 0s to ask nobody to sign in again")
	}
	name := s.Cookie.Name
	if v.ok("session.cookie.name", name == "", "for example session") {
		switch {
		case strings.HasPrefix(strings.ToLower(name), "__"):
			v.errorf("session.cookie.name", "leave the prefix __Host- out; it is put before every name")
		case !token.MatchString(name) || len(name) > 64:
			v.errorf("session.cookie.name", "must be a cookie name: at most 64 letters, digits, - and _")
		case strings.HasPrefix(strings.ToLower(name), "login-"), strings.EqualFold(name, "logout"):
			v.errorf("session.cookie.name", "is taken by the cookies of a sign-in or a logout under way; session is the usual one")
		}
	}
	switch age := s.Cookie.MaxAge; {
	case age%time.Second != 0:
		v.errorf("session.cookie.max_age", "must be whole seconds")
	case age > s.Absolute && !v.has("session.absolute"):
		v.errorf("session.cookie.max_age", "is longer than session.absolute: the cookie would outlive every session")
	}
}

// leastRotation is the shortest rotate_every. A new issue is confirmed a minute
// after it was made and retires the others half a minute later; that must be
// over before the next.
const leastRotation = 5 * time.Minute

func (v validator) rotation(s Session) {
	const key = "session.rotate_every"
	switch {
	case !v.at.set(key) || v.has(key):
	case s.RotateEvery < leastRotation:
		v.errorf(key, "must be 5m or longer: a browser needs that time to show that it kept the last one")
	case s.RotateEvery > s.Absolute && !v.has("session.absolute"):
		v.errorf(key, "is longer than session.absolute, so it would never happen; write a shorter one, such as 15m")
	}
}

func (v validator) positive(key string, d time.Duration) {
	if d <= 0 && !v.has(key) {
		v.errorf(key, "must be longer than 0s")
	}
}

// leastInMemory is the lowest sessions_in_memory: with fewer, every call would
// read its session from the store.
const leastInMemory = 100

func (v validator) limits() {
	l := v.cfg.Limits
	if (l.Header < 4<<10 || l.Header > 1<<20) && !v.has("limits.header") {
		v.errorf("limits.header", "must be between 4KiB and 1MiB")
	}
	if l.Body <= 0 && !v.has("limits.body") {
		v.errorf("limits.body", "must be more than 0B")
	}
	if l.StreamsPerSession < 1 && !v.has("limits.streams_per_session") {
		v.errorf("limits.streams_per_session", "must be 1 or more")
	}
	if l.EventStreams < 1 && !v.has("limits.event_streams") {
		v.errorf("limits.event_streams", "must be 1 or more")
	}
	if l.SessionsInMemory < leastInMemory && !v.has("limits.sessions_in_memory") {
		v.errorf("limits.sessions_in_memory", "must be %d or more: with fewer every call would read its session from the store", leastInMemory)
	}
}
