package proxy

import (
	"errors"
	"fmt"
	"net/http"
)

// The codes of a [Refusal].
const (
	CodeBadRequest          = "bad_request"          // 400: the request target can't be forwarded as it is
	CodeMethodNotAllowed    = "method_not_allowed"   // 405: see Refusal.Allow
	CodeUpgradeRefused      = "upgrade_refused"      // 400: not a WebSocket handshake, or none is taken here
	CodeForbiddenOrigin     = "forbidden_origin"     // 403: a WebSocket handshake from another origin
	CodeBodyTooLarge        = "body_too_large"       // 413
	CodeRequestTimeout      = "request_timeout"      // 408: the browser stopped sending its body
	CodeUpstreamUnreachable = "upstream_unreachable" // 502: no connection, or no HTTP on it
	CodeUpstreamTimeout     = "upstream_timeout"     // 504: no answer within Config.Timeout
)

// Refusal is why a request got no answer from upstream. Status and Code are for
// the browser, Err is for the log only.
type Refusal struct {
	Status int
	Code   string   // one of the Code constants
	Allow  []string // for CodeMethodNotAllowed: the methods of the route
	Err    error    // the cause, if there is one
}

// Error describes the refusal and its cause.
func (r *Refusal) Error() string {
	if r.Err == nil {
		return "proxy: " + r.Code
	}
	return fmt.Sprintf("proxy: %s: %v", r.Code, r.Err)
}

// Unwrap returns the cause.
func (r *Refusal) Unwrap() error { return r.Err }

func badRequest(why string) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Code: CodeBadRequest, Err: errors.New(why)}
}

func upgradeRefused(why string) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Code: CodeUpgradeRefused, Err: errors.New(why)}
}

func tooLarge() *Refusal {
	return &Refusal{Status: http.StatusRequestEntityTooLarge, Code: CodeBodyTooLarge}
}

func badGateway(err error) *Refusal {
	return &Refusal{Status: http.StatusBadGateway, Code: CodeUpstreamUnreachable, Err: err}
}
