package oidc_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// certificate is one for 127.0.0.1 that signs itself, after the change.
func certificate(t *testing.T, change func(*x509.Certificate)) *tls.Certificate {
	t.Helper()
	key := privateKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "id.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	change(template)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// C5, R2, experiment 5: a provider whose certificate is not, or no longer, good,
// or that takes connections and says nothing, is down: the refresh token is not
// sent and can be used when it is well again.
func TestNothingIsSentWithoutTrust(t *testing.T) {
	good := certificate(t, func(*x509.Certificate) {})
	expired := certificate(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	otherName := certificate(t, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 2)} })
	unknown := certificate(t, func(*x509.Certificate) {})
	roots := x509.NewCertPool()
	for _, c := range []*tls.Certificate{good, expired, otherName} {
		roots.AddCert(c.Leaf)
	}

	var shown atomic.Pointer[tls.Certificate]
	var silent atomic.Bool
	over := make(chan struct{})
	var posts atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := "https://" + r.Host
		if r.Method == http.MethodPost {
			posts.Add(1)
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
			return
		}
		_, _ = w.Write([]byte(`{"issuer":"` + at + `","authorization_endpoint":"` + at + `/a","jwks_uri":"` + at + `/j","token_endpoint":"` + at + `/t"}`))
	}))
	srv.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if silent.Load() {
			<-over
			return nil, errors.New("too late")
		}
		// A resumed connection would show no certificate.
		return &tls.Config{Certificates: []tls.Certificate{*shown.Load()}, SessionTicketsDisabled: true}, nil
	}}
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that fail
	shown.Store(good)
	srv.StartTLS()
	defer srv.Close()
	defer close(over)

	rp := newClient(t, oidc.Config{
		Name: "main", Issuer: srv.URL, ClientID: clientID, ClientSecret: secret, RedirectURL: redirectURL,
		RootCAs: roots, TokenTimeout: 300 * time.Millisecond,
	})
	if err := rp.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	renew := func() error {
		_, err := rp.Renew(t.Context(), session.Identity{Provider: "main", Issuer: srv.URL, ClientID: clientID}, session.Tokens{Refresh: "rt"})
		return err
	}
	for name, c := range map[string]*tls.Certificate{"expired": expired, "for another name": otherName, "of unknown origin": unknown, "says nothing": nil} {
		t.Run(name, func(t *testing.T) {
			silent.Store(c == nil)
			shown.Store(c)
			srv.CloseClientConnections()
			err := renew()
			unavailable(t, err, "provider_unreachable")
			if c != nil && !strings.Contains(err.Error(), "certificate") {
				t.Errorf("error = %v, want one that names the certificate", err)
			}
			if n := posts.Load(); n != 0 {
				t.Errorf("it got %d token calls, want none", n)
			}
		})
	}
	silent.Store(false)
	shown.Store(good)
	if err := renew(); !errors.Is(err, session.ErrRefused) || posts.Load() != 1 {
		t.Errorf("when it is well again: %v after %d calls, want an answer to one", err, posts.Load())
	}
}

// R2, experiment 5: so is one whose name means nothing at the moment. The name is
// of those that never do (RFC 6761, 6.4).
func TestProviderWithoutName(t *testing.T) {
	const issuer = "https://id.invalid"
	rp := newClient(t, oidc.Config{
		Name: "main", Issuer: issuer, ClientID: clientID, ClientSecret: secret, RedirectURL: redirectURL,
		TokenTimeout: time.Second,
	})
	_, err := rp.Renew(t.Context(), session.Identity{Provider: "main", Issuer: issuer, ClientID: clientID}, session.Tokens{Refresh: "rt"})
	unavailable(t, err, "provider_unreachable")
}
