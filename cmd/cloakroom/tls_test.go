package main_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// With a certificate Cloakroom speaks HTTPS and HTTP/2 itself: cookies have their
// prefix, and requests over HTTP/2 pass the same checks (C5, E1, E3, G3, M4).
func TestServeTLS(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{AccessTTL: time.Minute})
	listen := strings.Replace(strings.TrimPrefix(s.origin, "http://"), "localhost", "127.0.0.1", 1)
	const origin = "https://app.example.com"
	write(t, s.dir, "config.yaml", s.config(s.origin, origin)+"tls: {cert_file: cert.pem, key_file: key.pem}\n")
	certificate(t, s.dir, time.Now().Add(90*24*time.Hour))
	s.provider.SetClient(demo.Client{ID: "spa", Secret: canary, RedirectURIs: []string{origin + "/bff/callback"}})
	s.origin = origin
	s.serve()

	pem, err := os.ReadFile(s.file("cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	cas := x509.NewCertPool()
	cas.AppendCertsFromPEM(pem)
	u := s.user()
	u.hc.Transport = &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: cas},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if address == "app.example.com:443" {
				address = listen
			}
			return (&net.Dialer{}).DialContext(ctx, network, address)
		},
	}
	defer u.hc.CloseIdleConnections()
	u.signIn()
	if status, body := u.send("GET", "/api/whoami"); status != http.StatusOK || !strings.Contains(body, `"u-1001"`) {
		t.Errorf("a call = %d %s", status, body)
	}
	res, err := u.hc.Get(origin + "/bff/login")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.ProtoMajor != 2 || res.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s, headers %v", res.Proto, res.Header)
	}
	for _, c := range res.Cookies() {
		if !c.Secure || !strings.HasPrefix(c.Name, "__Host-login-") {
			t.Errorf("cookie %v", c)
		}
	}
	for path, want := range map[string]int{"/api/%2e%2e/x": 400, "/api//x": 400, "/%2fevil": 400, "/a;b": 400, "/": 200} {
		if status, _ := u.send("GET", path); status != want {
			t.Errorf("GET %s = %d, want %d", path, status, want)
		}
	}
	// Plain HTTP on that port gets no answer of ours.
	plain := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if res, err := plain.Get("http://" + listen + "/"); err == nil {
		_ = res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("plain HTTP = %s", res.Status)
		}
	}
}
