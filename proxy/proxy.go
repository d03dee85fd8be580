package proxy

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
)

// Proxy forwards requests to upstreams. It is safe for concurrent use.
type Proxy struct {
	opts     Options
	routes   []*route        // longest path first
	identity map[string]bool // headers that carry a claim on any route
	shared   transports

	publicHost, publicProto []string
	forwardedTail           string // of a Forwarded field
	publicOrigin            string // as browsers write it

	closing   chan struct{}
	closeOnce sync.Once
}

// New returns a Proxy for o, or everything that is wrong with it, joined.
func New(o Options) (*Proxy, error) {
	o.setDefaults()
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	host, scheme := o.PublicURL.Host, o.PublicURL.Scheme
	p := &Proxy{
		opts: o, identity: map[string]bool{}, shared: transports{},
		publicHost: []string{host}, publicProto: []string{scheme}, publicOrigin: origin(o.PublicURL),
		forwardedTail: `;host="` + host + `";proto=` + scheme, closing: make(chan struct{}),
	}
	var errs []error
	for _, c := range o.Routes {
		rt, err := p.newRoute(c, p.shared)
		if err != nil {
			errs = append(errs, fmt.Errorf("proxy: route %q: %w", c.Path, err))
			continue
		}
		p.routes = append(p.routes, rt)
		for _, h := range rt.identity {
			p.identity[h.name] = true
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	sortRoutes(p.routes)
	return p, nil
}

// Close ends event streams and WebSockets, which would otherwise keep a server
// from shutting down, and closes idle connections. Finite answers under way are
// not cut, and requests are still served.
func (p *Proxy) Close() {
	p.closeOnce.Do(func() { close(p.closing) })
	p.shared.closeIdle()
}

// ServeHTTP forwards r, or hands the reason why not to Options.Fail.
func (rt *route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := rt.serve(w, r); err != nil {
		rt.proxy.opts.Fail(w, r, err)
	}
}

// serve returns an error only if nothing was written.
func (rt *route) serve(w http.ResponseWriter, r *http.Request) error {
	preflight := r.Method == http.MethodOptions && r.Header["Access-Control-Request-Method"] != nil
	if preflight || !slices.Contains(rt.Methods, r.Method) {
		return &Refusal{Status: http.StatusMethodNotAllowed, Code: CodeMethodNotAllowed, Allow: rt.Methods}
	}
	c := &call{route: rt, w: w, r: r}
	if r.Header["Upgrade"] != nil {
		if err := rt.checkHandshake(r); err != nil {
			return err
		}
		c.upgrade = true
	}
	if rt.MaxBody >= 0 && r.ContentLength > rt.MaxBody {
		return tooLarge()
	}
	if err := rt.target(&c.url, r.URL); err != nil {
		return err
	}
	if err := c.authorize(); err != nil {
		return err
	}
	return c.do()
}
