package oidc

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// RequestLife is how long a callback may take: the user signs in meanwhile.
const RequestLife = 10 * time.Minute

// MaxReturnTo is the most bytes of a place to return to. The whole request
// must fit into a cookie.
const MaxReturnTo = 1 << 10

const (
	maxACR     = 256 // bytes of acr_values
	maxSeconds = 366 * 24 * 3600
)

// AuthRequest is one pending authentication request. It belongs into the
// browser that asked for it and nowhere else, sealed, because whoever has its
// Verifier and State can finish it.
type AuthRequest struct {
	Provider string // the name of the Client that began it
	Issuer   string // whom alone the callback may come from
	State    session.Secret
	Nonce    session.Secret
	Verifier session.Secret // of PKCE (RFC 7636)
	ReturnTo string         // where the browser goes afterwards; opaque here
	Started  time.Time      // to the second

	// What was asked of the authentication, and is checked in the ID token.
	ACRValues string // space-separated, empty: none
	MaxAge    *int   // seconds, nil: any
	Fresh     bool   // prompt=login: an earlier sign-in will not do
}

// requestVersion is the first byte of a marshalled AuthRequest.
const requestVersion = 1

// errRequest means that bytes are not a request of a version known here.
var errRequest = errors.New("oidc: not a pending authentication request")

// MarshalBinary returns the request compactly: about 200 bytes and ReturnTo.
// They are secret.
func (r AuthRequest) MarshalBinary() ([]byte, error) {
	b := []byte{requestVersion, 0}
	if r.Fresh {
		b[1] |= 1
	}
	if r.MaxAge != nil {
		b[1] |= 2
		b = binary.AppendVarint(b, int64(*r.MaxAge))
	}
	b = binary.AppendVarint(b, r.Started.Unix())
	for _, s := range r.fields() {
		b = binary.AppendUvarint(b, uint64(len(*s)))
		b = append(b, *s...)
	}
	return b, nil
}

// UnmarshalBinary reads what MarshalBinary wrote and refuses everything else.
func (r *AuthRequest) UnmarshalBinary(b []byte) error {
	if len(b) < 2 || b[0] != requestVersion || b[1] > 3 {
		return errRequest
	}
	var read AuthRequest
	read.Fresh = b[1]&1 != 0
	withMaxAge := b[1]&2 != 0
	b = b[2:]
	if withMaxAge {
		v, n := binary.Varint(b)
		if n <= 0 || v < 0 || v > maxSeconds {
			return errRequest
		}
		age := int(v)
		read.MaxAge, b = &age, b[n:]
	}
	started, n := binary.Varint(b)
	if n <= 0 {
		return errRequest
	}
	read.Started, b = time.Unix(started, 0), b[n:]
	for _, field := range read.fields() {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return errRequest
		}
		end := n + int(size)
		*field, b = string(b[n:end]), b[end:]
	}
	if len(b) != 0 {
		return errRequest
	}
	*r = read
	return nil
}

// fields lists the strings of r in the order in which they are marshalled.
func (r *AuthRequest) fields() []*string {
	return []*string{
		&r.Provider, &r.Issuer, (*string)(&r.State), (*string)(&r.Nonce), (*string)(&r.Verifier),
		&r.ReturnTo, &r.ACRValues,
	}
}
