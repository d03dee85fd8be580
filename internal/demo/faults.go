package demo

import (
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Fault is what goes wrong with a call; the zero value is health. The fields
// act in the order in which they stand here. Functions are called from the
// server's goroutines, never two at a time for the same call.
type Fault struct {
	// Delay and Gate hold the call before it is processed, the Gate until it
	// is closed. It is processed afterwards even if the caller has gone.
	Delay time.Duration
	Gate  <-chan struct{}

	// DropBefore cuts the connection; nothing has happened.
	DropBefore bool

	// Reply is sent instead of processing the call.
	Reply *Reply

	// Divert makes the authorization endpoint send the browser elsewhere: it gets
	// the authorization request and returns the address. That is how a hostile
	// provider begins a mix-up (RFC 9700, 4.4).
	Divert func(request url.Values) string

	// Error is the OAuth error that is answered instead of processing: in
	// JSON, or at the authorization endpoint in the redirect.
	Error, ErrorDescription string

	// What follows changes a healthy answer.

	EditCallback func(url.Values)     // authorization response; an entry with two values is sent twice
	EditMetadata func(map[string]any) // discovery document
	EditKeys     func(map[string]any) // JWK set
	EditUserInfo func(map[string]any) // UserInfo answer
	EditToken    func(map[string]any) // token answer, after the ID token was put in
	EditIDToken  func(claims map[string]any)
	EditHeader   func(header map[string]any) // JOSE header of the ID token
	Forge        Forgery                     // how the ID token is signed
	OmitRefresh  bool                        // no refresh token in the answer; at a refresh the old one stays good
	Subject      string                      // another sub in ID token, access token or UserInfo answer

	// What follows happens after the call has taken effect: codes and
	// tokens are consumed, new ones are good.

	DelayAfter time.Duration
	GateAfter  <-chan struct{}
	DropAfter  bool
	ReplyAfter *Reply
}

// Reply is an answer given byte by byte.
type Reply struct {
	Status int // 0: 200
	Header http.Header
	Body   []byte

	// Fill is how many spaces follow the body: 1<<30 for an endless answer.
	Fill int64

	// Gzip compresses body and filling on the way: with Fill, a bomb.
	Gzip bool

	// Truncate announces more bytes than are sent and cuts the connection.
	Truncate bool

	// Hang announces more bytes than are sent and leaves the connection open until
	// it is closed.
	Hang <-chan struct{}
}

// RedirectReply answers with a redirect: 307 makes careless clients send the
// body, and with it the credentials, to location.
func RedirectReply(status int, location string) *Reply {
	return &Reply{Status: status, Header: http.Header{"Location": {location}}}
}

// JSONReply answers status with body as JSON.
func JSONReply(status int, body string) *Reply {
	return &Reply{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: []byte(body)}
}

// Forgery is a way to sign an ID token that no relying party may accept.
type Forgery int

// The zero Forgery signs as a healthy provider does.
const (
	Genuine         Forgery = iota
	ForgeNone               // alg none, no signature
	ForgeHMACSecret         // HS256 with the client secret
	ForgeHMACPublic         // HS256 with the published key's PEM as secret
	ForgeForeignKey         // the published kid, another key
	ForgeUnknownKid         // another key under a kid that nobody published
	ForgeSignature          // a signature over something else
)

// Faults are the standing faults by endpoint. Code and Refresh are the token
// endpoint's two grants.
type Faults struct {
	Discovery, JWKS, Authorize, Login, Code, Refresh, Revocation, UserInfo, EndSession Fault
}

// faultBox hands each call its fault.
type faultBox struct {
	faultMu  sync.Mutex
	standing Faults
	queue    map[string][]Fault
}

// SetFaults replaces the standing faults for calls that arrive from now on;
// the zero value heals the provider. Queued faults stay queued.
func (b *faultBox) SetFaults(f Faults) {
	b.faultMu.Lock()
	defer b.faultMu.Unlock()
	b.standing = f
}

// FailNext queues f for one call to the endpoint, in place of its standing
// fault. Endpoints are named as in Call.Endpoint; "code" and "refresh" mean
// the token endpoint with that grant and go before "token".
func (b *faultBox) FailNext(endpoint string, f Fault) {
	b.faultMu.Lock()
	defer b.faultMu.Unlock()
	b.queue[endpoint] = append(b.queue[endpoint], f)
}

// take returns the fault for the call.
func (b *faultBox) take(c Call) Fault {
	b.faultMu.Lock()
	defer b.faultMu.Unlock()
	for _, name := range []string{c.grant(), c.Endpoint} {
		if q := b.queue[name]; name != "" && len(q) > 0 {
			b.queue[name] = q[1:]
			return q[0]
		}
	}
	switch c.Endpoint {
	case "discovery":
		return b.standing.Discovery
	case "jwks":
		return b.standing.JWKS
	case "authorize":
		return b.standing.Authorize
	case "login":
		return b.standing.Login
	case "revocation":
		return b.standing.Revocation
	case "userinfo":
		return b.standing.UserInfo
	case "end_session":
		return b.standing.EndSession
	}
	if c.grant() == "refresh" {
		return b.standing.Refresh
	}
	return b.standing.Code
}
