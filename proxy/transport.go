package proxy

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// transports makes one http.Transport for each way of connecting, so that
// routes to the same upstream share its connections.
type transports struct {
	made map[transportKey]*http.Transport
}

type transportKey struct {
	tls   TLS
	http1 bool // HTTP/2 has no Upgrade
}

func (t *transports) get(c TLS, http1 bool) (*http.Transport, error) {
	key := transportKey{c, http1}
	if made, ok := t.made[key]; ok {
		return made, nil
	}
	trust := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.ServerName}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("upstream_tls: ca_file: %w", err)
		}
		trust.RootCAs = x509.NewCertPool()
		if !trust.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("upstream_tls: ca_file: %w", errors.New("has no certificate"))
		}
	}
	made := newTransport(trust, http1)
	t.made[key] = made
	return made, nil
}

// newTransport returns a Transport that changes nothing on the way: no
// decompression, no redirects, and no proxy from the environment, which would
// get to see the tokens of plain-text upstreams.
func newTransport(trust *tls.Config, http1 bool) *http.Transport {
	dialer := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(!http1)
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        trust,
		TLSHandshakeTimeout:    10 * time.Second,
		Protocols:              protocols,
		ForceAttemptHTTP2:      !http1,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
		DisableCompression:     true,
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

func (t *transports) closeIdle() {
	for _, made := range t.made {
		made.CloseIdleConnections()
	}
}
