package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// header is one that every call of the load carries.
type header struct{ name, value string }

// headers are those that a browser's fetch sends, or some of them; the same for
// all contenders but for the cookie, which is the i-th session's.
func (c *contender) headers(i int) []header {
	h := []header{
		{"Accept", "application/json"},
		{"User-Agent", agent},
		{"Sec-Fetch-Site", "same-origin"},
		{"Sec-Fetch-Mode", "cors"},
		{"Sec-Fetch-Dest", "empty"},
	}
	if len(c.cookies) > 0 {
		h = append(h, header{"Cookie", c.cookies[i%len(c.cookies)]})
	}
	return h
}

// agent is that of the sign-in too, so that nothing about the browser changes.
const agent = "Go-http-client/1.1"

// probe makes one call and has the body judged: what the load's programs can't
// see, and don't look for, is seen before.
func (c *contender) probe(client *http.Client, path string, judge func(body []byte) error) error {
	req, err := http.NewRequest(http.MethodGet, c.url+path, nil)
	if err != nil {
		return err
	}
	for _, h := range c.headers(0) {
		req.Header.Set(h.name, h.value)
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: GET %s: %s, %w", c.name, path, resp.Status, err)
	}
	if err := judge(body); err != nil {
		return fmt.Errorf("%s: GET %s: %w", c.name, path, err)
	}
	return nil
}

// seen judges what the upstream saw as Authorization.
func (c *contender) seen(authorization []byte) error {
	const bearer = "Bearer "
	switch has := bytes.HasPrefix(authorization, []byte(bearer)) && len(strings.TrimSpace(string(authorization))) > len(bearer)+10; {
	case c.signedIn && !has:
		return fmt.Errorf("the upstream saw no access token")
	case !c.signedIn && len(authorization) > 0:
		return fmt.Errorf("the upstream saw Authorization, and nobody is signed in")
	}
	return nil
}
