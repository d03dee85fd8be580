package oidc

import "testing"

// H4: an endpoint that is sent secrets stays where it was; one that is new, or
// was gone for a while, may only be where the issuer or the token endpoint is.
func TestMoved(t *testing.T) {
	const issuer, tokens, other, thief = "https://id.test/realm", "https://tokens.test/t", "https://other.test/x", "https://evil.test/x"
	at := func(token, revocation, userInfo string) *metadata {
		return &metadata{issuer: issuer, token: token, revocation: revocation, userInfo: userInfo}
	}
	tests := []struct {
		name     string
		from, to *metadata
		want     string
	}{
		{"all as it was", at(tokens, other, other), at(tokens, other, other), ""},
		{"other paths", at(tokens, other, other), at(tokens+"/2", other+"/2", other+"/2"), ""},
		{"token endpoint elsewhere", at(tokens, "", ""), at(thief, "", ""), "token_endpoint"},
		{"token endpoint to the issuer", at(tokens, "", ""), at(issuer, "", ""), "token_endpoint"},
		{"revocation elsewhere", at(tokens, other, ""), at(tokens, thief, ""), "revocation_endpoint"},
		{"userinfo elsewhere", at(tokens, "", other), at(tokens, "", thief), "userinfo_endpoint"},
		{"gone", at(tokens, other, other), at(tokens, "", ""), ""},
		{"new at the issuer", at(tokens, "", ""), at(tokens, issuer+"/r", issuer+"/u"), ""},
		{"new at the token endpoint", at(tokens, "", ""), at(tokens, tokens+"/r", tokens+"/u"), ""},
		{"new elsewhere", at(tokens, "", ""), at(tokens, thief, ""), "revocation_endpoint"},
		{"new userinfo elsewhere", at(tokens, "", ""), at(tokens, "", thief), "userinfo_endpoint"},
		{"another scheme", at(tokens, "", ""), at("http://tokens.test/t", "", ""), "token_endpoint"},
		{"another port", at(tokens, "", ""), at("https://tokens.test:8443/t", "", ""), "token_endpoint"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.from.moved(tt.to); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
