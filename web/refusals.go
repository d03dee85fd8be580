package web

// The refusals. Each code stands in docs/operating.md.
var (
	errHost        = &Refusal{Status: 421, Code: "wrong_host", Title: "This server does not answer for that host name."}
	errPath        = &Refusal{Status: 400, Code: "ambiguous_path", Title: "This address can be read in more than one way, so it was refused."}
	errReturnTo    = &Refusal{Status: 400, Code: "invalid_return_to", Title: "return_to must be a path of this site."}
	errParameter   = &Refusal{Status: 400, Code: "invalid_parameter", Title: "The address has a parameter that can't be used."}
	errCSRF        = &Refusal{Status: 403, Code: "cross_site", Title: "The request did not come from this site's own pages."}
	errNavigation  = &Refusal{Status: 403, Code: "not_a_navigation", Title: "Signing in and out is done by opening the page, not in the background."}
	errPrefetch    = &Refusal{Status: 403, Code: "prefetch_refused", Title: "Signing in is not started in advance."}
	errDocument    = &Refusal{Status: 403, Code: "not_a_document", Title: "This address serves calls of the application and can't be opened as a page."}
	errPreflight   = &Refusal{Status: 403, Code: "cors_refused", Title: "Other origins have no access."}
	errProvider    = &Refusal{Status: 400, Code: "unknown_provider", Title: "There is no such sign-in provider."}
	errTransaction = &Refusal{Status: 400, Code: "login_expired", Title: "This sign-in is too old, was begun in another browser, or is already finished. Please sign in again."}
	errLogoutState = &Refusal{Status: 400, Code: "logout_state", Title: "This sign-out was not begun in this browser. You may close this page."}
	errLogout      = &Refusal{Status: 400, Code: "logout_refused", Title: "This is no valid message of a provider about a logout."}
	errNotEnded    = &Refusal{Status: 400, Code: "logout_failed", Title: "The logout could not be carried out. Please send it again."}
	errReport      = &Refusal{Status: 400, Code: "report_refused", Title: "This is no report about a Content-Security-Policy."}
	errNotFound    = &Refusal{Status: 404, Code: "not_found", Title: "There is nothing at this address."}
	errEncoding    = &Refusal{Status: 406, Code: "not_acceptable", Title: "This file is not there in any encoding that was asked for."}
	errSignedOut   = &Refusal{Status: 401, Code: "signed_out", Title: "You are not signed in."}
	errMeanwhile   = &Refusal{Status: 403, Code: "signed_out_meanwhile", Title: "You were signed out while you were signing in. Please sign in again."}
	errUnavailable = &Refusal{Status: 503, Code: "unavailable", Title: "This does not work at the moment. Please try again shortly."}
	errStreams     = &Refusal{Status: 429, Code: "too_many_streams", Title: "This session has too many open connections."}
	errBusy        = &Refusal{Status: 503, Code: "too_many_event_streams", Title: "There are too many open connections at the moment. Please try again shortly."}
	errTooMany     = &Refusal{Status: 429, Code: "too_many_requests", Title: "That was too often. Please wait a moment and try again."}
	errInterrupted = &Refusal{Status: 503, Code: "sign_in_interrupted", Title: "The sign-in could not be completed just now. Please sign in again."}
	errSignIn      = &Refusal{Status: 502, Code: "sign_in_failed", Title: "The sign-in could not be completed. Please sign in again."}
	errStepUp      = &Refusal{Status: 401, Code: "step_up_required", Title: "This needs a stronger or a more recent sign-in."}
	errPermission  = &Refusal{Status: 403, Code: "not_permitted", Title: "You are signed in, but this is not open to you."}
	errCurrent     = &Refusal{Status: 409, Code: "current_session", Title: "This is the session that you are using. Sign out to end it."}
	errClient      = &Refusal{Status: 502, Code: "client_refused", Title: "Signing in is not set up correctly here. Please tell the operator."}
	errInternal    = &Refusal{Status: 500, Code: "internal", Title: "Something went wrong on our side."}
)

// titles are for the codes of other packages, and of echo.
var titles = map[string]string{
	"bad_request":          "The request can't be understood.",
	"body_too_large":       "That is more than can be sent at once.",
	"forbidden_origin":     "The request did not come from this site's own pages.",
	"method_not_allowed":   "This address can't be used in that way.",
	"request_timeout":      "The request took too long to arrive.",
	"upgrade_refused":      "This address does not take that kind of request.",
	"upstream_timeout":     "The application's API took too long to answer. Please try again.",
	"upstream_unreachable": "The application's API can't be reached at the moment. Please try again shortly.",
}

// appTitles are for those that concern the application's own server.
var appTitles = map[string]string{
	"upgrade_refused":      "The application's own server does not take that kind of request.",
	"upstream_timeout":     "The server with the application's pages (spa.upstream) took too long to answer. Please try again.",
	"upstream_unreachable": "The server with the application's pages (spa.upstream) can't be reached. Please try again once it is running.",
}

// because is r with a cause for the log.
func because(r *Refusal, cause error) error {
	with := *r
	with.Err = cause
	return &with
}
