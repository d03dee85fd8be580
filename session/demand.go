package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Auth says whether a route needs a session.
type Auth string

// The values of Auth.
const (
	AuthRequired Auth = "required" // no call without a session
	AuthOptional Auth = "optional" // with the session, if there is one
	AuthNone     Auth = "none"     // never with a session, even if there is one
)

// Documents says whether a route's answers may be opened as a page.
type Documents string

// The values of Documents.
const (
	DocumentsNone       Documents = "none"       // calls only
	DocumentsAllow      Documents = "allow"      // navigations too
	DocumentsAttachment Documents = "attachment" // navigations too, to save, never to show
	DocumentsApp        Documents = "app"        // the application's own pages, scripts and styles, with its own rules
)

// Demand is what a route asks of the request before it is forwarded.
type Demand struct {
	Auth      Auth
	Documents Documents
	Activity  bool // whether the call keeps the session from idling out
	WebSocket bool // whether the route takes WebSocket handshakes

	// ACRValues are the authentication contexts (acr) of which the sign-in must have
	// had one; none: any will do. MaxAge is how long ago the user may have
	// authenticated (auth_time); 0: however long. Both as in RFC 9470.
	ACRValues []string
	MaxAge    time.Duration

	Require []Rule // all of them must hold
}

// Rule is a condition on what the provider says of the user.
type Rule struct {
	// Claim is the claim's name, or a path with dots into one that is an object, such
	// as realm_access.roles. A claim whose name has dots comes first.
	Claim string

	// The claim, or one of its items if it is a list, must be one of Any; and each of
	// All must be it or among them. Empty: no matter.
	Any, All []string
}

// StepUp is an error: the user must authenticate again, better or more recently (RFC
// 9470, 3). Both values have only characters that OAuth allows there.
type StepUp struct {
	Provider  string // where the session is from
	ACRValues string // space-separated, in order of preference; empty: no matter
	MaxAge    string // whole seconds; empty: no matter
}

// Error describes the demand.
func (s *StepUp) Error() string {
	return fmt.Sprintf("session: stronger authentication needed (acr_values %q, max_age %q)", s.ACRValues, s.MaxAge)
}

// ErrNotPermitted means that the session is good but its user is not among those who
// may: signing in again as the same one does not help.
var ErrNotPermitted = errors.New("session: a rule on its claims does not hold")

// ageLeeway is how much older than Demand.MaxAge an authentication may be: more than a
// sign-in allows for clocks that differ, and the way back from it takes. Else one that
// was just accepted could be refused here, and go round in circles.
const ageLeeway = 30 * time.Second

// Check reports whether s satisfies the demand, what its user is first and then how
// they signed in: ErrNotPermitted, or a *StepUp.
func (d *Demand) Check(s *Session) error {
	if len(d.ACRValues) == 0 && d.MaxAge == 0 && len(d.Require) == 0 {
		return nil
	}
	c := s.content.Load()
	for i := range d.Require {
		if !c.meets(&d.Require[i]) {
			return fmt.Errorf("%w: %s", ErrNotPermitted, d.Require[i].Claim)
		}
	}
	weak := len(d.ACRValues) > 0 && !slices.Contains(d.ACRValues, c.ACR)
	old := d.MaxAge > 0 && (c.AuthTime.IsZero() || s.m.now().Sub(c.AuthTime) > d.MaxAge+ageLeeway)
	if !weak && !old {
		return nil
	}
	step := &StepUp{Provider: s.who.Provider, ACRValues: strings.Join(d.ACRValues, " ")}
	if d.MaxAge > 0 {
		step.MaxAge = strconv.FormatInt(int64(d.MaxAge/time.Second), 10)
	}
	return step
}

// verdict on a rule is remembered with a token set: claims are parsed once for each
// rule, not for each call.
type ruling struct {
	rule *Rule
	ok   bool
}

// meets reports whether r holds. r must be the same pointer for the same rule.
func (v *version) meets(r *Rule) bool {
	known := v.rulings.Load()
	if known != nil {
		for _, k := range *known {
			if k.rule == r {
				return k.ok
			}
		}
	}
	found := ruling{r, r.holds(v.Claims)}
	list := []ruling{found}
	if known != nil {
		list = append(list, *known...)
	}
	v.rulings.Store(&list) // another call may have stored its own meanwhile: it asks again
	return found.ok
}

// holds reports whether r holds for claims, a JSON object.
func (r *Rule) holds(claims json.RawMessage) bool {
	raw, ok := claimAt(claims, r.Claim)
	if !ok {
		return false
	}
	values := claimValues(raw)
	has := func(v string) bool { return slices.Contains(values, v) }
	if len(r.Any) > 0 && !slices.ContainsFunc(r.Any, has) {
		return false
	}
	return !slices.ContainsFunc(r.All, func(v string) bool { return !has(v) })
}

// claimAt returns the claim of that name, or else what the path leads to.
func claimAt(raw json.RawMessage, name string) (json.RawMessage, bool) {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil {
		return nil, false
	}
	if v, ok := object[name]; ok {
		return v, true
	}
	first, rest, nested := strings.Cut(name, ".")
	if !nested || object[first] == nil {
		return nil, false
	}
	return claimAt(object[first], rest)
}

// claimValues returns a claim's value as text, or those of its items. Objects, null
// and lists within lists have none.
func claimValues(raw json.RawMessage) []string {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		items = []json.RawMessage{raw}
	}
	var out []string
	for _, item := range items {
		var text string
		switch {
		case json.Unmarshal(item, &text) == nil && string(item) != "null":
			out = append(out, text)
		case len(item) > 0 && strings.IndexByte("{[n", item[0]) < 0:
			out = append(out, string(item))
		}
	}
	return out
}
