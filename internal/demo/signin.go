package demo

import (
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

// ErrNoCallback means that a sign-in did not end with a redirect back to the
// client: the provider or the relying party showed a page instead.
var ErrNoCallback = errors.New("demo: no redirect to the client")

var interactionField = regexp.MustCompile(`name="interaction" value="([^"]*)"`)

// SignIn acts as the user's browser: it opens authURL, follows redirects to
// the provider, submits the login page as username if there is one, and
// returns the redirect to the client without following it. authURL may also
// be the relying party's own login page. hc gives transport and cookie jar
// and is not changed; nil means an empty jar. The error is ErrNoCallback if
// the redirect does not come.
func (p *Provider) SignIn(hc *http.Client, authURL, username string) (*url.URL, error) {
	return p.browse(hc, authURL, url.Values{"username": {username}})
}

// Deny acts as a user who refuses on the login page; otherwise like SignIn.
func (p *Provider) Deny(hc *http.Client, authURL string) (*url.URL, error) {
	return p.browse(hc, authURL, url.Values{"action": {"deny"}})
}

func (p *Provider) browse(hc *http.Client, authURL string, choice url.Values) (*url.URL, error) {
	b := browser{}
	if hc != nil {
		b.hc = *hc
	} else {
		b.hc.Jar, _ = cookiejar.New(nil) // never fails without options
	}
	b.hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

	at, err := url.Parse(authURL)
	if err != nil {
		return nil, fmt.Errorf("demo: sign in: %w", err)
	}
	method, form := http.MethodGet, url.Values(nil)
	for range 10 {
		location, body, err := b.open(method, at, form)
		if err != nil {
			return nil, fmt.Errorf("demo: sign in: %w", err)
		}
		here := p.owns(at)
		if location != nil {
			if here && !p.owns(location) {
				return location, nil
			}
			method, at, form = http.MethodGet, location, nil
			continue
		}
		m := interactionField.FindSubmatch(body)
		if !here || m == nil || form != nil {
			return nil, fmt.Errorf("%w: stopped at %s%s", ErrNoCallback, at.Host, at.Path)
		}
		form = url.Values{"interaction": {html.UnescapeString(string(m[1]))}}
		for k, v := range choice {
			form[k] = v
		}
		method = http.MethodPost
		if at, err = url.Parse(p.cfg.Issuer + "/login"); err != nil {
			return nil, fmt.Errorf("demo: sign in: %w", err)
		}
	}
	return nil, fmt.Errorf("%w: too many redirects", ErrNoCallback)
}

// owns reports whether u is below the issuer.
func (p *Provider) owns(u *url.URL) bool {
	return u.String() == p.cfg.Issuer || strings.HasPrefix(u.String(), p.cfg.Issuer+"/")
}

type browser struct{ hc http.Client }

// open makes one navigation and returns where it leads to, or the page.
func (b *browser) open(method string, at *url.URL, form url.Values) (*url.URL, []byte, error) {
	req, err := http.NewRequest(method, at.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Dest", "document")
	req.Header.Set("Sec-Fetch-User", "?1")
	req.Header.Set("Sec-Fetch-Site", "none")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		req.Header.Set("Origin", at.Scheme+"://"+at.Host)
	}
	res, err := b.hc.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode >= 300 && res.StatusCode < 400 {
		location, err := res.Location()
		return location, nil, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	return nil, body, err
}
