package proxy

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/cloakroom/cloakroom/session"
)

// A route is one Config made ready: everything that does not depend on the
// request is done.
type route struct {
	Config
	proxy *Proxy

	path  string // Path without the slash at its end; "" covers everything
	strip string // StripPrefix, likewise
	base  string // the upstream's path, likewise, as it is sent

	transport transport

	host       string // Host of what is sent upstream
	identity   []identityHeader
	cookies    map[string]bool
	setCookies map[string]bool

	template *http.Request // of what is sent upstream
}

func (p *Proxy) newRoute(c Config, shared transports) (*route, error) {
	c.setDefaults()
	rt := &route{
		Config: c, proxy: p,
		path: strings.TrimSuffix(c.Path, "/"), strip: strings.TrimSuffix(c.StripPrefix, "/"),
		base: strings.TrimSuffix(c.Upstream.EscapedPath(), "/"), host: c.Upstream.Host,
		identity: identityHeaders(c.Headers), cookies: set(c.Cookies...), setCookies: set(c.SetCookies...),
	}
	if c.Host == HostPublic {
		rt.host = p.opts.PublicURL.Host
	}
	rt.template = &http.Request{Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: rt.host}
	var err error
	if rt.transport, err = shared.get(way{c.Upstream.Scheme == "https", c.TLS}); err != nil {
		return nil, err
	}
	return rt, nil
}

// Route returns the route that covers r: the one with the longest path. Its
// handler is for requests that satisfy the demand, with the session, if there
// is one, in their context (session.NewContext). A nil handler means that no
// route covers r.
//
// What is matched is r.URL.EscapedPath(), and that is what is forwarded: the
// caller has refused paths that servers read in different ways. Host and an
// absolute-form target play no part.
func (p *Proxy) Route(r *http.Request) (session.Demand, http.Handler) {
	path := r.URL.EscapedPath()
	if !strings.HasPrefix(path, "/") {
		return session.Demand{}, nil
	}
	for _, rt := range p.routes {
		if covers(rt.path, path) {
			return rt.Demand, rt
		}
	}
	return session.Demand{}, nil
}

// covers reports whether path is prefix or below it. A prefix has no slash at
// its end.
func covers(prefix, path string) bool {
	return strings.HasPrefix(path, prefix) && (len(path) == len(prefix) || path[len(prefix)] == '/')
}

// target sets u to where a request for in goes. The path stands in Opaque
// because only that is sent byte for byte.
func (rt *route) target(u, in *url.URL) error {
	path := in.EscapedPath()[len(rt.strip):]
	if rt.base != "" {
		path = rt.base + path
	} else if path == "" {
		path = "/"
	}
	if strings.HasPrefix(path, "//") {
		return badRequest("the path would be read as a host")
	}
	for i := range len(in.RawQuery) {
		// Anything else goes through raw. These would end the target early.
		if c := in.RawQuery[i]; c <= ' ' || c == 0x7f || c == '#' {
			return badRequest("the query has a space, a control character or a fragment")
		}
	}
	u.Scheme, u.Host, u.Opaque = rt.Upstream.Scheme, rt.Upstream.Host, path
	u.RawQuery, u.ForceQuery = in.RawQuery, in.ForceQuery
	return nil
}

// location maps a redirect of the upstream to what the browser must follow to
// get there through this route. Redirects to other sites are left as they are;
// the browser follows them without a token. Nothing is returned for what leads
// elsewhere on the upstream, or nowhere a browser should go.
func (rt *route) location(from *url.URL, value string) string {
	at := url.URL{Scheme: from.Scheme, Host: from.Host}
	at.Path, _ = url.PathUnescape(from.Opaque)
	at.RawPath = from.Opaque
	u, err := at.Parse(value)
	if err != nil || u.Opaque != "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	asked := url.URL{Scheme: rt.Upstream.Scheme, Host: rt.host} // what its Host field says
	if to := origin(u); to != origin(rt.Upstream) && to != origin(&asked) {
		return u.String()
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	if !covers(rt.base, path) {
		return ""
	}
	public := url.URL{Opaque: rt.strip + path[len(rt.base):], RawQuery: u.RawQuery, Fragment: u.Fragment, RawFragment: u.RawFragment}
	if public.Opaque == "" {
		public.Opaque = "/"
	}
	if !covers(rt.path, public.Opaque) || strings.HasPrefix(public.Opaque, "//") || strings.Contains(public.Opaque, `\`) {
		return ""
	}
	return public.String()
}

// sortRoutes puts the longest path first, so that the first match is the one.
func sortRoutes(routes []*route) {
	slices.SortFunc(routes, func(a, b *route) int { return len(b.path) - len(a.path) })
}
