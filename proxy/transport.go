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

	"github.com/cloakroom/cloakroom/proxy/http1"
)

// What holds for every connection to an upstream.
const (
	maxIdle         = 1024 // for each upstream; fewer, and every crowd connects anew
	idleTimeout     = 90 * time.Second
	continueTimeout = time.Second
	maxHeader       = 256 << 10 // bytes
)

var dialer = net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}

// transport is a client for upstreams.
type transport interface {
	http.RoundTripper
	CloseIdleConnections()
}

// transports has one client for each way of connecting, so that routes to the same
// upstream share its connections. That of the zero way has no TLS.
type transports map[way]transport

// way is how an upstream is connected to.
type way struct {
	encrypted bool
	TLS
}

// get returns the client for c. Without TLS that is our own: see package http1.
func (t transports) get(c way) (transport, error) {
	if made, ok := t[c]; ok {
		return made, nil
	}
	if !c.encrypted {
		t[c] = newPlainTransport()
		return t[c], nil
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
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        trust,
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
		DisableCompression:     true,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleTimeout,
		ExpectContinueTimeout:  continueTimeout,
		MaxResponseHeaderBytes: maxHeader,
	}
}

func newPlainTransport() *http1.Transport {
	return &http1.Transport{
		Dial: dialer.DialContext, MaxIdle: maxIdle, IdleTimeout: idleTimeout,
		ContinueTimeout: continueTimeout, MaxHeader: maxHeader,
	}
}

func (t transports) closeIdle() {
	for _, made := range t {
		made.CloseIdleConnections()
	}
}
