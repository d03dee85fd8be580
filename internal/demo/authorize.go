package demo

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	codeTTL        = time.Minute
	interactionTTL = 10 * time.Minute
	maxPending     = 1000 // login pages that nobody submits
)

// authRequest is a checked authorization request.
type authRequest struct {
	client      Client
	redirectURI string
	state       string
	nonce       string
	challenge   string
	scope       string
	acrs        []string // authentication contexts that would do, the best first
	audience    string
	loginHint   string
	prompt      []string
	maxAge      int // seconds; -1: not asked for
}

// interaction is a login page that waits for its user. Its outcome is kept,
// so that a double click gets the same answer twice.
type interaction struct {
	req     authRequest
	expires time.Time
	outcome string // where the user was sent
}

// code is an authorization code.
type code struct {
	req      authRequest
	family   *family
	expires  time.Time
	redeemed bool
}

// authorize is the authorization endpoint (OpenID Connect Core, 3.1.2).
func (p *Provider) authorize(x *exchange) answer {
	req, page := p.target(x)
	if page != nil {
		return *page
	}
	if x.fault.Error != "" {
		return p.callback(x, req, errorResponse(x.fault.Error, x.fault.ErrorDescription))
	}
	if e := p.checkAuthRequest(x.form, &req); e.code != "" {
		return p.callback(x, req, errorResponse(e.code, e.description))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	session, known := p.session(x.r)
	stale := !known || slices.Contains(req.prompt, "login") || slices.Contains(req.prompt, "select_account") ||
		slices.Contains(req.prompt, "consent") || !req.takes(session.acr) ||
		req.maxAge >= 0 && now.Sub(session.authTime) > time.Duration(req.maxAge)*time.Second
	switch {
	case stale && p.cfg.AutoLogin != "":
		user, _ := p.user(p.cfg.AutoLogin)
		session, cookie := p.signIn(user, req.level())
		a := p.callback(x, req, p.grant(req, session))
		a.header.Add("Set-Cookie", cookie)
		return a
	case !stale:
		return p.callback(x, req, p.grant(req, session))
	case slices.Contains(req.prompt, "none"):
		return p.callback(x, req, errorResponse("login_required", ""))
	}
	return p.loginPage(req, session, known)
}

// target finds out where answers may go. Until both client and redirect URI
// are known to be good nothing is redirected (RFC 6749, 4.1.2.1).
func (p *Provider) target(x *exchange) (authRequest, *answer) {
	refuse := func(why string) (authRequest, *answer) {
		x.call.Error = "invalid_request"
		a := messagePage(http.StatusBadRequest, "This request can’t be answered", why)
		return authRequest{}, &a
	}
	if len(x.form["client_id"]) != 1 || len(x.form["redirect_uri"]) != 1 {
		return refuse("It has to name one client and one redirect URI.")
	}
	client, ok := p.client(x.form.Get("client_id"))
	if !ok {
		return refuse("Nobody registered a client with this ID.")
	}
	uri := x.form.Get("redirect_uri")
	if !slices.Contains(client.RedirectURIs, uri) {
		return refuse("The redirect URI is not registered for this client.")
	}
	return authRequest{client: client, redirectURI: uri, state: x.form.Get("state"), maxAge: -1}, nil
}

// checkAuthRequest reads the rest of the request. Errors go to the client.
func (p *Provider) checkAuthRequest(form url.Values, req *authRequest) oauthError {
	for name, values := range form {
		if len(values) > 1 && name != "resource" {
			return oauthError{code: "invalid_request", description: name + " is given twice"}
		}
	}
	invalid := func(why string) oauthError { return oauthError{code: "invalid_request", description: why} }
	switch {
	case form.Has("request"):
		return oauthError{code: "request_not_supported"}
	case form.Has("request_uri"):
		return oauthError{code: "request_uri_not_supported"}
	case form.Get("response_type") != "code":
		return oauthError{code: "unsupported_response_type"}
	case form.Has("response_mode") && form.Get("response_mode") != "query":
		return invalid("response_mode must be query")
	case form.Get("code_challenge_method") != "S256":
		return invalid("PKCE with S256 is required")
	case !slices.Contains(strings.Fields(form.Get("scope")), "openid"):
		return oauthError{code: "invalid_scope", description: "scope must contain openid"}
	}
	// A SHA-256 digest in base64url.
	if d, err := base64.RawURLEncoding.DecodeString(form.Get("code_challenge")); err != nil || len(d) != 32 {
		return invalid("code_challenge is not a SHA-256 digest")
	}
	req.prompt = strings.Fields(form.Get("prompt"))
	for _, v := range req.prompt {
		if !slices.Contains([]string{"none", "login", "consent", "select_account"}, v) || v == "none" && len(req.prompt) > 1 {
			return invalid("prompt is not understood")
		}
	}
	if v := form.Get("max_age"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 {
			return invalid("max_age is not a number of seconds")
		}
		req.maxAge = n
	}
	req.nonce, req.challenge, req.scope = form.Get("nonce"), form.Get("code_challenge"), form.Get("scope")
	req.loginHint, req.audience = form.Get("login_hint"), form.Get("resource")
	req.acrs = strings.Fields(form.Get("acr_values"))
	return oauthError{}
}

// login takes the login page's form.
func (p *Provider) login(x *exchange) answer {
	// Another site must not sign the user in as somebody.
	if site := x.r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return messagePage(http.StatusForbidden, "Not from here", "This form must be sent from the login page itself.")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	it, ok := p.pending[x.form.Get("interaction")]
	if !ok || p.now().After(it.expires) {
		return messagePage(http.StatusBadRequest, "This sign-in has run out",
			"Go back to the application and sign in again.")
	}
	if it.outcome != "" {
		return seeOther(it.outcome)
	}
	var a answer
	switch user, known := p.user(x.form.Get("username")); {
	case x.fault.Error != "":
		a = p.callback(x, it.req, errorResponse(x.fault.Error, x.fault.ErrorDescription))
	case x.form.Get("action") == "deny":
		a = p.callback(x, it.req, errorResponse("access_denied", "The user said no"))
	case !known:
		return messagePage(http.StatusBadRequest, "Nobody by that name", "This provider does not know the user.")
	default:
		session, cookie := p.signIn(user, it.req.level())
		a = p.callback(x, it.req, p.grant(it.req, session))
		a.header.Add("Set-Cookie", cookie)
	}
	it.outcome = a.header.Get("Location")
	return a
}

// grant makes a code and the answer that carries it. Callers hold p.mu.
func (p *Provider) grant(req authRequest, s *ssoSession) url.Values {
	value := secret("code")
	p.codes[value] = &code{req: req, expires: p.now().Add(codeTTL), family: &family{
		client: req.client.ID, user: s.user, sid: s.sid, scope: req.scope, acr: s.acr,
		audience: req.audience, authTime: s.authTime,
	}}
	p.issue("code", value)
	return url.Values{"code": {value}}
}

func errorResponse(code, description string) url.Values {
	v := url.Values{"error": {code}}
	if description != "" {
		v.Set("error_description", description)
	}
	return v
}

// callback redirects to the client with state and iss (RFC 9207).
func (p *Provider) callback(x *exchange, req authRequest, v url.Values) answer {
	x.call.Error = v.Get("error")
	v.Set("iss", p.cfg.Issuer)
	if req.state != "" {
		v.Set("state", req.state)
	}
	if x.fault.EditCallback != nil {
		x.fault.EditCallback(v)
	}
	sep := "?"
	if strings.Contains(req.redirectURI, "?") {
		sep = "&"
	}
	return seeOther(req.redirectURI + sep + v.Encode())
}

func seeOther(location string) answer {
	return answer{status: http.StatusSeeOther, header: http.Header{
		"Location": {location}, "Cache-Control": {"no-store"}, "Referrer-Policy": {"no-referrer"},
	}}
}

// loginPage shows who can sign in. Callers hold p.mu.
func (p *Provider) loginPage(req authRequest, s *ssoSession, known bool) answer {
	p.sweep()
	if len(p.pending) >= maxPending {
		return messagePage(http.StatusServiceUnavailable, "Too many open sign-ins", "Try again in some minutes.")
	}
	id := secret("ask")
	p.pending[id] = &interaction{req: req, expires: p.now().Add(interactionTTL)}
	view := loginView{
		Interaction: id,
		Client:      req.client.ID, Scopes: strings.Fields(req.scope), Issuer: p.cfg.Issuer,
	}
	if u, err := url.Parse(req.redirectURI); err == nil {
		view.Host = u.Host
	}
	for _, u := range p.cfg.Users {
		view.Users = append(view.Users, userView{
			User: u, Current: known && s.user.Subject == u.Subject,
			Hinted: req.loginHint != "" && (req.loginHint == u.Username || req.loginHint == u.Email),
		})
	}
	view.Strong = req.level() != plainACR
	switch {
	case view.Strong:
		view.Why = fmt.Sprintf("This sign-in needs a second factor (acr %s). Here it is a click like the first.", req.level())
	case slices.Contains(req.prompt, "select_account"):
		view.Why = "The application asks you to choose an account."
	case known && req.maxAge >= 0:
		view.Why = fmt.Sprintf("The application wants a sign-in that is at most %d seconds old.", req.maxAge)
	case known && slices.Contains(req.prompt, "login"):
		view.Why = "The application asks you to sign in again."
	}
	return view.render()
}
