package proxy_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session"
)

// eventAPI sends an event for every value of next, and says when it ended.
func eventAPI(t testing.TB, kind string) (config proxy.Config, next chan string, ended chan struct{}) {
	t.Helper()
	next, ended = make(chan string), make(chan struct{}, 10)
	return proxy.Config{Path: "/api", Upstream: serve(t, func(w http.ResponseWriter, r *http.Request) {
		defer func() { ended <- struct{}{} }()
		w.Header().Set("Content-Type", kind)
		for _ = http.NewResponseController(w).Flush(); ; _ = http.NewResponseController(w).Flush() {
			select {
			case event := <-next:
				_, _ = io.WriteString(w, "data: "+event+"\n\n")
			case <-r.Context().Done():
				return
			}
		}
	})}, next, ended
}

// open makes a request as alice and returns with the header of the answer.
func (s *stand) open(t testing.TB, path string) *http.Response {
	t.Helper()
	r, err := http.NewRequest("GET", s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Cookie", "__Host-session=alice")
	res, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

func (s *stand) signOut(t testing.TB) {
	t.Helper()
	if _, err := s.sessions.End(context.Background(), s.tickets["alice"], session.ReasonLogout); err != nil {
		t.Fatal(err)
	}
}

// Events arrive one by one: each is sent only after the one before was read.
// The header arrives before the first.
func TestEventsAreFlushed(t *testing.T) {
	for _, kind := range []string{"text/event-stream", "Text/Event-Stream ; charset=utf-8", "application/x-ndjson"} {
		t.Run(kind, func(t *testing.T) {
			config, next, _ := eventAPI(t, kind)
			s := newStand(t, config)
			res := s.open(t, "/api")
			in := bufio.NewReader(res.Body)
			for _, event := range []string{"one", "two", "three"} {
				next <- event
				line, err := in.ReadString('\n')
				if err != nil || line != "data: "+event+"\n" {
					t.Fatalf("got %q and %v, want %q", line, err, event)
				}
				_, _ = in.ReadString('\n')
			}
		})
	}
}

// An event stream ends with its session, and with the proxy, on both sides
// (E12).
func TestEventStreamEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*testing.T, *stand)
	}{
		{"sign-out", func(t *testing.T, s *stand) { s.signOut(t) }},
		{"close", func(_ *testing.T, s *stand) { s.proxy.Close() }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config, next, ended := eventAPI(t, "text/event-stream")
			s := newStand(t, config)
			res := s.open(t, "/api")
			next <- "one"
			if _, err := io.ReadFull(res.Body, make([]byte, len("data: one\n\n"))); err != nil {
				t.Fatal(err)
			}
			tt.end(t, s)
			<-ended
			if got, err := io.ReadAll(res.Body); len(got) > 0 || err != nil {
				t.Errorf("got %q and %v, want an end", got, err)
			}
		})
	}
}

// A stream whose browser reads no more ends all the same.
func TestStalledStreamEnds(t *testing.T) {
	stalled := make(chan struct{})
	s := newStand(t, proxy.Config{Path: "/api", Upstream: serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		piece := []byte(strings.Repeat(": x\n\n", 10_000))
		for {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			if _, err := w.Write(piece); err != nil {
				close(stalled)
				return
			}
		}
	})})
	s.open(t, "/api")
	<-stalled
	s.signOut(t)
	s.serving.Wait()
}

// A session holds so many streams and no more; one that ended counts no longer.
func TestTooManyStreams(t *testing.T) {
	config, _, ended := eventAPI(t, "text/event-stream")
	s := newStand(t, config)
	var open []*http.Response
	for range 3 {
		res := s.open(t, "/api")
		if res.StatusCode != 200 {
			t.Fatalf("got status %d, want 200", res.StatusCode)
		}
		open = append(open, res)
	}
	if res := s.open(t, "/api"); res.StatusCode != 429 {
		t.Errorf("got status %d for a stream too many, want 429", res.StatusCode)
	}
	<-ended // the one too many, at upstream
	_ = open[0].Body.Close()
	<-ended
	for { // the release follows the end at upstream
		if res := s.open(t, "/api"); res.StatusCode == 200 {
			return
		}
		<-ended
	}
}

// A long download is cut when the user signs out, and is seen to be cut (E12).
func TestDownloadEnds(t *testing.T) {
	ended := make(chan struct{})
	s := newStand(t, proxy.Config{Path: "/api", Upstream: serve(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(ended)
		w.Header().Set("Content-Length", "1000000")
		_, _ = io.WriteString(w, "begin")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})})
	res := s.open(t, "/api")
	s.signOut(t)
	<-ended
	if got, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("got %q as a whole answer, want an error", got)
	}
}

// Closing the proxy does not cut what has an end.
func TestCloseSparesDownloads(t *testing.T) {
	closed := make(chan struct{})
	s := newStand(t, proxy.Config{Path: "/api", Upstream: serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "begin ")
		_ = http.NewResponseController(w).Flush()
		<-closed
		_, _ = io.WriteString(w, "end")
	})})
	res := s.open(t, "/api")
	s.proxy.Close()
	close(closed)
	if got, err := io.ReadAll(res.Body); err != nil || string(got) != "begin end" {
		t.Errorf("got %q and %v, want it all", got, err)
	}
}
