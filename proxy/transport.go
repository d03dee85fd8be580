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

// transports has one http.Transport for each way of connecting, so that routes
// to the same upstream share its connections.
type transports map[TLS]*http.Transport

func (t transports) get(c TLS) (*http.Transport, error) {
	if made, ok := t[c]; ok {
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
	t[c] = newTransport(trust)
	return t[c], nil
}

// newTransport returns a Transport that changes nothing on the way: no
// decompression, no redirects, and no proxy from the environment, which would
// get to see the tokens of plain-text upstreams. It speaks HTTP/2 to upstreams
// with https that do, but never for a WebSocket handshake: net/http knows.
func newTransport(trust *tls.Config) *http.Transport {
	dialer := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        trust,
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
		DisableCompression:     true,
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
	}
}

func (t transports) closeIdle() {
	for _, made := range t {
		made.CloseIdleConnections()
	}
}
