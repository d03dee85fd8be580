package oidc

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/cloakroom/cloakroom/session"
)

// Params is what a sign-in may ask for. All of it may come from a query string
// that anybody made; Begin checks it. The zero value asks for nothing.
type Params struct {
	ReturnTo  string // at most MaxReturnTo bytes; the caller sees to what it says
	Prompt    string // none, login, consent, select_account or, not with none, several
	LoginHint string
	ACRValues string // space-separated; one of them must be met
	UILocales string // BCP 47 tags, space-separated
	MaxAge    *int   // seconds since the user last authenticated, at most
}

// prompts are the values of OpenID Connect Core, 3.1.2.1, and of Initiating
// User Registration.
var prompts = []string{"none", "login", "consent", "select_account", "create"}

// check returns ErrParams if any of p cannot be sent.
func (p Params) check() error {
	switch {
	case len(p.ReturnTo) > MaxReturnTo:
		return refuse(ErrParams, "return_to")
	case !visible(p.ACRValues, maxACR):
		return refuse(ErrParams, "acr_values")
	case !visible(p.UILocales, 128):
		return refuse(ErrParams, "ui_locales")
	case p.MaxAge != nil && (*p.MaxAge < 0 || *p.MaxAge > maxSeconds):
		return refuse(ErrParams, "max_age")
	case len(p.LoginHint) > 256 || strings.ContainsFunc(p.LoginHint, isControl):
		return refuse(ErrParams, "login_hint")
	}
	values := strings.Fields(p.Prompt)
	for _, v := range values {
		if !slices.Contains(prompts, v) || (v == "none" && len(values) > 1) {
			return refuse(ErrParams, "prompt")
		}
	}
	return nil
}

func isControl(r rune) bool { return r < 0x20 || (r >= 0x7f && r <= 0x9f) }

// withDefaults fills what p leaves open from the configured parameters.
func (p Params) withDefaults(params map[string]string) Params {
	or := func(s *string, name string) {
		if *s == "" {
			*s = params[name]
		}
	}
	or(&p.Prompt, "prompt")
	or(&p.LoginHint, "login_hint")
	or(&p.ACRValues, "acr_values")
	or(&p.UILocales, "ui_locales")
	if n, err := strconv.Atoi(params["max_age"]); err == nil && p.MaxAge == nil {
		p.MaxAge = &n
	}
	return p
}

// Begin makes a new authentication request and the URL at which the provider
// answers it. It returns ErrParams, or a *session.Unavailable if the provider's
// metadata cannot be had. Each call has a state, nonce and verifier of its own.
func (c *Client) Begin(ctx context.Context, p Params) (AuthRequest, string, error) {
	p = p.withDefaults(c.cfg.Params)
	if err := p.check(); err != nil {
		return AuthRequest{}, "", err
	}
	m, err := c.meta.get(ctx)
	if err != nil {
		return AuthRequest{}, "", err
	}
	req := AuthRequest{
		Provider: c.cfg.Name, Issuer: c.cfg.Issuer,
		State: random(), Nonce: random(), Verifier: session.Secret(oauth2.GenerateVerifier()),
		ReturnTo: p.ReturnTo, Started: c.cfg.Now().Truncate(time.Second),
		ACRValues: p.ACRValues, MaxAge: p.MaxAge,
		Fresh: slices.Contains(strings.Fields(p.Prompt), "login"),
	}
	return req, c.authURL(m, req, p), nil
}

// authURL returns the authorization request (OpenID Connect Core, 3.1.2.1).
func (c *Client) authURL(m *metadata, req AuthRequest, p Params) string {
	var opts []oauth2.AuthCodeOption
	add := func(name, value string) {
		if value != "" {
			opts = append(opts, oauth2.SetAuthURLParam(name, value))
		}
	}
	for name, value := range c.cfg.Params {
		add(name, value)
	}
	add("prompt", p.Prompt)
	add("login_hint", p.LoginHint)
	add("acr_values", p.ACRValues)
	add("ui_locales", p.UILocales)
	if p.MaxAge != nil {
		add("max_age", strconv.Itoa(*p.MaxAge))
	}
	opts = append(opts, gooidc.Nonce(req.Nonce.Reveal()), oauth2.S256ChallengeOption(req.Verifier.Reveal()))
	cfg := oauth2.Config{
		ClientID: c.cfg.ClientID, RedirectURL: c.cfg.RedirectURL, Scopes: c.cfg.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: m.authorization},
	}
	u := cfg.AuthCodeURL(req.State.Reveal(), opts...)
	// RFC 8707 repeats its parameter, which x/oauth2's options can't.
	for _, r := range c.cfg.Resource {
		u += "&resource=" + url.QueryEscape(r)
	}
	return u
}

// random returns 256 random bits as 43 characters; FAPI 2.0 asks for no more
// than 64.
func random() session.Secret {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	return session.Secret(base64.RawURLEncoding.EncodeToString(b[:]))
}
