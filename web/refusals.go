package web

// The refusals. Each code stands in docs/operating.md, and what people are told of
// it in pages/texts.en.json and the other languages there.
var (
	errHost        = &Refusal{Status: 421, Code: "wrong_host"}
	errPath        = &Refusal{Status: 400, Code: "ambiguous_path"}
	errReturnTo    = &Refusal{Status: 400, Code: "invalid_return_to"}
	errParameter   = &Refusal{Status: 400, Code: "invalid_parameter"}
	errCSRF        = &Refusal{Status: 403, Code: "cross_site"}
	errNavigation  = &Refusal{Status: 403, Code: "not_a_navigation"}
	errPrefetch    = &Refusal{Status: 403, Code: "prefetch_refused"}
	errDocument    = &Refusal{Status: 403, Code: "not_a_document"}
	errPreflight   = &Refusal{Status: 403, Code: "cors_refused"}
	errProvider    = &Refusal{Status: 400, Code: "unknown_provider"}
	errTransaction = &Refusal{Status: 400, Code: "login_expired"}
	errLogoutState = &Refusal{Status: 400, Code: "logout_state"}
	errLogout      = &Refusal{Status: 400, Code: "logout_refused"}
	errNotEnded    = &Refusal{Status: 400, Code: "logout_failed"}
	errReport      = &Refusal{Status: 400, Code: "report_refused"}
	errNotFound    = &Refusal{Status: 404, Code: "not_found"}
	errEncoding    = &Refusal{Status: 406, Code: "not_acceptable"}
	errSignedOut   = &Refusal{Status: 401, Code: "signed_out"}
	errMeanwhile   = &Refusal{Status: 403, Code: "signed_out_meanwhile"}
	errUnavailable = &Refusal{Status: 503, Code: "unavailable"}
	errStreams     = &Refusal{Status: 429, Code: "too_many_streams"}
	errBusy        = &Refusal{Status: 503, Code: "too_many_event_streams", retryAfter: busyRetry}
	errTooMany     = &Refusal{Status: 429, Code: "too_many_requests"}
	errInterrupted = &Refusal{Status: 503, Code: "sign_in_interrupted"}
	errSignIn      = &Refusal{Status: 502, Code: "sign_in_failed"}
	errStepUp      = &Refusal{Status: 401, Code: "step_up_required"}
	errPermission  = &Refusal{Status: 403, Code: "not_permitted"}
	errCurrent     = &Refusal{Status: 409, Code: "current_session"}
	errClient      = &Refusal{Status: 502, Code: "client_refused"}
	errInternal    = &Refusal{Status: 500, Code: "internal"}
)

// ofAppTexts are the texts of those that concern the application's own server.
var ofAppTexts = map[string]string{
	"upgrade_refused":      "app_upgrade_refused",
	"upstream_timeout":     "app_timeout",
	"upstream_unreachable": "app_unreachable",
}

// because is r with a cause for the log.
func because(r *Refusal, cause error) error {
	with := *r
	with.Err = cause
	return &with
}
