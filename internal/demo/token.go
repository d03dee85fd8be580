package demo

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
)

// token is the token endpoint (RFC 6749, 3.2).
func (p *Provider) token(x *exchange) answer {
	x.form = x.r.PostForm // nothing counts that stood in the URL
	p.issue("verifier", x.form.Get("code_verifier"))
	p.issue("assertion", x.form.Get("client_assertion"))
	for name, values := range x.form {
		if len(values) > 1 && name != "resource" {
			return x.refuse(oauthError{code: "invalid_request", description: name + " is given twice"})
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep()
	client, e := p.authenticate(x)
	if e.code != "" {
		return x.refuse(e)
	}
	switch x.form.Get("grant_type") {
	case grantCode:
		return p.redeem(x, client)
	case grantRefresh:
		return p.renew(x, client)
	}
	return x.refuse(oauthError{code: "unsupported_grant_type"})
}

// redeem exchanges a code. A code that comes twice takes everything with it
// that was issued for it (RFC 6749, 4.1.2).
func (p *Provider) redeem(x *exchange, client Client) answer {
	value := x.form.Get("code")
	c, ok := p.codes[value]
	invalid := func(why string) answer {
		return x.refuse(oauthError{code: "invalid_grant", description: why})
	}
	switch {
	case !ok:
		return invalid("unknown code")
	case c.redeemed:
		c.family.dead = true
		return invalid("code was used before")
	}
	c.redeemed = true
	sum := sha256.Sum256([]byte(x.form.Get("code_verifier")))
	switch {
	case !p.now().Before(c.expires):
		return invalid("code has expired")
	case c.req.client.ID != client.ID:
		return invalid("code was issued to another client")
	case c.req.redirectURI != x.form.Get("redirect_uri"):
		return invalid("redirect_uri differs from the authorization request")
	case subtle.ConstantTimeCompare([]byte(b64(sum[:])), []byte(c.req.challenge)) != 1:
		return invalid("code_verifier does not match")
	}
	c.family.started = p.now()
	c.family.expires = p.now().Add(p.cfg.RefreshTTL)
	p.families = append(p.families, c.family)
	fresh := ""
	if !x.fault.OmitRefresh {
		fresh = p.newRefreshToken(c.family)
	}
	return p.tokenAnswer(x, client, issued{family: c.family, refresh: fresh, nonce: c.req.nonce})
}

// issued is what a grant leads to.
type issued struct {
	family  *family
	refresh string // "": none in the answer
	nonce   string // "" at a refresh: OpenID Connect Core, 12.2
	scope   string // "": the family's
}

// tokenAnswer makes the tokens. Callers hold p.mu.
func (p *Provider) tokenAnswer(x *exchange, client Client, g issued) answer {
	f := g.family
	if g.scope == "" {
		g.scope = f.scope
	}
	access := p.accessToken(x, f, g.scope)
	body := map[string]any{
		"access_token": access, "token_type": "Bearer", "scope": g.scope,
		"expires_in": int(p.cfg.AccessTTL / time.Second),
	}
	if g.refresh != "" {
		body["refresh_token"] = g.refresh
	}
	if slices.Contains(strings.Fields(g.scope), "openid") {
		body["id_token"] = p.idToken(x, client, g, access)
	}
	if x.fault.EditToken != nil {
		x.fault.EditToken(body)
	}
	for _, kind := range []string{"access_token", "refresh_token", "id_token"} {
		v, _ := body[kind].(string)
		p.issue(kind, v)
	}
	final, _ := body["refresh_token"].(string)
	x.call.ReplacedBy = Hash(final)
	return jsonAnswer(http.StatusOK, body)
}

func (p *Provider) accessToken(x *exchange, f *family, scope string) string {
	now := p.now()
	aud := f.audience
	if aud == "" {
		aud = DefaultAudience
	}
	claims := map[string]any{
		"iss": p.cfg.Issuer, "sub": f.user.Subject, "name": f.user.Name, "aud": aud,
		"client_id": f.client, "scope": scope, "iat": now.Unix(),
		"exp": now.Add(p.cfg.AccessTTL).Unix(), "jti": secret("at"), "auth_time": f.authTime.Unix(), "acr": f.acr,
	}
	if x.fault.Subject != "" {
		claims["sub"] = x.fault.Subject
	}
	return p.keys[0].sign(p.keys[0].header(accessType), claims)
}

func (p *Provider) idToken(x *exchange, client Client, g issued, access string) string {
	now, f := p.now(), g.family
	half := sha256.Sum256([]byte(access))
	claims := map[string]any{
		"iss": p.cfg.Issuer, "sub": f.user.Subject, "aud": client.ID, "azp": client.ID,
		"iat": now.Unix(), "exp": now.Add(p.cfg.IDTTL).Unix(), "auth_time": f.authTime.Unix(),
		"sid": f.sid, "acr": f.acr, "amr": []string{"demo"}, "at_hash": b64(half[:16]),
	}
	if g.nonce != "" {
		claims["nonce"] = g.nonce
	}
	userClaims(claims, f.user, g.scope)
	if x.fault.Subject != "" {
		claims["sub"] = x.fault.Subject
	}
	if x.fault.EditIDToken != nil {
		x.fault.EditIDToken(claims)
	}
	return p.signFor(client, x.fault, "JWT", claims)
}

// userClaims adds what the scope lets the client know about the user.
func userClaims(claims map[string]any, u User, scope string) {
	scopes := strings.Fields(scope)
	if slices.Contains(scopes, "profile") {
		claims["name"], claims["preferred_username"], claims["picture"] = u.Name, u.Username, u.Picture
		if u.Groups != nil {
			claims["groups"] = u.Groups
		}
	}
	if slices.Contains(scopes, "email") {
		claims["email"], claims["email_verified"] = u.Email, true
	}
}

// sweepEvery keeps the cost of a call from growing with what was issued before.
const sweepEvery = 10 * time.Second

// sweep forgets what can no longer matter. Callers hold p.mu.
func (p *Provider) sweep() {
	now := p.now()
	if since := now.Sub(p.swept); since >= 0 && since < sweepEvery {
		return
	}
	p.swept = now
	for k, c := range p.codes {
		// A used code is remembered a while, to tell reuse from nonsense.
		if now.After(c.expires.Add(10 * time.Minute)) {
			delete(p.codes, k)
		}
	}
	for k, t := range p.refresh {
		if now.After(t.family.expires) {
			delete(p.refresh, k)
		}
	}
	p.families = slices.DeleteFunc(p.families, func(f *family) bool { return now.After(f.expires) })
	for k, s := range p.sso {
		if now.Sub(s.authTime) > ssoTTL {
			delete(p.sso, k)
		}
	}
	for k, it := range p.pending {
		if now.After(it.expires) {
			delete(p.pending, k)
		}
	}
	for _, m := range []map[string]time.Time{p.revoked, p.seen} {
		for k, until := range m {
			if now.After(until) {
				delete(m, k)
			}
		}
	}
}
