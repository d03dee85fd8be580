package web

import (
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gorilla/securecookie"

	"github.com/cloakroom/cloakroom/session"
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
