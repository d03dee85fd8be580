package web

import (
	"net/http"
	"net/netip"
	"strings"
)

// TrustedProxies returns a function that tells a request's client address: the
// peer's, or, if the peer is a trusted proxy, the last address in
// X-Forwarded-For that is none itself. What a client wrote there stands further
// left and is never believed (G8). The address is the zero Addr if the peer has
// none, which over TCP does not happen.
func TrustedProxies(trusted []netip.Prefix) func(*http.Request) netip.Addr {
	isTrusted := func(a netip.Addr) bool {
		for _, p := range trusted {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}
	return func(r *http.Request) netip.Addr {
		client, ok := address(r.RemoteAddr)
		if !ok || !isTrusted(client) {
			return client
		}
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for i := len(hops) - 1; i >= 0 && isTrusted(client); i-- {
			hop, ok := address(strings.TrimSpace(hops[i]))
			if !ok {
				break
			}
			client = hop
		}
		return client
	}
}

// peer returns the address at the other end of r's connection.
func peer(r *http.Request) netip.Addr {
	a, _ := address(r.RemoteAddr)
	return a
}

// address reads an address with a port, as a peer's is and some proxies write
// them, or without.
func address(text string) (netip.Addr, bool) {
	if with, err := netip.ParseAddrPort(text); err == nil {
		return with.Addr().Unmap(), true
	}
	a, err := netip.ParseAddr(text)
	return a.Unmap(), err == nil
}

// ClientIP returns the address of r's client as text; empty if it has none.
func (s *Server) ClientIP(r *http.Request) string {
	if a := s.Client(r); a.IsValid() {
		return a.String()
	}
	return ""
}
