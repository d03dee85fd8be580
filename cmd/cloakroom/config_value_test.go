package main_test

import (
	"strings"
	"testing"
)

// TestConfigValues covers values that are not what their option takes.
func TestConfigValues(t *testing.T) {
	tests := []broken{
		{name: "a number where text should be", new: "listen: 8080\n",
			want: `10:1: listen: expected text, found a number or true/false; put it in quotes`},
		{name: "true in capitals and words", new: "    websocket: yes\n    activity: on\n",
			want: `
10:5: routes[0].websocket: must be true or false
11:5: routes[0].activity: must be true or false`},
		{name: "a duration without unit", new: "session: {idle: 30}\n",
			want: `10:11: session.idle: the unit is missing; write 30s, 5m or 12h`},
		{name: "a duration in words", new: "session: {idle: half an hour}\n",
			want: `10:11: session.idle: must be a duration, such as 30s, 5m or 1h30m`},
		{name: "a negative duration", new: "session: {idle: -30m}\n",
			want: `10:11: session.idle: must not be negative`},
		{name: "a size without unit", new: "limits: {body: 10, header: 32kb}\n",
			want: `
10:10: limits.body: must be a size, such as 32KiB or 10MiB
10:20: limits.header: must be a size, such as 32KiB or 10MiB`},
		{name: "a size beyond all bounds", new: "limits: {body: 9223372036854775807GiB}\n",
			want: `10:10: limits.body: must be a size, such as 32KiB or 10MiB`},
		{name: "a number with decimals", new: "limits: {streams_per_session: 1.5}\n",
			want: `10:10: limits.streams_per_session: must be a whole number, such as 20`},
		{name: "an octal number", new: "limits: {streams_per_session: 010}\n",
			want: `10:10: limits.streams_per_session: must be a whole number, such as 20`},
		{name: "a misspelt word", new: "login_from: same_site\n",
			want: `10:1: login_from: must be one of any, same-site, same-origin; did you mean "same-site"?`},
		{name: "no word at all", new: "log: {level: canary-7f3a9c}\n",
			want: `10:7: log.level: must be one of debug, info, warn, error`},
		{name: "an address without prefix", new: "trusted_proxies: [10.0.0.1]\n",
			want: `10:19: trusted_proxies[0]: the prefix length is missing; a single IPv4 address ends in /32, an IPv6 address in /128`},
		{name: "a network with host bits", new: "trusted_proxies: [10.0.0.1/8]\n",
			want: `10:19: trusted_proxies[0]: has bits set behind the first 8; write the network's own address, which ends in zeros`},
		{name: "no network", new: "trusted_proxies: [proxy.example]\n",
			want: `10:19: trusted_proxies[0]: must be a network, such as 10.0.0.0/8 or fd00::/8`},
		{name: "everybody is a proxy", new: "trusted_proxies: [0.0.0.0/0]\n",
			want: `10:19: trusted_proxies[0]: believes everybody; name the networks of your proxies`},
		{name: "everybody is a proxy, in two halves", new: "trusted_proxies: [0.0.0.0/1, 128.0.0.0/1]\n",
			want: `
10:19: trusted_proxies[0]: believes strangers; name the networks of your proxies, IPv4 with /8 or longer
10:30: trusted_proxies[1]: believes strangers; name the networks of your proxies, IPv4 with /8 or longer`},
		{name: "half of IPv6", new: "trusted_proxies: ['::/1', '2000::/15', 'f800::/6']\n",
			want: `
10:19: trusted_proxies[0]: believes strangers; name the networks of your proxies, IPv6 with /16 or longer
10:27: trusted_proxies[1]: believes strangers; name the networks of your proxies, IPv6 with /16 or longer
10:40: trusted_proxies[2]: believes strangers; name the networks of your proxies, IPv6 with /16 or longer`},
		{name: "IPv4 in IPv6", new: "trusted_proxies: ['::ffff:10.0.0.0/104', '::ffff:0.0.0.0/96']\n",
			want: `
10:19: trusted_proxies[0]: never matches, as addresses are compared in their IPv4 form; write 10.0.0.0/8
10:42: trusted_proxies[1]: believes everybody; name the networks of your proxies`},
		{name: "a variable that is not set", old: "canary-7f3a9c", new: "${NOT_SET}",
			want: `6:5: providers[0].client_secret: the environment variable NOT_SET is not set; set it, or write $${ for a plain ${`},
		{name: "a variable that is empty", old: "canary-7f3a9c", new: "${EMPTY}",
			want: `6:5: providers[0].client_secret: is empty; Cloakroom is never a public client`},
		{name: "a variable without end", old: "canary-7f3a9c", new: "${OIDC_CLIENT_SECRET",
			want: `6:5: providers[0].client_secret: ${ must be followed by an environment variable's name and }; write $${ for a plain ${`},
		{name: "a variable with a strange name", old: "canary-7f3a9c", new: "${A-B}",
			want: `6:5: providers[0].client_secret: ${ must be followed by an environment variable's name and }; write $${ for a plain ${`},
		{name: "a secret in the wrong place", new: "listen: ${LISTEN}\n",
			want: `10:1: listen: must be host:port, such as 127.0.0.1:8080 or :8080`},
		{name: "several at once, in the file's order", old: "issuer: https://id.example.com", new: "issuer: http://id.example.com\n    isuer: x\n    auth: none",
			want: `
4:5: providers[0].issuer: must be https; plain http is for localhost, 127.0.0.1 and [::1] only
5:5: providers[0].isuer: unknown key; did you mean "issuer"?
6:5: providers[0].auth: must be one of client_secret_basic, client_secret_post, private_key_jwt`},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}

// Networks without strangers in them are believed.
func TestTrustedProxiesAreTaken(t *testing.T) {
	dir := t.TempDir()
	networks := []string{"10.0.0.0/8", "127.0.0.1/32", "2001::/16", "::1/128", "fc00::/7", "fd00::/8", "fe80::/10"}
	write(t, dir, "config.yaml", minimal+"trusted_proxies: ['"+strings.Join(networks, "', '")+"']\n")
	if r := cloakroom(t, dir, "check"); r.code != 0 || r.stderr != "" {
		t.Errorf("check = exit %d, %q, want exit 0 and no complaint", r.code, r.stderr)
	}
}
