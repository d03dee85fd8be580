package main_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// open makes a request on the user's session and returns the answer once its
// header is there.
func (u *user) open(path string) (*http.Response, error) {
	r, err := http.NewRequest(http.MethodGet, u.origin+path, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return u.hc.Do(r)
}

// connect opens a WebSocket on the user's session.
func (u *user) connect(ctx context.Context, path string) (*websocket.Conn, error) {
	h := http.Header{"Origin": {u.origin}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.origin, nil)
	if err != nil {
		return nil, err
	}
	for _, c := range u.hc.Jar.Cookies(r.URL) {
		h.Add("Cookie", c.Name+"="+c.Value)
	}
	c, _, err := websocket.Dial(ctx, u.origin+path, &websocket.DialOptions{HTTPHeader: h})
	return c, err
}

// K5, experiment 18: at SIGTERM 50 WebSockets are told to come again and event
// streams end, at once; 20 downloads that are under way arrive whole; and then the
// process ends in order.
func TestDrainStreams(t *testing.T) {
	t.Parallel()
	const sockets, events, told, downloads, size = 50, 10, 4, 20, 4 << 20
	s := newSite(t, demo.ProviderConfig{AccessTTL: time.Minute})
	write(t, s.dir, "config.yaml", s.config(
		"strip_prefix: /api}", "strip_prefix: /api, websocket: true}", "log:", "limits: {streams_per_session: 100}\nlog:"))
	half, release := make(chan struct{}, downloads), make(chan struct{})
	letGo := sync.OnceFunc(func() { close(release) })
	defer letGo()
	s.api.Handle("/download", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(size))
		_, _ = io.WriteString(w, strings.Repeat("x", size/2))
		_ = http.NewResponseController(w).Flush()
		half <- struct{}{}
		<-release
		_, _ = io.WriteString(w, strings.Repeat("x", size/2))
	}))
	p := s.serve()
	u := s.user()
	u.signIn()

	var streams, arriving sync.WaitGroup
	for range sockets {
		c, err := u.connect(t.Context(), "/api/ws")
		if err != nil {
			t.Fatal(err)
		}
		streams.Go(func() {
			defer func() { _ = c.CloseNow() }()
			for {
				if _, _, err := c.Read(context.Background()); err != nil {
					if code := websocket.CloseStatus(err); code != websocket.StatusGoingAway {
						t.Errorf("a WebSocket ends with %v (%v), want 1001", err, code)
					}
					return
				}
			}
		})
	}
	for i := range events + told {
		path := "/api/sse"
		if i >= events {
			path = "/bff/events"
		}
		res, err := u.open(path)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("an event stream: %v", err)
		}
		streams.Go(func() { _, _ = io.Copy(io.Discard, res.Body); _ = res.Body.Close() })
	}
	for range downloads {
		res, err := u.open("/api/download")
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("a download: %v", err)
		}
		arriving.Go(func() {
			n, err := io.Copy(io.Discard, res.Body)
			if _ = res.Body.Close(); n != size || err != nil {
				t.Errorf("a download ends after %d of %d bytes: %v", n, size, err)
			}
		})
	}
	for range downloads {
		<-half
	}

	begun := time.Now()
	p.stop()
	streams.Wait()
	took := time.Since(begun)
	if p.hasEnded() {
		t.Error("it ended before the downloads were done")
	}
	letGo()
	arriving.Wait()
	if code := p.wait(); code != 0 {
		t.Errorf("exit %d:\n%s", code, p.stderr)
	}
	t.Logf("the streams were closed after %v, the process ended after %v", took, time.Since(begun))
	if took > 2*time.Second {
		t.Errorf("it took %v to close the streams, want 2 s at most", took)
	}
	if _, err := u.open("/api/orders"); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("afterwards: %v, want nobody listening", err)
	}
}
