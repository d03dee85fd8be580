package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// A long demo must not fill the memory: beyond these the older half goes.
const (
	maxCalls   = 20_000
	maxSecrets = 100_000
)

// Call is what the provider wrote down about one request. It holds secrets.
type Call struct {
	// Endpoint is discovery, jwks, authorize, login, token, revocation,
	// userinfo or end_session; or backchannel_logout, which is the provider's own
	// call to a client.
	Endpoint string

	Time                            time.Time // of arrival, by the provider's clock
	GrantType, ClientID, AuthMethod string    // what was presented, good or not
	Form                            url.Values
	Header                          http.Header

	Status int    // 0 until the answer is ready to be sent
	Error  string // the OAuth error code that was answered

	TokenHash  string // Hash of the presented code or token
	ReplacedBy string // Hash of the refresh token that a grant returned
}

// grant names the token endpoint's two grants for Calls, Wait and FailNext.
func (c Call) grant() string {
	switch c.GrantType {
	case grantCode:
		return "code"
	case grantRefresh:
		return "refresh"
	}
	return ""
}

// Hash is how a Call shows a secret: SHA-256 in hex, empty for an empty one.
func Hash(secret string) string {
	if secret == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Secret is something that must not turn up in a browser, a log or a file.
type Secret struct {
	Kind  string // code, access_token, refresh_token, id_token, verifier, assertion or logout_token
	Value string
}

type journal struct {
	journalMu sync.Mutex
	changed   chan struct{} // closed and replaced at every change
	calls     []*Call
	arrived   map[string]int
	done      map[string]int
	secrets   []Secret
}

func newJournal() *journal {
	return &journal{changed: make(chan struct{}), arrived: map[string]int{}, done: map[string]int{}}
}

func (j *journal) notify() {
	close(j.changed)
	j.changed = make(chan struct{})
}

func count(m map[string]int, c Call) {
	m[c.Endpoint]++
	if g := c.grant(); g != "" {
		m[g]++
	}
}

func (j *journal) arrive(c Call) *Call {
	j.journalMu.Lock()
	defer j.journalMu.Unlock()
	if len(j.calls) >= maxCalls {
		j.calls = append([]*Call(nil), j.calls[maxCalls/2:]...)
	}
	j.calls = append(j.calls, &c)
	count(j.arrived, c)
	j.notify()
	return &c
}

func (j *journal) finish(entry *Call, c Call) {
	j.journalMu.Lock()
	defer j.journalMu.Unlock()
	*entry = c
	count(j.done, c)
	j.notify()
}

func (j *journal) issue(kind, value string) {
	if value == "" {
		return
	}
	j.journalMu.Lock()
	defer j.journalMu.Unlock()
	if len(j.secrets) >= maxSecrets {
		j.secrets = append([]Secret(nil), j.secrets[maxSecrets/2:]...)
	}
	j.secrets = append(j.secrets, Secret{Kind: kind, Value: value})
}

// Journal returns every call in the order of arrival, those that are still
// being answered too.
func (j *journal) Journal() []Call { return j.Calls("") }

// Calls returns the calls to one endpoint in the order of arrival; "code" and
// "refresh" select the token endpoint's grants, "" everything.
func (j *journal) Calls(endpoint string) []Call {
	j.journalMu.Lock()
	defer j.journalMu.Unlock()
	var out []Call
	for _, c := range j.calls {
		if endpoint == "" || endpoint == c.Endpoint || endpoint == c.grant() {
			out = append(out, *c)
		}
	}
	return out
}

// Wait blocks until n calls to the endpoint (named as in Calls) have arrived
// since the start, answered or not. It returns an error after timeout.
func (j *journal) Wait(endpoint string, n int, timeout time.Duration) error {
	return j.wait(j.arrived, endpoint, n, timeout)
}

// WaitDone blocks like Wait until n calls have taken effect and been
// answered, or would have been if the answer was to be dropped.
func (j *journal) WaitDone(endpoint string, n int, timeout time.Duration) error {
	return j.wait(j.done, endpoint, n, timeout)
}

func (j *journal) wait(m map[string]int, endpoint string, n int, timeout time.Duration) error {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		j.journalMu.Lock()
		got, changed := m[endpoint], j.changed
		j.journalMu.Unlock()
		if got >= n {
			return nil
		}
		select {
		case <-changed:
		case <-timer.C:
			return fmt.Errorf("demo: %d calls to %s after %v, want %d", got, endpoint, timeout, n)
		}
	}
}

// Secrets returns everything that was ever issued, and the verifiers and
// assertions that were presented, for searching other people's output.
func (j *journal) Secrets() []Secret {
	j.journalMu.Lock()
	defer j.journalMu.Unlock()
	return append([]Secret(nil), j.secrets...)
}

// Issued returns the values of Secrets.
func (j *journal) Issued() []string {
	var out []string
	for _, s := range j.Secrets() {
		out = append(out, s.Value)
	}
	return out
}
