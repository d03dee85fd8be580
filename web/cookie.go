package web

import (
	"maps"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gorilla/securecookie"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// The bounds of login transactions, all of them in cookies: a flood of logins
// writes nothing on the server (A8), and cannot fill the browser's headers.
const (
	loginMaxAge  = 10 * time.Minute
	maxLogins    = 5
	maxLoginSize = 6 << 10 // bytes, names and values of all of them
)

// CookieConfig describes the session cookie.
type CookieConfig struct {
	Name   string        // without prefix
	Lax    bool          // SameSite=Lax instead of Strict
	MaxAge time.Duration // 0: until the browser closes
}

// cookies seals and reads this server's own cookies.
type cookies struct {
	ticketName string
	loginName  string // prefix of the names of login cookies
	logoutName string
	secure     bool
	config     CookieConfig

	sealers atomic.Pointer[sealers] // replaced as a whole when the server keys change
}

// sealers have one codec per server key, newest first. The first seals, all
// open. known has what the ticket's codecs have opened.
type sealers struct {
	ticket, login []*securecookie.SecureCookie
	known         *known
}

// newCookies returns cookies named __Host-… (Secure, Path=/, no Domain: the
// browser itself holds other hosts off). Without TLS, on loopback, those names
// and Secure would be refused by some browsers: they are named cloakroom-….
func newCookies(c CookieConfig, keys *session.Keyring, secure bool) *cookies {
	prefix := "__Host-"
	if !secure {
		prefix = "cloakroom-"
	}
	out := &cookies{
		ticketName: prefix + c.Name, loginName: prefix + "login-", logoutName: prefix + "logout",
		secure: secure, config: c,
	}
	out.setKeys(keys)
	return out
}

// setKeys seals with the first of keys from now on, and opens with all of them.
func (c *cookies) setKeys(keys *session.Keyring) {
	c.sealers.Store(&sealers{ticket: codecs(keys, "ticket", 0), login: codecs(keys, "login", loginMaxAge), known: newKnown()})
}

// codecs returns a codec for each server key. Tickets have no age here: how
// long a session lives is decided by the server, not by its cookie.
func codecs(keys *session.Keyring, purpose string, maxAge time.Duration) []*securecookie.SecureCookie {
	hash, block := keys.Derive("cookie "+purpose+" hash"), keys.Derive("cookie "+purpose+" block")
	out := make([]*securecookie.SecureCookie, len(hash))
	for i := range hash {
		out[i] = securecookie.New(hash[i], block[i]).
			SetSerializer(securecookie.NopEncoder{}).MaxAge(int(maxAge / time.Second))
	}
	return out
}

// own reports whether name is one of ours, so that it goes to no upstream and
// no upstream sets it.
func (c *cookies) own(name string) bool {
	return strings.EqualFold(name, c.ticketName) || strings.EqualFold(name, c.logoutName) ||
		len(name) >= len(c.loginName) && strings.EqualFold(name[:len(c.loginName)], c.loginName)
}

// readTicket returns the ticket that r presents. Two cookies of the name are
// none: somebody else put one of them there (E14).
func (c *cookies) readTicket(r *http.Request) (session.Ticket, bool) {
	value, ok := onlyCookie(r.Header["Cookie"], c.ticketName)
	if !ok {
		return session.Ticket{}, false
	}
	sealers := c.sealers.Load()
	if t, ok := sealers.known.ticket(value); ok {
		return t, true
	}
	var t session.Ticket
	raw, ok := unseal(sealers.ticket, c.ticketName, value)
	if !ok || t.UnmarshalBinary(raw) != nil {
		return session.Ticket{}, false
	}
	sealers.known.remember(value, t)
	return t, true
}

// onlyCookie returns the value of the one cookie of that name, as it was sent, from
// the fields of a request (RFC 6265 section 4.2.1).
func onlyCookie(fields []string, name string) (value string, ok bool) {
	for _, field := range fields {
		for pair := range strings.SplitSeq(field, ";") {
			n, v, _ := strings.Cut(pair, "=")
			if strings.Trim(n, " \t") != name {
				continue
			}
			if ok {
				return "", false
			}
			value, ok = strings.Trim(v, " \t"), true
		}
	}
	return value, ok
}

func (c *cookies) setTicket(w http.ResponseWriter, t session.Ticket) error {
	raw, err := t.MarshalBinary()
	if err != nil {
		return err
	}
	value, err := c.sealers.Load().ticket[0].Encode(c.ticketName, raw)
	if err != nil {
		return err
	}
	c.set(w, c.ticketName, value, int(c.config.MaxAge/time.Second), c.ticketSameSite())
	return nil
}

func (c *cookies) clearTicket(w http.ResponseWriter) {
	c.set(w, c.ticketName, "", expired, c.ticketSameSite())
}

func (c *cookies) ticketSameSite() http.SameSite {
	if c.config.Lax {
		return http.SameSiteLaxMode
	}
	return http.SameSiteStrictMode
}

// expired is the maxAge that removes a cookie.
const expired = -1

// set writes one of our cookies; maxAge is in seconds, 0 until the browser
// closes. Those that expire a cookie have the very attributes of those that set
// it, else the browser would keep it.
func (c *cookies) set(w http.ResponseWriter, name, value string, maxAge int, site http.SameSite) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	maps.DeleteFunc(h, func(name string, _ []string) bool { return overrules(name) })
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", HttpOnly: true, Secure: c.secure, SameSite: site, MaxAge: maxAge,
	})
}

// overrules reports whether some caches obey a header of that name instead of
// Cache-Control (RFC 9213 and what there was before it).
func overrules(name string) bool {
	switch name {
	case "Surrogate-Control", "Edge-Control", "X-Accel-Expires":
		return true
	}
	return strings.HasSuffix(name, "-Cache-Control")
}

// overruled reports whether h has such a header.
func overruled(h http.Header) bool {
	for name := range h {
		if overrules(name) {
			return true
		}
	}
	return false
}

func unseal(codecs []*securecookie.SecureCookie, name, value string) ([]byte, bool) {
	for _, codec := range codecs {
		var raw []byte
		if codec.Decode(name, value, &raw) == nil {
			return raw, true
		}
	}
	return nil, false
}

// transaction is one sign-in under way, sealed in a cookie of its own. Once it
// is finished only where it led to is left of it.
type transaction struct {
	Request  *oidc.AuthRequest // nil: finished
	Previous []byte            // the ticket presented at its start
	Quiet    bool              // prompt=none: no page in answer to a refusal
	ReturnTo string
	Language string // that ui_locales asked for, as a tag; empty: none
}

// The first byte of a marshalled transaction, and what is added to it if a language
// follows.
const (
	stateFinished = 1 + iota
	statePending
	statePendingQuiet

	inLanguage = 0x40
)

// MarshalBinary is compact: with the longest return_to, sealed and encoded, it
// must stay under the 4096 bytes that browsers keep of a cookie (E5).
func (t transaction) MarshalBinary() ([]byte, error) {
	if t.Request == nil {
		return append([]byte{stateFinished}, t.ReturnTo...), nil
	}
	request, err := t.Request.MarshalBinary()
	if err != nil {
		return nil, err
	}
	state := byte(statePending)
	if t.Quiet {
		state = statePendingQuiet
	}
	b := []byte{state}
	if t.Language != "" {
		b = append([]byte{state | inLanguage, byte(len(t.Language))}, t.Language...)
	}
	b = append(append(b, byte(len(t.Previous))), t.Previous...)
	return append(b, request...), nil
}

// UnmarshalBinary reads what MarshalBinary wrote.
func (t *transaction) UnmarshalBinary(b []byte) error {
	switch {
	case len(b) >= 1 && b[0] == stateFinished:
		*t = transaction{ReturnTo: string(b[1:])}
		return nil
	case len(b) == 0 || b[0]&^inLanguage > statePendingQuiet:
		return errTransaction
	}
	var language, previous []byte
	state, rest, ok := b[0], b[1:], true
	if state&inLanguage != 0 {
		language, rest, ok = cutCounted(rest)
	}
	if ok {
		previous, rest, ok = cutCounted(rest)
	}
	var request oidc.AuthRequest
	if !ok || request.UnmarshalBinary(rest) != nil {
		return errTransaction
	}
	*t = transaction{
		Request: &request, Previous: previous, Quiet: state&^inLanguage == statePendingQuiet,
		ReturnTo: request.ReturnTo, Language: string(language),
	}
	return nil
}

// cutCounted takes off b what its first byte counts.
func cutCounted(b []byte) (counted, rest []byte, ok bool) {
	if len(b) == 0 || len(b)-1 < int(b[0]) {
		return nil, nil, false
	}
	return b[1 : 1+int(b[0])], b[1+int(b[0]):], true
}

// idLength is how much of state names the cookie.
const idLength = 12

// loginCookie is the name of the cookie for state, begun at now. Names sort by
// age.
func (c *cookies) loginCookie(state string, now time.Time) string {
	return c.loginName + strconv.FormatInt(now.Unix(), 36) + "-" + state[:idLength]
}

// saveLogin adds a transaction's cookie, and expires the oldest ones beyond the
// bounds.
func (c *cookies) saveLogin(w http.ResponseWriter, r *http.Request, name string, t transaction) error {
	value, err := c.sealLogin(name, t)
	if err != nil {
		return err
	}
	c.set(w, name, value, int(loginMaxAge/time.Second), http.SameSiteLaxMode)
	var others []*http.Cookie
	for _, cookie := range r.Cookies() {
		if strings.HasPrefix(cookie.Name, c.loginName) && cookie.Name != name {
			others = append(others, cookie)
		}
	}
	sort.Slice(others, func(i, j int) bool { return others[i].Name > others[j].Name })
	size, kept := len(name)+len(value), 1
	for _, cookie := range others {
		size += len(cookie.Name) + len(cookie.Value)
		if kept++; kept > maxLogins || size > maxLoginSize {
			c.set(w, cookie.Name, "", expired, http.SameSiteLaxMode)
		}
	}
	return nil
}

func (c *cookies) sealLogin(name string, t transaction) (string, error) {
	raw, err := t.MarshalBinary()
	if err != nil {
		return "", err
	}
	return c.sealers.Load().login[0].Encode(name, raw)
}

// readLogin returns the transaction that state belongs to, and its cookie's
// name.
func (c *cookies) readLogin(r *http.Request, state string) (transaction, string, bool) {
	if len(state) < idLength {
		return transaction{}, "", false
	}
	suffix := "-" + state[:idLength]
	var found []*http.Cookie
	for _, cookie := range r.Cookies() {
		if strings.HasPrefix(cookie.Name, c.loginName) && strings.HasSuffix(cookie.Name, suffix) {
			found = append(found, cookie)
		}
	}
	if len(found) != 1 {
		return transaction{}, "", false
	}
	var t transaction
	raw, ok := unseal(c.sealers.Load().login, found[0].Name, found[0].Value)
	if !ok || t.UnmarshalBinary(raw) != nil {
		return transaction{}, "", false
	}
	return t, found[0].Name, true
}

// finishLogin leaves of a transaction only where it led to, so that the same
// callback opened again ends at the same page.
func (c *cookies) finishLogin(w http.ResponseWriter, name string, t transaction) error {
	value, err := c.sealLogin(name, transaction{ReturnTo: t.ReturnTo})
	if err != nil {
		return err
	}
	c.set(w, name, value, int(loginMaxAge/time.Second), http.SameSiteLaxMode)
	return nil
}
