package web_test

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/cloakroom/cloakroom/web"
)

// The client's address is the peer's, unless the peer is a proxy of ours: then
// the last one that no proxy of ours is (G8).
func TestTrustedProxies(t *testing.T) {
	ours := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	tests := []struct {
		name    string
		trusted []netip.Prefix
		peer    string
		header  []string
		want    string
	}{
		{"no proxy", nil, "192.0.2.7:1234", nil, "192.0.2.7"},
		{"nobody is trusted", nil, "10.0.0.1:1234", []string{"198.51.100.9"}, "10.0.0.1"},
		{"a stranger claims", ours, "192.0.2.7:1234", []string{"198.51.100.9"}, "192.0.2.7"},
		{"our proxy says", ours, "10.0.0.1:1234", []string{"198.51.100.9"}, "198.51.100.9"},
		{"the client claimed before", ours, "10.0.0.1:1234", []string{"203.0.113.66, 198.51.100.9"}, "198.51.100.9"},
		{"two proxies", ours, "10.0.0.1:1234", []string{"203.0.113.66, 198.51.100.9, 10.9.9.9"}, "198.51.100.9"},
		{"in two fields", ours, "10.0.0.1:1234", []string{"203.0.113.66", "198.51.100.9"}, "198.51.100.9"},
		{"the client claims to be a proxy", ours, "10.0.0.1:1234", []string{"10.1.1.1, 198.51.100.9"}, "198.51.100.9"},
		{"only proxies", ours, "10.0.0.1:1234", []string{"10.1.1.1"}, "10.1.1.1"},
		{"our proxy says nothing", ours, "10.0.0.1:1234", nil, "10.0.0.1"},
		{"our proxy says nonsense", ours, "10.0.0.1:1234", []string{"198.51.100.9, unknown"}, "10.0.0.1"},
		{"our proxy says a line", ours, "10.0.0.1:1234", []string{"x\x1b[31m"}, "10.0.0.1"},
		{"IPv6", ours, "[fd00::1]:1234", []string{"2001:db8::9"}, "2001:db8::9"},
		{"IPv4 in IPv6", ours, "[::ffff:10.0.0.1]:1234", []string{"::ffff:198.51.100.9"}, "198.51.100.9"},
		{"with a port", ours, "10.0.0.1:1234", []string{"198.51.100.9:5678"}, "198.51.100.9"},
		{"IPv6 with a port", ours, "10.0.0.1:1234", []string{"[2001:db8::9]:5678"}, "2001:db8::9"},
		{"no port", nil, "192.0.2.7", nil, "192.0.2.7"},
		{"no address", ours, "@", []string{"198.51.100.9"}, "invalid IP"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: tt.peer, Header: http.Header{"X-Forwarded-For": tt.header}}
			if got := web.TrustedProxies(tt.trusted)(r).String(); got != tt.want {
				t.Errorf("client = %q, want %q", got, tt.want)
			}
		})
	}
}
