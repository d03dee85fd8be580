package main_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"
)

// fingerprint names a token.
type fingerprint [16]byte

func fingerprintOf(token string) fingerprint {
	sum := sha256.Sum256([]byte(token))
	return fingerprint(sum[:16])
}

// generation is one refresh token of a sign-in, and what is known of it.
type generation struct {
	sub      string
	next     *generation // what it was exchanged for
	issued   *exchange   // the call that brought it
	uses     int         // calls that may have consumed it
	unclear  int         // of these, those that were not processed and that the caller could not tell
	durable  time.Time   // when it was first seen that Cloakroom had it for good
	refused  time.Time   // when the provider refused it for good
	lastSeen time.Time
}

// exchange is a call that gave tokens.
type exchange struct {
	arrived   time.Time
	processed time.Time
	answered  time.Time // zero: held back, or nobody there any more
	lost      bool      // a fault made the answer useless
}

// accessToken is what the API knows of an access token.
type accessToken struct {
	sub     string
	gen     *generation // the refresh token that came with it
	expires time.Time
}

// ledger follows every refresh token and every access token. Its verdicts come
// from what provider and API saw.
type ledger struct {
	ledgerMu sync.Mutex
	ttl      time.Duration
	refresh  map[fingerprint]*generation
	access   map[fingerprint]*accessToken
	newest   map[string]*generation // by sub: the first of the latest sign-in, until it is taken

	renewals, refusals int
	stale              int // calls that took so long that their token expired on the way
	violations         []string
	tally              map[string]int // of violations, by kind
}

func newLedger(ttl time.Duration) *ledger {
	return &ledger{
		ttl: ttl, refresh: map[fingerprint]*generation{}, access: map[fingerprint]*accessToken{},
		newest: map[string]*generation{}, tally: map[string]int{},
	}
}

// The kinds of violations.
const (
	replayed     = "refresh token used after its successor was durable"
	thirdUse     = "refresh token used more than twice"
	wrongUser    = "call with another user's token"
	expiredToken = "call with an expired token"
	unknownToken = "call with a token that nobody issued"
	strayToken   = "refresh token that nobody issued"
)

// violate notes a broken rule. Callers hold ledgerMu.
func (l *ledger) violate(kind, format string, args ...any) {
	if l.tally[kind]++; l.tally[kind] <= 10 {
		l.violations = append(l.violations, kind+": "+fmt.Sprintf(format, args...))
	}
}

// presented notes a refresh token that arrived at the provider.
func (l *ledger) presented(token string, f soakFault) {
	now := time.Now()
	l.ledgerMu.Lock()
	defer l.ledgerMu.Unlock()
	g := l.refresh[fingerprintOf(token)]
	if g == nil {
		l.violate(strayToken, "%d characters", len(token))
		return
	}
	// Whoever presents it has it from the file.
	g.markDurable(now)
	if g.next != nil && !g.next.durable.IsZero() {
		l.violate(replayed, "%s, %v after", g.sub, now.Sub(g.next.durable))
	}
	if f.before != nil && !f.unclear {
		return // the caller knows that it was not consumed
	}
	if g.uses++; g.uses > 2 {
		l.violate(thirdUse, "%s, use %d", g.sub, g.uses)
	}
	if f.unclear {
		g.unclear++
	}
}

func (g *generation) markDurable(now time.Time) {
	g.lastSeen = now
	if g.durable.IsZero() {
		g.durable = now
	}
}

// exchanged notes the provider's answer to a code or, with old, to a renewal: e.
func (l *ledger) exchanged(old string, a *httptest.ResponseRecorder, e *exchange) {
	now := time.Now()
	e.processed = now
	var body struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Error   string
	}
	_ = json.Unmarshal(a.Body.Bytes(), &body) // what is no answer has no tokens
	l.ledgerMu.Lock()
	defer l.ledgerMu.Unlock()
	before := l.refresh[fingerprintOf(old)]
	if body.Refresh == "" {
		if before != nil && body.Error == "invalid_grant" {
			before.refused = now
			l.refusals++
		}
		return
	}
	g := &generation{issued: e, sub: subOf(body.Access)}
	l.refresh[fingerprintOf(body.Refresh)] = g
	l.access[fingerprintOf(body.Access)] = &accessToken{sub: g.sub, gen: g, expires: now.Add(l.ttl)}
	if before == nil {
		l.newest[g.sub] = g
		return
	}
	before.next = g
	l.renewals++
}

// sent notes that an answer has left the provider.
func (l *ledger) sent(e *exchange) {
	l.ledgerMu.Lock()
	defer l.ledgerMu.Unlock()
	e.answered = time.Now()
}

// signedIn returns the sign-in that sub has just finished.
func (l *ledger) signedIn(sub string) *generation {
	l.ledgerMu.Lock()
	defer l.ledgerMu.Unlock()
	return l.newest[sub]
}

// subOf reads the sub of a JWT.
func subOf(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct{ Sub string }
	_ = json.Unmarshal(payload, &claims)
	return claims.Sub
}

// How a user's browser tells the API who the ticket is of, and when it called.
const (
	userHeader = "X-Soak-User"
	sentHeader = "X-Soak-Sent" // in µs
)

// onTheWay is how much life a token has left at least when it is put on a call.
// On a machine that stands still for longer it may expire on the way.
func (l *ledger) onTheWay() time.Duration { return l.ttl / 10 * 8 / 10 }

// ServeAPI is the upstream: it compares each token with the user whose cookie
// it was put on for.
func (l *ledger) ServeAPI(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	l.ledgerMu.Lock()
	a, sub := l.access[fingerprintOf(token)], ""
	switch {
	case a == nil:
		l.violate(unknownToken, "%s", r.Header.Get(userHeader))
	default:
		sub = a.sub
		a.gen.markDurable(now)
		if a.sub != r.Header.Get(userHeader) {
			l.violate(wrongUser, "%s got %s's", r.Header.Get(userHeader), a.sub)
		}
		sent, _ := strconv.ParseInt(r.Header.Get(sentHeader), 10, 64)
		began := time.UnixMicro(sent)
		switch {
		case now.Before(a.expires):
		case began.Before(a.expires) && now.Sub(began) > l.onTheWay():
			l.stale++
		default:
			l.violate(expiredToken, "%s, since %v", a.sub, now.Sub(a.expires))
		}
	}
	l.ledgerMu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"sub": sub})
}
