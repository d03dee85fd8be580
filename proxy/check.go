package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/cloakroom/cloakroom/session"
)

// check reports everything that is wrong with o, not only the first thing.
func (o *Options) check() error {
	var errs []error
	if o.PublicURL == nil || o.PublicURL.Host == "" {
		errs = append(errs, errors.New("public URL: missing"))
	}
	if o.OwnCookie == nil || o.Fail == nil {
		errs = append(errs, errors.New("OwnCookie and Fail are required"))
		return errors.Join(errs...)
	}
	seen := make(map[string]bool)
	for _, c := range o.Routes {
		for _, err := range c.check(o.OwnCookie) {
			errs = append(errs, fmt.Errorf("route %q: %w", c.Path, err))
		}
		if p := strings.TrimSuffix(c.Path, "/"); seen[p] {
			errs = append(errs, fmt.Errorf("route %q: there is another one for the same path", c.Path))
		} else {
			seen[p] = true
		}
	}
	return errors.Join(errs...)
}

func (c *Config) check(own func(string) bool) []error {
	var errs []error
	if err := checkPath(c.Path); err != nil {
		errs = append(errs, fmt.Errorf("path: %w", err))
	}
	if err := checkUpstream(c.Upstream); err != nil {
		errs = append(errs, fmt.Errorf("upstream: %w", err))
	}
	if c.StripPrefix != "" {
		if err := checkPath(c.StripPrefix); err != nil {
			errs = append(errs, fmt.Errorf("strip_prefix: %w", err))
		} else if !covers(strings.TrimSuffix(c.StripPrefix, "/"), c.Path) {
			errs = append(errs, fmt.Errorf("strip_prefix: %q is not a parent of the path", c.StripPrefix))
		}
	}
	errs = append(errs, c.checkValues()...)
	for _, name := range slices.Concat(c.Cookies, c.SetCookies) {
		if name == "" || own(name) {
			errs = append(errs, fmt.Errorf("cookies: %q can't be shared with an upstream", name))
		}
	}
	for name, claim := range c.Headers {
		if err := checkIdentityHeader(name, claim); err != nil {
			errs = append(errs, fmt.Errorf("headers: %w", err))
		}
	}
	return errs
}

// checkValues checks what is one of a few words, or a number.
func (c *Config) checkValues() []error {
	var errs []error
	oneOf := func(key, value string, allowed ...string) {
		if value != "" && !slices.Contains(allowed, value) {
			errs = append(errs, fmt.Errorf("%s: %q is none of %s", key, value, strings.Join(allowed, ", ")))
		}
	}
	oneOf("auth", string(c.Demand.Auth), string(session.AuthRequired), string(session.AuthOptional), string(session.AuthNone))
	oneOf("documents", string(c.Demand.Documents),
		string(session.DocumentsNone), string(session.DocumentsAllow), string(session.DocumentsAttachment), string(session.DocumentsApp))
	oneOf("token", c.Token, TokenAccess, TokenID, TokenNone)
	oneOf("cache", c.Cache, CachePrivate, CacheUpstream)
	oneOf("host", c.Host, HostUpstream, HostPublic)
	if c.Timeout < 0 {
		errs = append(errs, fmt.Errorf("timeout: %v is negative", c.Timeout))
	}
	for _, m := range c.Methods {
		switch {
		case m == http.MethodTrace, m == http.MethodConnect:
			errs = append(errs, fmt.Errorf("methods: %s is never forwarded", m))
		case m == "" || strings.Trim(m, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "":
			errs = append(errs, fmt.Errorf("methods: %q is not a method in upper case", m))
		}
	}
	return errs
}

func checkUpstream(u *url.URL) error {
	switch {
	case u == nil:
		return errors.New("missing")
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("scheme %q is neither https nor http", u.Scheme)
	case u.Hostname() == "":
		return errors.New("has no host")
	case strings.Trim(u.Hostname(), ".-") == "" || strings.ContainsFunc(u.Hostname(), func(r rune) bool {
		return r > 0x7f || !isAlphanumeric(byte(r)) && !strings.ContainsRune("._:-", r)
	}):
		return fmt.Errorf("host %q has a character that no host name has", u.Hostname())
	case !ValidPort(u):
		return fmt.Errorf("port %q is not a number from 1 to 65535", u.Port())
	case u.User != nil, u.RawQuery != "", u.ForceQuery, u.Fragment != "", u.Opaque != "":
		return errors.New("may have a scheme, a host and a path, nothing else")
	case u.Path != "":
		return checkPath(u.EscapedPath())
	}
	return nil
}

// ValidPort reports whether u has no port or a possible one.
func ValidPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && n > 0
}

// checkPath accepts paths that every parser reads alike.
func checkPath(p string) error {
	if !strings.HasPrefix(p, "/") {
		return fmt.Errorf("%q does not begin with a slash", p)
	}
	for _, c := range []byte(p) {
		if !isAlphanumeric(c) && !strings.ContainsRune("-._~!$&'()*+,=:@/", rune(c)) {
			return fmt.Errorf("%q has a character that would need an escape, or means something to some servers", p)
		}
	}
	for i, segment := range strings.Split(p, "/") {
		last := i == strings.Count(p, "/")
		if segment == "." || segment == ".." || segment == "" && i > 0 && !last {
			return fmt.Errorf("%q has an empty or dot segment", p)
		}
	}
	return nil
}

func checkIdentityHeader(name, claim string) error {
	key := http.CanonicalHeaderKey(name)
	switch {
	case !plainName(name):
		return fmt.Errorf("%q: names have letters, digits and hyphens only", name)
	case claim == "":
		return fmt.Errorf("%q: names no claim", name)
	case reservedHeaders[key], strings.HasPrefix(key, "Proxy-"), strings.HasPrefix(key, "Content-"), strings.HasPrefix(key, "Sec-"):
		return fmt.Errorf("%q has a meaning of its own", name)
	}
	return nil
}
