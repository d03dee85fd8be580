package web

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// TrustedProxies returns a function that tells a request's client address: the
// peer's, or, if the peer is a trusted proxy, the last address in
// X-Forwarded-For that is none itself. What a client wrote there stands further
// left and is never believed (G8).
func TrustedProxies(trusted []netip.Prefix) func(*http.Request) string {
	isTrusted := func(a netip.Addr) bool {
		for _, p := range trusted {
			if p.Contains(a) {
				return true
			}
		}
		return false
	}
	return func(r *http.Request) string {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			host = r.RemoteAddr
		}
		if len(trusted) == 0 {
			return host
		}
		client, err := netip.ParseAddr(host)
		if err != nil {
			return host
		}
		client = client.Unmap()
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for i := len(hops) - 1; i >= 0 && isTrusted(client); i-- {
			text := strings.TrimSpace(hops[i])
			hop, err := netip.ParseAddr(text)
			if err != nil { // some proxies add the port
				var withPort netip.AddrPort
				if withPort, err = netip.ParseAddrPort(text); err != nil {
					break
				}
				hop = withPort.Addr()
			}
			client = hop.Unmap()
		}
		return client.String()
	}
}
