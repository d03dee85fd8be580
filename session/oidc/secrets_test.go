package oidc_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// echo is an endpoint that answers with what it was sent, in a place of the
// test's choice: %s in template is the form.
func echo(t *testing.T, template string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil && r.ParseForm() == nil {
				words := r.PostForm.Get("code") + r.PostForm.Get("refresh_token") + r.PostForm.Get("token") +
					r.PostForm.Get("code_verifier") + r.Header.Get("Authorization")
				_, _ = fmt.Fprint(conn, strings.ReplaceAll(template, "%s", words))
			}
			_ = conn.Close()
		}
	}()
	return "http://" + ln.Addr().String()
}

// N1: a provider that repeats what it was sent, wherever it can, does not get
// it into an error or a log.
func TestProviderEchoesSecrets(t *testing.T) {
	ok := "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
	templates := map[string]string{
		"status line":       "HTTP/1.1 %s\r\n\r\n",
		"protocol":          "%s\r\n\r\n",
		"reason":            "HTTP/1.1 400 %s\r\nConnection: close\r\n\r\n",
		"header name":       "HTTP/1.1 200 OK\r\n%s\r\n\r\n",
		"header value":      "HTTP/1.1 503 No\r\nRetry-After: %s\r\nConnection: close\r\n\r\n",
		"length":            "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n",
		"encoding":          "HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n",
		"redirect":          "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/%s\r\nConnection: close\r\n\r\n",
		"error":             "HTTP/1.1 400 No\r\nConnection: close\r\n\r\n" + `{"error":"%s"}`,
		"error description": "HTTP/1.1 400 No\r\nConnection: close\r\n\r\n" + `{"error":"invalid_grant","error_description":"%s"}`,
		"body":              ok + "<p>%s</p>",
		"token type":        ok + `{"access_token":"a","token_type":"%s"}`,
		"scope":             ok + `{"access_token":"a","token_type":"Bearer","scope":"%s\u0000"}`,
		"ID token":          ok + `{"access_token":"a","token_type":"Bearer","id_token":"%s"}`,
	}
	for name, template := range templates {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			at := echo(t, template)
			b.idp.SetFaults(demo.Faults{Discovery: demo.Fault{EditMetadata: func(m map[string]any) {
				m["token_endpoint"], m["revocation_endpoint"], m["userinfo_endpoint"] = at, at, at
			}}})
			req, q := b.authorize(oidc.Params{})
			_, err := b.rp.Finish(t.Context(), req, q)
			if err == nil {
				t.Fatal("Finish signs somebody in")
			}
			b.canaries(err.Error(), q.Get("code"), req.Verifier.Reveal(), req.State.Reveal(), req.Nonce.Reveal())

			who := session.Identity{Issuer: b.idp.URL, ClientID: clientID, Subject: "u-1001"}
			tokens := session.Tokens{Access: "canary-access", Refresh: "canary-refresh", ID: "canary-id"}
			if _, err = b.rp.Renew(t.Context(), who, tokens); err != nil {
				b.canaries(err.Error())
			}
			if err := b.rp.Revoke(t.Context(), tokens); err != nil {
				b.canaries(err.Error())
			}
			b.canaries(b.log.String())
		})
	}
}

// canaries fails the test if s holds one of the secrets or their Basic form.
func (b *bench) canaries(s string, more ...string) {
	b.t.Helper()
	basic := base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(clientID) + ":" + url.QueryEscape(secret)))
	for _, canary := range append(more, "canary-", secret, basic) {
		if strings.Contains(s, canary) {
			b.t.Errorf("%q holds %q", s, canary)
		}
	}
}
