package demo

import (
	"slices"
	"strings"
	"time"
)

// RefreshMode is how a provider treats a refresh token that was used.
type RefreshMode int

const (
	// RefreshRotate makes refresh tokens one-time: a used one that comes
	// again ends the whole family (RFC 9700, 4.14.2).
	RefreshRotate RefreshMode = iota

	// RefreshGrace answers a used token with a new one within
	// ProviderConfig.Grace of its first use; later it is a reuse.
	RefreshGrace

	// RefreshSame answers a used token with the same successor within
	// ProviderConfig.Grace of its first use; later it is a reuse.
	RefreshSame

	// RefreshCount lets a used token be used ProviderConfig.Reuses more
	// times, each time for a new one; beyond that it is a reuse.
	RefreshCount

	// RefreshStatic never rotates: the answer holds the same token again.
	RefreshStatic
)

// family is one sign-in of a user at a client and everything issued for it.
type family struct {
	client, sid, scope, acr, audience string

	user     User
	authTime time.Time
	started  time.Time
	expires  time.Time
	dead     bool
}

// refreshToken is one token of a family.
type refreshToken struct {
	family    *family
	value     string
	uses      int
	firstUse  time.Time
	successor string
}

// newRefreshToken adds a token to the family. Callers hold p.mu.
func (p *Provider) newRefreshToken(f *family) string {
	value := secret("rt")
	p.refresh[value] = &refreshToken{family: f, value: value}
	return value
}

// renew exchanges a refresh token (RFC 6749, 6). Callers hold p.mu.
func (p *Provider) renew(x *exchange, client Client) answer {
	invalid := func(why string) answer {
		return x.refuse(oauthError{code: "invalid_grant", description: why})
	}
	t, ok := p.refresh[x.form.Get("refresh_token")]
	switch {
	case !ok:
		return invalid("unknown refresh token")
	case t.family.client != client.ID:
		return invalid("refresh token was issued to another client")
	case t.family.dead:
		return invalid("refresh token was revoked")
	case !p.now().Before(t.family.expires):
		return invalid("refresh token has expired")
	}
	scope := x.form.Get("scope")
	for _, s := range strings.Fields(scope) {
		if !slices.Contains(strings.Fields(t.family.scope), s) {
			return x.refuse(oauthError{code: "invalid_scope", description: "more than was granted"})
		}
	}
	fresh, ok := p.rotate(t, x.fault.OmitRefresh)
	if !ok {
		t.family.dead = true
		return invalid("refresh token was used before")
	}
	return p.tokenAnswer(x, client, issued{family: t.family, refresh: fresh, scope: scope})
}

// rotate returns the token to answer with, and false if t is used once too
// often. With omit it answers none and t stays good.
func (p *Provider) rotate(t *refreshToken, omit bool) (string, bool) {
	if t.uses > 0 && !p.reusable(t) {
		return "", false
	}
	if omit {
		return "", true
	}
	if p.cfg.Refresh == RefreshStatic {
		return t.value, true
	}
	t.uses++
	if t.uses == 1 {
		t.firstUse = p.now()
	}
	if p.cfg.Refresh == RefreshSame && t.successor != "" {
		return t.successor, true
	}
	t.successor = p.newRefreshToken(t.family)
	return t.successor, true
}

func (p *Provider) reusable(t *refreshToken) bool {
	switch p.cfg.Refresh {
	case RefreshGrace, RefreshSame:
		return p.now().Sub(t.firstUse) <= p.cfg.Grace
	case RefreshCount:
		return t.uses <= p.cfg.Reuses
	}
	return false
}

// RevokeFamilies makes every refresh token of the user answer invalid_grant
// from now on; an empty subject means everybody's.
func (p *Provider) RevokeFamilies(subject string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.families {
		if subject == "" || f.user.Subject == subject {
			f.dead = true
		}
	}
}

// Live counts the families whose refresh tokens still work; an empty subject
// means everybody's.
func (p *Provider) Live(subject string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, f := range p.families {
		if !f.dead && p.now().Before(f.expires) && (subject == "" || f.user.Subject == subject) {
			n++
		}
	}
	return n
}
