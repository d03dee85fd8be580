package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// login answers GET /bff/login: it sends the browser to a provider. Nothing is
// written on the server; the transaction travels in a sealed cookie.
func (s *Server) login(c echo.Context) error {
	w, r := c.Response(), c.Request()
	if err := s.guardLogin(r); err != nil {
		return err
	}
	ticket, hasTicket := s.cookies.readTicket(r)
	if !hasTicket && s.hiddenTicket(r) {
		s.hopPage(w, s.language(r, ""), r.URL.RequestURI())
		return nil
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return errParameter
	}
	for _, values := range q {
		if len(values) != 1 {
			return errParameter
		}
	}
	provider, err := s.chooseProvider(q)
	if err != nil {
		return err
	}
	if provider == nil && asksMore(q) {
		provider = s.ownProvider(r)
	}
	params, err := s.loginParams(q)
	if err != nil {
		return err
	}
	if provider == nil && params.Prompt != "none" {
		s.choicePage(w, r)
		return nil
	}
	if provider == nil { // nobody may be shown a page, and who is signed in nowhere gets that answer
		s.sendBack(w, r, transaction{ReturnTo: params.ReturnTo})
		return nil
	}
	if err := s.limits.signIns.take(byAddress(s.Client(r))); err != nil {
		return err
	}
	request, location, err := provider.Begin(r.Context(), params)
	if err != nil {
		return err
	}
	name := s.cookies.loginCookie(request.State.Reveal(), s.Now())
	t := transaction{Request: &request, Quiet: params.Prompt == "none", ReturnTo: params.ReturnTo}
	if chosen, ok := s.Pages.languages.find(wished(params.UILocales)...); ok {
		t.Language = chosen.tag.String()
	}
	if hasTicket {
		// The callback comes from another site: a Strict cookie may be missing there.
		if t.Previous, err = ticket.MarshalBinary(); err != nil {
			return err
		}
	}
	if err := s.cookies.saveLogin(w, r, name, t); err != nil {
		return err
	}
	redirect(w, http.StatusFound, location)
	return nil
}

// loginParams reads what a login asks for.
func (s *Server) loginParams(q url.Values) (oidc.Params, error) {
	p := oidc.Params{
		Prompt: q.Get("prompt"), LoginHint: q.Get("login_hint"),
		ACRValues: q.Get("acr_values"), UILocales: q.Get("ui_locales"),
	}
	if q.Has("max_age") {
		seconds, err := strconv.Atoi(q.Get("max_age"))
		if err != nil || seconds < 0 {
			return p, errParameter
		}
		p.MaxAge = &seconds
	}
	returnTo := q.Get("return_to")
	if target := q.Get("target_link_uri"); target != "" && returnTo == "" {
		local, ok := strings.CutPrefix(target, s.origin)
		if !ok {
			return p, errReturnTo
		}
		returnTo = local
	}
	var err error
	p.ReturnTo, err = s.localPath(returnTo)
	return p, err
}

// callback answers GET /bff/callback: the browser is back from the provider.
// The cheap checks come first; then the callback is marked used, durably; only
// then is the code redeemed, once.
func (s *Server) callback(c echo.Context) error {
	w, r := c.Response(), c.Request()
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	q, err := url.ParseQuery(r.URL.RawQuery)
	t, name, ok := s.cookies.readLogin(r, q.Get("state"))
	switch {
	case err != nil:
		return s.strayCallback(r, errParameter)
	case !ok:
		return s.strayCallback(r, errTransaction)
	case t.Request == nil:
		s.sendBack(w, r, t) // it was finished before
		return nil
	}
	if err := s.limits.callbacks.take(byAddress(s.Client(r))); err != nil {
		return err
	}
	request := *t.Request
	provider := s.provider(request.Provider)
	p := pending{provider, request, t, name}
	switch {
	case provider == nil || provider.Issuer() != request.Issuer:
		return s.signInRefused(p, errTransaction)
	case provider.Callback != r.URL.Path:
		return s.signInRefused(p, errElsewhere)
	}
	err = s.finish(w, r, p, q)
	switch {
	case err == nil || errors.Is(err, errRepeated):
		s.sendBack(w, r, t)
		return nil
	case t.Quiet && isAuthError(err):
		// prompt=none asks a question; "not signed in" is its answer.
		s.logged(r, s.signInRefused(p, err))
		s.sendBack(w, r, t)
		return nil
	}
	var passing *session.Unavailable
	if errors.As(err, &passing) {
		// The code may be spent: trying this address again is of no use (B13).
		kind := errInterrupted
		if oidc.Reason(err) == "client_refused" {
			kind = errClient // no user can help that
		}
		err = fmt.Errorf("%w: %w", kind, err)
	}
	return s.signInRefused(p, err)
}

// strayCallback refuses a callback that no sign-in of this browser belongs to, as
// anybody can send it.
func (s *Server) strayCallback(r *http.Request, err error) error {
	if over := s.limits.strays.take(byAddress(s.Client(r))); over != nil {
		return over
	}
	return s.signInRefused(pending{}, err)
}

// errElsewhere means that an answer came to the redirect URI of another provider
// than the sign-in was begun at. Some provider mixes itself up with that one, to
// be given its code (RFC 9700, 4.4), or a redirect URI is registered wrongly.
var errElsewhere = fmt.Errorf("web: callback at another provider's redirect URI: %w", errTransaction)

// errRepeated means that this callback was used before: no error to the user.
var errRepeated = errors.New("web: callback used before")

// pending is a transaction that came back to the browser it was begun in.
type pending struct {
	provider *Provider
	request  oidc.AuthRequest
	transaction
	cookie string
}

// finish redeems the callback and starts the session.
func (s *Server) finish(w http.ResponseWriter, r *http.Request, p pending, q url.Values) error {
	checked := p.provider.CheckCallback(p.request, q)
	if checked != nil && !isAuthError(checked) {
		return checked
	}
	ctx := detached(r)
	first, err := s.Manager.Once(ctx, "callback", p.request.State, p.request.Started.Add(2*loginMaxAge))
	switch {
	case err != nil:
		return err
	case !first:
		return errRepeated
	}
	if err := s.cookies.finishLogin(w, p.cookie, p.transaction); err != nil {
		return err
	}
	if checked != nil {
		return checked
	}
	in, err := p.provider.Finish(ctx, p.request, q)
	if err != nil {
		s.Manager.Discard(in)
		return err
	}
	in.Began, in.From = p.request.Started, session.UserContext{UserAgent: r.UserAgent(), Address: s.Client(r)}
	var previous *session.Ticket
	var old session.Ticket
	if len(p.Previous) > 0 && old.UnmarshalBinary(p.Previous) == nil {
		previous = &old
	}
	ticket, err := s.Manager.Start(ctx, in, previous)
	if err != nil {
		return err
	}
	return s.cookies.setTicket(w, ticket)
}

func isAuthError(err error) bool {
	var auth *oidc.AuthError
	return errors.As(err, &auth)
}

// sendBack ends a sign-in at the page it was begun for. A page that only a
// session opens is reached by way of a page that navigates itself: on a
// redirect that began at another site the new Strict cookie is not sent (B12).
func (s *Server) sendBack(w http.ResponseWriter, r *http.Request, t transaction) {
	// It was checked when the transaction was sealed; once more costs nothing
	// (A10).
	local, err := s.localPath(t.ReturnTo)
	if err != nil {
		local = "/"
	}
	if s.needsTicket(local) {
		s.hopPage(w, s.language(r, t.Language), local)
		return
	}
	redirect(w, http.StatusSeeOther, local)
}

// signInRefused counts a callback that gave no session, and returns err as that.
func (s *Server) signInRefused(p pending, err error) error {
	reason := oidc.Reason(err)
	var own *Refusal
	switch {
	case errors.Is(err, session.ErrSignedOut):
		reason = errMeanwhile.Code
	case errors.Is(err, errElsewhere):
		reason = "callback_mismatch"
	case reason == "internal" && errors.As(err, &own):
		reason = own.Code
	}
	s.Count.SignInRefused(reason)
	return audited{err, session.EventSignInRefused, reason, p.request.Provider, p.ReturnTo, p.Language}
}
