package web

import (
	"net/http"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/cloakroom/cloakroom/session/oidc"
)

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
