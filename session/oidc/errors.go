package oidc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/cloakroom/cloakroom/session"
)

// Sentinels, one per decision of the caller. Besides them, errors are
// [*AuthError] (the provider's own refusal of a sign-in) or
// [*session.Unavailable] (try again later), and those that [session.Renewer]
// names.
var (
	// ErrParams means that a sign-in was asked for with parameters that no
	// provider should see. It is the asker's mistake.
	ErrParams = errors.New("oidc: sign-in parameters are not acceptable")

	// ErrState means that the callback does not belong to the pending request
	// of this browser, or is no callback at all. Nothing was sent anywhere.
	ErrState = errors.New("oidc: callback does not belong to this sign-in")

	// ErrToken means that the provider would not redeem the code, or that what
	// it gave for the code is not acceptable. There is no session; the code is
	// spent, and only a new sign-in helps. Of a logout token it means that it
	// proves nothing.
	ErrToken = errors.New("oidc: provider's answer is not acceptable")

	// ErrRevocation means that the provider will never revoke this token, for
	// instance because it does not know how to. Asking again is of no use.
	ErrRevocation = errors.New("oidc: provider does not revoke this token")
)

// AuthError is the provider's refusal to sign the user in, as its callback
// reported it (RFC 6749, 4.1.2.1; OpenID Connect Core, 3.1.2.6).
type AuthError struct {
	Code string // from a fixed list, or "other"; never the provider's own text
}

// Error names the code.
func (e *AuthError) Error() string { return "oidc: provider refused the sign-in: " + e.Code }

// refusal gives a sentinel the machine-readable reason for it.
type refusal struct {
	kind   error
	reason string
	cause  error // may be nil; holds no secrets
}

func refuse(kind error, reason string) error { return &refusal{kind: kind, reason: reason} }

func (e *refusal) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%v: %s: %v", e.kind, e.reason, e.cause)
	}
	return fmt.Sprintf("%v: %s", e.kind, e.reason)
}

func (e *refusal) Unwrap() []error {
	if e.cause != nil {
		return []error{e.kind, e.cause}
	}
	return []error{e.kind}
}

// errProvider is the kind of what went wrong at the provider, inside a
// session.Unavailable.
var errProvider = errors.New("oidc: provider cannot be used now")

// Reason returns the stable code of the refusal for audit events and metrics:
// lower-case words such as state_mismatch, nonce_mismatch, bad_signature,
// provider_unreachable or client_refused. The provider's refusal of a sign-in
// is its code after "provider_". An error that this package did not make has
// the reason "internal".
func Reason(err error) string {
	var r *refusal
	var auth *AuthError
	switch {
	case errors.As(err, &r):
		return r.reason
	case errors.As(err, &auth):
		return "provider_" + auth.Code
	default:
		return "internal"
	}
}

// unavailable makes the error for a provider that may work again later.
func unavailable(reason string, cause error) *session.Unavailable {
	return &session.Unavailable{Err: &refusal{kind: errProvider, reason: reason, cause: cause}}
}

// authCodes are the codes of RFC 6749, 4.1.2.1, OpenID Connect Core, 3.1.2.6,
// RFC 8707, 2, and OpenID Connect Unmet Authentication Requirements.
var authCodes = map[string]bool{
	"invalid_request": true, "unauthorized_client": true, "access_denied": true,
	"unsupported_response_type": true, "invalid_scope": true, "server_error": true,
	"temporarily_unavailable": true, "interaction_required": true, "login_required": true,
	"account_selection_required": true, "consent_required": true, "invalid_request_uri": true,
	"invalid_request_object": true, "request_not_supported": true, "request_uri_not_supported": true,
	"registration_not_supported": true, "invalid_target": true, "unmet_authentication_requirements": true,
}

// tokenCodes are the codes of RFC 6749, 5.2, RFC 7009, 2.2.1, RFC 8707, 2,
// and what real token endpoints answer beyond them.
var tokenCodes = map[string]bool{
	"invalid_request": true, "invalid_client": true, "invalid_grant": true,
	"unauthorized_client": true, "unsupported_grant_type": true, "invalid_scope": true,
	"unsupported_token_type": true, "invalid_target": true, "server_error": true,
	"temporarily_unavailable": true, "access_denied": true, "invalid_token": true,
	"slow_down": true,
}

// known returns code if list has it: an error code is text that the provider,
// or whoever made the callback, chose freely.
func known(list map[string]bool, code string) string {
	if list[code] {
		return code
	}
	return "other"
}

// netCause reduces a transport error to what may be logged: net/http quotes
// the peer's bytes in some of its errors.
func netCause(err error) error {
	var op *net.OpError
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("timeout")
	case errors.As(err, &cert):
		return certCause(cert.Err)
	case errors.As(err, &dns):
		return errors.New("host name cannot be resolved")
	case errors.As(err, &op):
		return fmt.Errorf("%s: %w", op.Op, op.Err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("connection closed")
	default:
		return errors.New("no usable HTTP answer")
	}
}

// certCause says what is wrong with a certificate. The names in it are the
// peer's choice, so they are quoted and cut.
func certCause(err error) error {
	const most = 200
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return errors.New("certificate is signed by an unknown authority; if it is your own, name it in ca_file")
	}
	text := strings.TrimPrefix(err.Error(), "x509: ")
	return fmt.Errorf("certificate is not acceptable: %.*q", most, text)
}

// statusError is a refusal of the provider: status and code from the list.
type statusError struct {
	status int
	code   string
}

func (e statusError) Error() string {
	if e.code == "" {
		return fmt.Sprintf("status %d", e.status)
	}
	return fmt.Sprintf("status %d, %s", e.status, e.code)
}
