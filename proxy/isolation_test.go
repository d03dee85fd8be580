package proxy_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/cloakroom/cloakroom/proxy"
)

// Two users on connections of their own, over shared connections to one API:
// every call carries the token of the user who made it (G19).
func TestUsersNeverMix(t *testing.T) {
	s := newStand(t, proxy.Config{Path: "/api", Headers: map[string]string{"X-User": "sub"}, Upstream: serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, r.Header.Get("Authorization"), " ", r.Header.Get("X-User"), " ", r.URL.RawQuery)
	})})
	var work sync.WaitGroup
	for _, user := range []string{"alice", "bob"} {
		for range 4 {
			work.Go(func() {
				client := &http.Client{Transport: &http.Transport{}}
				defer client.CloseIdleConnections()
				for i := range 300 {
					r, _ := http.NewRequest("GET", fmt.Sprintf("%s/api?%s%d", s.URL, user, i), nil)
					r.Header.Set("Cookie", "__Host-session="+user)
					res, err := client.Do(r)
					if err != nil {
						t.Error(err)
						return
					}
					got, _ := io.ReadAll(res.Body)
					_ = res.Body.Close()
					if want := fmt.Sprintf("Bearer %s-1 %s %s%d", user, user, user, i); string(got) != want {
						t.Errorf("got %q, want %q", got, want)
						return
					}
				}
			})
		}
	}
	work.Wait()
}

// Connections to upstreams are used again, also by routes that share one.
func TestConnectionsAreReused(t *testing.T) {
	upstream := newRawUpstream(t, nil)
	s := newStand(t,
		proxy.Config{Path: "/a", Upstream: mustParse(t, upstream.url())},
		proxy.Config{Path: "/b", Upstream: mustParse(t, upstream.url())})
	for range 5 {
		s.do(t, "GET", "/a", "")
		s.do(t, "POST", "/b", "x=y")
		s.do(t, "HEAD", "/b", "")
	}
	if got := upstream.connections(); got != 1 {
		t.Errorf("got %d connections for 15 requests, want 1", got)
	}
}

// Upstreams with https prove who they are, speak HTTP/2 where they can, and
// HTTP/1.1 for WebSockets (C5).
func TestTLS(t *testing.T) {
	upstream := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			w.WriteHeader(http.StatusTeapot)
		}
		_, _ = fmt.Fprint(w, r.Proto, " ", r.RequestURI, " ", r.Header.Get("Authorization"))
	}))
	upstream.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	upstream.EnableHTTP2 = true
	upstream.StartTLS()
	t.Cleanup(upstream.Close)
	old := httptest.NewUnstartedServer(upstream.Config.Handler)
	old.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.StartTLS()
	t.Cleanup(old.Close)
	ca := authority(t, upstream)
	tests := []struct {
		name, url string
		tls       proxy.TLS
		status    int
		body      string
	}{
		{"trusted", upstream.URL, proxy.TLS{CAFile: ca}, 200, "HTTP/2.0 /api/x?a;b=%zz Bearer alice-1"},
		{"another of its names", upstream.URL, proxy.TLS{CAFile: ca, ServerName: "example.com"}, 200, "HTTP/2.0 /api/x?a;b=%zz Bearer alice-1"},
		{"not its name", upstream.URL, proxy.TLS{CAFile: ca, ServerName: "api.example.org"}, 502, ""},
		{"unknown authority", upstream.URL, proxy.TLS{}, 502, ""},
		{"old version", old.URL, proxy.TLS{CAFile: ca}, 502, ""},
		{"plain text", "https://" + serve(t, func(http.ResponseWriter, *http.Request) {}).Host, proxy.TLS{CAFile: ca}, 502, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := proxy.Config{Path: "/api", Upstream: mustParse(t, tt.url), TLS: tt.tls}
			config.Demand.WebSocket = true
			s := newStand(t, config)
			res, body := s.do(t, "GET", "/api/x?a;b=%zz", "")
			if res.StatusCode != tt.status || body != tt.body {
				t.Errorf("got %d %q, want %d %q", res.StatusCode, body, tt.status, tt.body)
			}
			if tt.status != 200 {
				return
			}
			res, body = s.do(t, "GET", "/api/ws", "", "Connection", "Upgrade", "Upgrade", "websocket", "Origin", publicURL,
				"Sec-Websocket-Version", "13", "Sec-Websocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
			if res.StatusCode != http.StatusTeapot || body != "HTTP/1.1 /api/ws Bearer alice-1" {
				t.Errorf("got %d %q for a handshake, want it over HTTP/1.1", res.StatusCode, body)
			}
		})
	}
}
