package oidc_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// B8, N6: what the browser may know, and where that comes from.
func TestClaims(t *testing.T) {
	bare := demo.Fault{EditIDToken: func(c map[string]any) {
		for _, name := range []string{"name", "preferred_username", "picture", "email", "email_verified"} {
			delete(c, name)
		}
	}}
	tests := []struct {
		name   string
		allow  []string
		faults demo.Faults
		want   []string
		asked  int // UserInfo calls
	}{
		{"default list", nil, demo.Faults{}, []string{"email", "email_verified", "name", "picture", "preferred_username", "sub"}, 0},
		{"by configuration", []string{"sub", "acr"}, demo.Faults{}, []string{"acr", "sub"}, 0},
		{"from UserInfo", nil, demo.Faults{Code: bare}, []string{"email", "email_verified", "name", "picture", "preferred_username", "sub"}, 1},
		{"UserInfo of another user", nil, demo.Faults{Code: bare, UserInfo: demo.Fault{Subject: "u-1002"}}, []string{"sub"}, 1},
		{"UserInfo of nobody", nil, demo.Faults{Code: bare, UserInfo: demo.Fault{EditUserInfo: func(m map[string]any) { delete(m, "sub") }}}, []string{"sub"}, 1},
		{"UserInfo down", nil, demo.Faults{Code: bare, UserInfo: demo.Fault{Reply: demo.JSONReply(503, "")}}, []string{"sub"}, 1},
		{"UserInfo without end", nil, demo.Faults{Code: bare, UserInfo: demo.Fault{Reply: &demo.Reply{Body: []byte("{"), Fill: 1 << 30}}}, []string{"sub"}, 1},
		{"a claim nobody has", []string{"sub", "shoe_size"}, demo.Faults{}, []string{"sub"}, 1},
		{"a huge claim", []string{"sub", "name"}, demo.Faults{Code: set("name", strings.Repeat("x", 5000))}, []string{"sub"}, 0},
		{"a claim only UserInfo has", []string{"sub", "name"}, demo.Faults{Code: set("name", nil)}, []string{"name", "sub"}, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, func(_ *demo.ProviderConfig, cfg *oidc.Config) { cfg.Claims = tt.allow })
			b.idp.SetFaults(tt.faults)
			s := b.signIn()
			if got := slices.Sorted(maps.Keys(claimsOf(t, s))); !slices.Equal(got, tt.want) {
				t.Errorf("claims = %v, want %v", got, tt.want)
			}
			if s.Subject != "u-1001" {
				t.Errorf("subject = %s, want the ID token's", s.Subject)
			}
			if n := len(b.idp.Calls("userinfo")); n != tt.asked {
				t.Errorf("UserInfo calls = %d, want %d", n, tt.asked)
			}
			b.noSecrets("claims", string(s.Claims))
			b.noSecrets("log", b.log.String())
		})
	}
}
