package demo

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	methodBasic = "client_secret_basic"
	methodPost  = "client_secret_post"
	methodJWT   = "private_key_jwt"

	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	assertionTTL  = time.Minute
)

// presentedMethod names the client authentication of a request; "none" if
// there is none, "several" if there is more than one.
func presentedMethod(r *http.Request) string {
	method, n := "none", 0
	if r.Header.Get("Authorization") != "" {
		method = methodBasic
		n++
	}
	if r.PostForm.Get("client_secret") != "" {
		method = methodPost
		n++
	}
	if r.PostForm.Get("client_assertion") != "" {
		method = methodJWT
		n++
	}
	if n > 1 {
		return "several"
	}
	return method
}

// authenticate finds out which client calls. It accepts only the method that
// the client is registered with. Callers hold p.mu.
func (p *Provider) authenticate(x *exchange) (Client, oauthError) {
	if x.call.AuthMethod == "several" {
		return Client{}, oauthError{code: "invalid_request", description: "more than one client authentication"}
	}
	id, given := x.form.Get("client_id"), x.form.Get("client_secret")
	var claims assertion
	switch x.call.AuthMethod {
	case methodBasic:
		// RFC 6749, 2.3.1: both are form-encoded before they become Basic.
		user, pass, ok := x.r.BasicAuth()
		var err1, err2 error
		id, err1 = url.QueryUnescape(user)
		given, err2 = url.QueryUnescape(pass)
		if !ok || err1 != nil || err2 != nil {
			return Client{}, oauthError{code: "invalid_client", description: "malformed Basic credentials"}
		}
	case methodJWT:
		var ok bool
		if claims, ok = x.unverifiedAssertion(); !ok {
			return Client{}, oauthError{code: "invalid_client", description: "malformed assertion"}
		}
		id = claims.Subject
	}
	x.call.ClientID = id
	client, ok := p.clients[id]
	if other := x.form.Get("client_id"); !ok || other != "" && other != id {
		return Client{}, oauthError{code: "invalid_client", description: "unknown client"}
	}
	if client.authMethod() != x.call.AuthMethod {
		return Client{}, oauthError{code: "invalid_client", description: "not this client's authentication method"}
	}
	if client.AuthMethod == methodJWT {
		if why := p.checkAssertion(x, client, claims); why != "" {
			return Client{}, oauthError{code: "invalid_client", description: why}
		}
		return client, oauthError{}
	}
	if client.Secret == "" || subtle.ConstantTimeCompare([]byte(client.Secret), []byte(given)) != 1 {
		return Client{}, oauthError{code: "invalid_client", description: "wrong secret"}
	}
	return client, oauthError{}
}

// assertion holds a client assertion's claims (RFC 7523). aud must be one
// string: the issuer, which no other provider could pass off as its own.
type assertion struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience any    `json:"aud"`
	ID       string `json:"jti"`
	Expires  int64  `json:"exp"`
	IssuedAt int64  `json:"iat"`
}

func (x *exchange) unverifiedAssertion() (assertion, bool) {
	jws, err := x.parseAssertion()
	if err != nil {
		return assertion{}, false
	}
	var a assertion
	return a, json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &a) == nil
}

func (x *exchange) parseAssertion() (*jose.JSONWebSignature, error) {
	return jose.ParseSignedCompact(x.form.Get("client_assertion"),
		[]jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.PS256, jose.EdDSA})
}

// checkAssertion returns what is wrong with the assertion, "" if nothing is,
// and remembers it, so that it is good only once.
func (p *Provider) checkAssertion(x *exchange, client Client, a assertion) string {
	jws, err := x.parseAssertion()
	if err != nil || !signedBy(jws, client.Keys) {
		return "assertion is not signed with a registered key"
	}
	now := p.now().Unix()
	switch {
	case x.form.Get("client_assertion_type") != assertionType:
		return "wrong client_assertion_type"
	case a.Issuer != client.ID || a.Subject != client.ID:
		return "iss and sub must be the client"
	case a.Audience != p.cfg.Issuer:
		return "aud must be the issuer, as one string"
	case a.Expires <= now:
		return "assertion has expired"
	case a.Expires > now+int64(assertionTTL/time.Second):
		return "exp is more than 60 seconds ahead"
	case a.IssuedAt > now:
		return "iat lies in the future"
	case a.ID == "":
		return "jti is missing"
	}
	key := client.ID + " " + a.ID
	if _, used := p.seen[key]; used {
		return "assertion was used before"
	}
	// Kept well past its expiry: a client's repeated jti is a bug at any time.
	p.seen[key] = p.now().Add(time.Hour)
	return ""
}

func signedBy(jws *jose.JSONWebSignature, keys []jose.JSONWebKey) bool {
	for _, key := range keys {
		if kid := jws.Signatures[0].Header.KeyID; kid != "" && key.KeyID != "" && kid != key.KeyID {
			continue
		}
		if _, err := jws.Verify(key); err == nil {
			return true
		}
	}
	return false
}
