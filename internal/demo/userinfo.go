package demo

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// discovery answers the provider's metadata (OpenID Connect Discovery, 3).
func (p *Provider) discovery(x *exchange) answer {
	at := func(path string) string { return p.cfg.Issuer + path }
	methods := []string{methodBasic, methodPost, methodJWT}
	algs := []string{"ES256", "RS256", "PS256", "EdDSA"}
	m := map[string]any{
		"issuer":                                                p.cfg.Issuer,
		"authorization_endpoint":                                at("/authorize"),
		"token_endpoint":                                        at("/token"),
		"jwks_uri":                                              at("/jwks"),
		"userinfo_endpoint":                                     at("/userinfo"),
		"revocation_endpoint":                                   at("/revoke"),
		"end_session_endpoint":                                  at("/logout"),
		"scopes_supported":                                      []string{"openid", "profile", "email", "offline_access"},
		"response_types_supported":                              []string{"code"},
		"response_modes_supported":                              []string{"query"},
		"grant_types_supported":                                 []string{grantCode, grantRefresh},
		"subject_types_supported":                               []string{"public"},
		"id_token_signing_alg_values_supported":                 []string{p.cfg.SigningAlg},
		"token_endpoint_auth_methods_supported":                 methods,
		"revocation_endpoint_auth_methods_supported":            methods,
		"token_endpoint_auth_signing_alg_values_supported":      algs,
		"revocation_endpoint_auth_signing_alg_values_supported": algs,
		"code_challenge_methods_supported":                      []string{"S256"},
		"prompt_values_supported":                               []string{"none", "login", "consent", "select_account"},
		"acr_values_supported":                                  []string{"1", "2"},
		"claims_supported":                                      []string{"sub", "name", "preferred_username", "picture", "groups", "email", "email_verified", "auth_time", "acr", "amr", "sid"},
		"claims_parameter_supported":                            false,
		"request_parameter_supported":                           false,
		"request_uri_parameter_supported":                       false,
		"authorization_response_iss_parameter_supported":        true,
		"backchannel_logout_supported":                          true,
		"backchannel_logout_session_supported":                  true,
		"frontchannel_logout_supported":                         true,
		"frontchannel_logout_session_supported":                 true,
	}
	if x.fault.EditMetadata != nil {
		x.fault.EditMetadata(m)
	}
	a := jsonAnswer(http.StatusOK, m)
	a.header.Set("Cache-Control", "max-age=60")
	return a
}

// userinfo answers who the access token stands for (OpenID Connect Core, 5.3).
func (p *Provider) userinfo(x *exchange) answer {
	p.mu.Lock()
	defer p.mu.Unlock()
	token, ok := bearer(x.r)
	x.call.TokenHash = Hash(token)
	claims, err := verify(p.keySet(), token, accessType)
	jti, _ := claims["jti"].(string)
	sub, _ := claims["sub"].(string)
	scope, _ := claims["scope"].(string)
	_, gone := p.revoked[jti]
	user, known := p.userBySubject(sub)
	if !ok || err != nil || expired(claims, p.now()) || gone || !known {
		a := x.refuse(oauthError{status: http.StatusUnauthorized, code: "invalid_token"})
		a.header.Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		return a
	}
	body := map[string]any{"sub": user.Subject}
	userClaims(body, user, scope)
	if x.fault.Subject != "" {
		body["sub"] = x.fault.Subject
	}
	if x.fault.EditUserInfo != nil {
		x.fault.EditUserInfo(body)
	}
	return jsonAnswer(http.StatusOK, body)
}

// bearer returns the token of the Authorization header (RFC 6750, 2.1).
func bearer(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != ""
}

func (p *Provider) userBySubject(sub string) (User, bool) {
	i := slices.IndexFunc(p.cfg.Users, func(u User) bool { return u.Subject == sub })
	if i < 0 {
		return User{}, false
	}
	return p.cfg.Users[i], true
}

// revoke ends a refresh token with its whole family, or an access token
// (RFC 7009). Tokens it does not know are answered like those it does.
func (p *Provider) revoke(x *exchange) answer {
	x.form = x.r.PostForm
	p.issue("assertion", x.form.Get("client_assertion"))
	p.mu.Lock()
	defer p.mu.Unlock()
	client, e := p.authenticate(x)
	if e.code != "" {
		return x.refuse(e)
	}
	token := x.form.Get("token")
	if token == "" {
		return x.refuse(oauthError{code: "invalid_request", description: "token is missing"})
	}
	if t, ok := p.refresh[token]; ok {
		if t.family.client != client.ID {
			return x.refuse(oauthError{code: "invalid_grant", description: "token of another client"})
		}
		t.family.dead = true
	} else if claims, err := verify(p.keySet(), token, accessType); err == nil && claims["client_id"] == client.ID {
		if jti, ok := claims["jti"].(string); ok {
			p.revoked[jti] = p.now().Add(p.cfg.AccessTTL + time.Minute)
		}
	}
	return answer{status: http.StatusOK, header: http.Header{"Cache-Control": {"no-store"}}}
}
