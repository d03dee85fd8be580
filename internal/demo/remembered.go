package demo

import (
	"fmt"
	"net/http"
)

// Remembered returns the cookie of a browser in which the user has signed in at
// the provider before: with it a sign-in passes without a page. The error names a
// user that the provider does not know.
func (p *Provider) Remembered(username string) (*http.Cookie, error) {
	user, ok := p.user(username)
	if !ok {
		return nil, fmt.Errorf("demo: no user %q", username)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, line := p.signIn(user)
	return http.ParseSetCookie(line)
}
