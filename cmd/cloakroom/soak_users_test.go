package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// soakUser is one user with one browser.
type soakUser struct {
	name, sub string
	hc        *http.Client

	mu       sync.RWMutex // held for writing while signing in or out
	signedIn bool
	leaving  bool        // a sign-out was begun: it may have worked
	session  *generation // the sign-in that the cookie is of

	callsMu sync.Mutex
	calls   []span // since the sign-in
}

// span is when something was under way.
type span struct{ from, to time.Time }

func (s span) touches(o span) bool { return !s.from.After(o.to) && !o.from.After(s.to) }

// fromAddress gives each user an address of their own, as a proxy in front would.
type fromAddress struct {
	http.RoundTripper
	address string
}

func (f fromAddress) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", f.address)
	return f.RoundTripper.RoundTrip(r)
}

func newSoakUser(n int, shared http.RoundTripper) *soakUser {
	jar, _ := cookiejar.New(nil) // never fails without options
	address := fmt.Sprintf("10.%d.%d.%d", n>>16&255, n>>8&255, n&255)
	return &soakUser{
		name: fmt.Sprintf("user-%05d", n), sub: fmt.Sprintf("u-%05d", n),
		hc: &http.Client{
			Jar: jar, Timeout: 20 * time.Second, Transport: fromAddress{shared, address},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// reply is one whole answer.
type reply struct {
	status       int
	body         string
	code         string // of a problem; "" if it is none
	contentType  string
	retryAfter   string
	cookieBefore string
}

// call makes one call as a page of the app does. The error means that there was
// no whole answer.
func (u *soakUser) call(ctx context.Context, origin, method, path string) (reply, span, error) {
	r, err := http.NewRequestWithContext(ctx, method, origin+path, nil)
	if err != nil {
		return reply{}, span{}, err
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", origin)
	r.Header.Set(userHeader, u.sub)
	got := reply{}
	for _, c := range u.hc.Jar.Cookies(r.URL) {
		got.cookieBefore += c.Name + "=" + c.Value + "; "
	}
	s := span{from: time.Now()}
	r.Header.Set(sentHeader, strconv.FormatInt(s.from.UnixMicro(), 10))
	res, err := u.hc.Do(r)
	var body []byte
	if err == nil {
		body, err = io.ReadAll(res.Body)
		_ = res.Body.Close()
	}
	s.to = time.Now()
	if err != nil {
		return reply{}, s, err
	}
	got.status, got.body = res.StatusCode, string(body)
	got.contentType, got.retryAfter = res.Header.Get("Content-Type"), res.Header.Get("Retry-After")
	if got.contentType == "application/problem+json" {
		var p struct{ Code string }
		if json.Unmarshal(body, &p) == nil {
			got.code = p.Code
		}
	}
	return got, s, nil
}

func (u *soakUser) note(s span) {
	u.callsMu.Lock()
	defer u.callsMu.Unlock()
	u.calls = append(u.calls, s)
}

// remember signs the user in at the provider.
func (u *soakUser) remember(p *soakIDP) error {
	at, err := url.Parse(p.Issuer())
	if err != nil {
		return err
	}
	cookie, err := p.Remembered(u.name)
	if err != nil {
		return err
	}
	u.hc.Jar.SetCookies(at, []*http.Cookie{cookie})
	return nil
}

// signIn signs the user in; u.mu is held for writing.
func (u *soakUser) signIn(x *soak) error {
	callback, err := x.provider.SignIn(u.hc, x.origin+"/bff/login", u.name)
	if err != nil {
		return err
	}
	r, err := http.NewRequest(http.MethodGet, callback.String(), nil)
	if err != nil {
		return err
	}
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	res, err := u.hc.Do(r)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusSeeOther {
		return fmt.Errorf("the callback answers %d", res.StatusCode)
	}
	u.signedIn, u.leaving, u.session, u.calls = true, false, x.provider.signedIn(u.sub), nil
	x.count.signIns.Add(1)
	return nil
}

// work makes calls for random users until ctx ends.
func (x *soak) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-x.tickets:
		}
		u := x.users[rand.N(len(x.users))]
		if !x.present(u) {
			continue
		}
		switch n := rand.N(1000); {
		case n < 3:
			x.signOut(ctx, u)
		case n < 40:
			x.visit(ctx, u, "POST", "/bff/session/renew")
		case n < 100:
			x.visit(ctx, u, "GET", "/bff/user")
		default:
			x.visit(ctx, u, "GET", "/api/orders")
		}
	}
}

// present makes sure that the user is signed in, and reports whether it worked.
func (x *soak) present(u *soakUser) bool {
	u.mu.RLock()
	in := u.signedIn
	u.mu.RUnlock()
	if in {
		return true
	}
	if !u.mu.TryLock() {
		return false // somebody is at it
	}
	defer u.mu.Unlock()
	if u.signedIn {
		return true
	}
	if err := u.signIn(x); err != nil {
		x.count.failedSignIns.Add(1)
		return false
	}
	return true
}

// visit makes one call of a user who is signed in and judges the answer. It
// reports whether the user got what was asked for.
func (x *soak) visit(ctx context.Context, u *soakUser, method, path string) bool {
	u.mu.RLock()
	in, session := u.signedIn, u.session
	if !in {
		u.mu.RUnlock()
		return false
	}
	got, s, err := u.call(ctx, x.origin, method, path)
	u.note(s)
	u.mu.RUnlock()
	if !x.judgeAnswer(u, method+" "+path, answered{got, s, err}) {
		return err == nil && got.status == http.StatusOK
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.session != session || !u.signedIn {
		return false // somebody else found out first
	}
	u.signedIn = false
	if !u.leaving {
		x.lost(u, s)
	}
	return false
}

// signOut signs a user out. After the answer the old ticket opens nothing.
func (x *soak) signOut(ctx context.Context, u *soakUser) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.signedIn {
		return
	}
	u.leaving = true
	got, s, err := u.call(ctx, x.origin, "POST", "/bff/logout")
	if err != nil || got.status != http.StatusOK {
		x.judgeAnswer(u, "POST /bff/logout", answered{got, s, err})
		return
	}
	u.signedIn = false
	x.count.signOuts.Add(1)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, x.origin+"/api/orders", nil)
	if err != nil {
		return
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Cookie", strings.TrimSuffix(got.cookieBefore, "; "))
	r.Header.Set(userHeader, u.sub)
	res, err := x.shared.RoundTrip(r)
	if err != nil {
		return
	}
	_ = res.Body.Close()
	if res.StatusCode == http.StatusOK {
		x.wrong("a ticket works after the logout was answered")
	}
}

// soakCounts are the figures of the users' side.
type soakCounts struct {
	calls, right, unanswered, signIns, failedSignIns, signOuts atomic.Int64
}
