package main_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// E12: an answer that never ends, of whatever type, ends when its session idles
// out; one whose length is known arrives whole.
func TestEndlessAnswerIdlesOut(t *testing.T) {
	t.Parallel()
	s := newSite(t, demo.ProviderConfig{AccessTTL: time.Minute})
	write(t, s.dir, "config.yaml", s.config("renew_timeout: 5s}", "renew_timeout: 5s, idle: 3s}"))
	release := make(chan struct{})
	s.api.Handle("/endless", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/x-ndjson")
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, "{}\n"); err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-r.Context().Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}))
	s.api.Handle("/finite", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(8))
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		<-release
		_, _ = io.WriteString(w, "half")
	}))
	s.serve()
	u := s.user()
	u.signIn()
	finite, err := u.open("/api/finite")
	if err != nil {
		t.Fatal(err)
	}
	endless, err := u.open("/api/endless")
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if _, err := io.Copy(io.Discard, endless.Body); err == nil {
		t.Error("the endless answer looks whole")
	}
	if took := time.Since(begun); took < 2*time.Second || took > 8*time.Second {
		t.Errorf("the endless answer ended after %v, want soon after 3 s", took)
	}
	if got := u.name(); got != "" {
		t.Errorf("signed in as %q, want idled out", got)
	}
	close(release)
	if got, err := io.ReadAll(finite.Body); string(got) != "halfhalf" || err != nil {
		t.Errorf("the finite answer: %q, %v", got, err)
	}
}
