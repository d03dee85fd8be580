package oidc

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// Ways to authenticate at the token endpoint. There is no "none": Cloakroom is
// a confidential client or it does not start.
const (
	AuthBasic         = "client_secret_basic"
	AuthPost          = "client_secret_post"
	AuthPrivateKeyJWT = "private_key_jwt"
)

// Values of Config.Revoke.
const (
	RevokeAuto    = "auto"          // the refresh token, or the access token where there is none
	RevokeRefresh = "refresh_token" // refresh tokens only
	RevokeNone    = "none"          // nothing: some providers drop more than the one token
)

// Values of Config.LogoutHint.
const (
	HintIDToken = "id_token" // id_token_hint: the provider need not ask
	HintSub     = "sub"      // logout_hint: no ID token in a URL
	HintNone    = "none"
)

// Config describes one provider and our registration there.
type Config struct {
	Name     string // of the provider, in our configuration
	Issuer   string // compared as a string, a slash at the end counts
	ClientID string

	// Auth is AuthBasic, AuthPost or AuthPrivateKeyJWT, and fixed: nothing else
	// is ever tried. Empty means AuthPrivateKeyJWT with a PrivateKey, otherwise
	// AuthBasic.
	Auth         string
	ClientSecret session.Secret // for AuthBasic and AuthPost

	// PrivateKey signs the assertions of AuthPrivateKeyJWT: RSA of 2048 bits or
	// more, ECDSA on P-256 or P-384, or Ed25519. One provider's key must not be
	// another's. Its key id is its RFC 7638 thumbprint.
	PrivateKey crypto.Signer

	// EndpointOrigins are the origins beside the issuer's at which the endpoints may
	// be that are sent secrets (token, revocation, UserInfo). Metadata that names
	// another is not used. Empty: the first document since the start decides, and
	// another origin is not accepted until the next.
	EndpointOrigins []string

	RedirectURL string   // our callback, exactly as registered
	Scopes      []string // must have openid; empty: openid, profile, email

	// Params are added to each authorization URL. They cannot replace what the
	// protocol needs. prompt, acr_values, max_age, login_hint and ui_locales are
	// defaults for what a sign-in does not ask for itself, and acr_values and
	// max_age are enforced like its own.
	Params map[string]string

	// Claims are what the browser may know of the user. Empty: sub, name,
	// given_name, family_name, preferred_username, nickname, email,
	// email_verified, picture, locale, zoneinfo, updated_at.
	Claims []string

	// Keep names further claims that are kept with the session, for rules and headers:
	// Shown is false of them.
	Keep []string

	// TrustedAudiences may stand in an ID token's aud beside ClientID.
	TrustedAudiences []string

	// Resource asks for access tokens for these resources (RFC 8707).
	Resource []string

	Revoke                string // RevokeAuto (also when empty), RevokeRefresh, RevokeNone
	LogoutHint            string // HintIDToken (also when empty), HintSub, HintNone
	PostLogoutRedirectURL string // as registered; empty: the provider keeps the browser
	LogoutTyp             string // LogoutTypRequired (also when empty), LogoutTypAny

	// TokenTimeout bounds each call to the token, revocation and UserInfo
	// endpoints. Default 15 s.
	TokenTimeout time.Duration

	RootCAs *x509.CertPool   // nil: the system's
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: nothing is logged
}

// protocolParams are those authorization parameters that are ours alone.
var protocolParams = []string{
	"response_type", "response_mode", "client_id", "redirect_uri", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "request", "request_uri", "resource", "client_secret",
	"client_assertion", "client_assertion_type", "id_token_hint", "dpop_jkt",
}

func (cfg *Config) setDefaults() {
	if cfg.Auth == "" {
		cfg.Auth = AuthBasic
		if cfg.PrivateKey != nil {
			cfg.Auth = AuthPrivateKeyJWT
		}
	}
	if len(cfg.Scopes) == 0 {
		cfg.Scopes = []string{"openid", "profile", "email"}
	}
	if cfg.Revoke == "" {
		cfg.Revoke = RevokeAuto
	}
	if cfg.LogoutHint == "" {
		cfg.LogoutHint = HintIDToken
	}
	if cfg.LogoutTyp == "" {
		cfg.LogoutTyp = LogoutTypRequired
	}
	if cfg.TokenTimeout == 0 {
		cfg.TokenTimeout = 15 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
}

// check reports everything that is wrong with cfg, defaults already set.
func (cfg *Config) check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if cfg.Name == "" || len(cfg.Name) > 64 {
		bad("name: want 1 to 64 characters")
	}
	if cfg.ClientID == "" || !visible(cfg.ClientID, 512) {
		bad("client_id: want 1 to 512 printable characters")
	}
	if u, err := parseEndpoint(cfg.Issuer, true); err != nil {
		bad("issuer: %w", err)
	} else if u.RawQuery != "" || len(cfg.Issuer) > 255 {
		bad("issuer: must have no query and at most 255 characters")
	}
	if _, err := parseEndpoint(cfg.RedirectURL, true); err != nil {
		bad("redirect URL: %w", err)
	}
	if cfg.PostLogoutRedirectURL != "" {
		if _, err := parseEndpoint(cfg.PostLogoutRedirectURL, true); err != nil {
			bad("post-logout redirect URL: %w", err)
		}
	}
	if !slices.Contains(cfg.Scopes, "openid") {
		bad("scopes: openid is missing")
	}
	for _, s := range cfg.Scopes {
		if s == "" || !visible(s, 512) || strings.ContainsAny(s, ` "\`) {
			bad("scopes: %q is not a scope", s)
		}
	}
	for _, r := range cfg.Resource {
		if u, err := url.Parse(r); err != nil || !u.IsAbs() || u.Fragment != "" {
			bad("resource: %q is not an absolute URI without a fragment", r)
		}
	}
	for _, o := range cfg.EndpointOrigins {
		if _, err := parseEndpoint(o, true); err != nil || o != origin(o) {
			bad("endpoint origins: %q is not an origin, such as https://id.example.com", o)
		}
	}
	for name := range cfg.Params {
		if slices.Contains(protocolParams, name) {
			bad("params: %s belongs to the protocol", name)
		}
	}
	if err := (Params{}).withDefaults(cfg.Params).check(); err != nil {
		bad("params: every sign-in would be refused: %w", err)
	}
	if text, ok := cfg.Params["max_age"]; ok {
		if _, err := strconv.Atoi(text); err != nil {
			bad("params: max_age: not a number of seconds")
		}
	}
	if cfg.TokenTimeout < 0 {
		bad("token timeout: must be positive")
	}
	errs = append(errs, cfg.checkModes()...)
	return errors.Join(errs...)
}

// checkModes reports what is wrong with the choices and the credential.
func (cfg *Config) checkModes() []error {
	var errs []error
	if !slices.Contains([]string{RevokeAuto, RevokeRefresh, RevokeNone}, cfg.Revoke) {
		errs = append(errs, fmt.Errorf("revoke: %q is not auto, refresh_token or none", cfg.Revoke))
	}
	if !slices.Contains([]string{HintIDToken, HintSub, HintNone}, cfg.LogoutHint) {
		errs = append(errs, fmt.Errorf("logout hint: %q is not id_token, sub or none", cfg.LogoutHint))
	}
	if cfg.LogoutTyp != LogoutTypRequired && cfg.LogoutTyp != LogoutTypAny {
		errs = append(errs, fmt.Errorf("logout typ: %q is not required or any", cfg.LogoutTyp))
	}
	switch cfg.Auth {
	case AuthBasic, AuthPost:
		if cfg.ClientSecret == "" {
			errs = append(errs, fmt.Errorf("auth: %s needs a client secret", cfg.Auth))
		}
		if cfg.PrivateKey != nil {
			errs = append(errs, fmt.Errorf("auth: %s has no use for a private key", cfg.Auth))
		}
	case AuthPrivateKeyJWT:
		if cfg.ClientSecret != "" {
			errs = append(errs, fmt.Errorf("auth: %s has no use for a client secret", cfg.Auth))
		}
	default:
		errs = append(errs, fmt.Errorf("auth: %q is not %s, %s or %s", cfg.Auth, AuthBasic, AuthPost, AuthPrivateKeyJWT))
	}
	return errs
}

// parseEndpoint accepts https URLs, and http ones of loopback hosts if that is
// allowed. Fragments and userinfo are refused everywhere.
func parseEndpoint(raw string, loopback bool) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return nil, errors.New("not an absolute URL")
	case u.User != nil || u.Fragment != "" || strings.HasSuffix(raw, "#"):
		return nil, errors.New("must have neither userinfo nor a fragment")
	case u.Scheme == "https":
	case u.Scheme == "http" && loopback && isLoopback(u.Hostname()):
	default:
		return nil, errors.New("must be https (http only on a loopback host)")
	}
	return u, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// visible reports whether s is printable ASCII, spaces included, of at most
// max bytes.
func visible(s string, max int) bool {
	if len(s) > max {
		return false
	}
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
