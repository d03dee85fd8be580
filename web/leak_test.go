package web_test

import (
	"bytes"
	"encoding/base64"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// journal collects text from many goroutines.
type journal struct {
	mu      sync.Mutex
	b       bytes.Buffer
	changed chan struct{} // closed at the next Write
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.changed != nil {
		close(j.changed)
		j.changed = nil
	}
	return j.b.Write(p)
}

// until waits for the text to be as wanted, 5 s at most.
func (j *journal) until(wanted func(text string) bool) {
	timeout := time.NewTimer(5 * time.Second)
	defer timeout.Stop()
	for {
		j.mu.Lock()
		if j.changed == nil {
			j.changed = make(chan struct{})
		}
		changed, text := j.changed, j.b.String()
		j.mu.Unlock()
		if wanted(text) {
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			return
		}
	}
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// checkLeaks fails the test if a code, token, verifier or ticket stands in
// anything that a browser was answered or that was logged at debug level, plain
// or encoded. It runs at the end of every test here (C1, N1).
func (s *stand) checkLeaks(t testing.TB) {
	t.Helper()
	places := map[string]string{"log": s.log.String(), "answers": s.seen.String()}
	for name, text := range places {
		if decoded, err := url.QueryUnescape(text); err == nil {
			places[name+", unescaped"] = decoded
		}
	}
	for _, p := range s.providers {
		for _, secret := range p.Secrets() {
			encoded := base64.RawStdEncoding.EncodeToString([]byte(secret.Value))
			for name, text := range places {
				if strings.Contains(text, secret.Value) || strings.Contains(text, encoded[:len(encoded)-1]) {
					t.Errorf("a %s stands in the %s", secret.Kind, name)
				}
			}
		}
	}
	for name, text := range places {
		if strings.Contains(text, clientSecret) {
			t.Errorf("the client secret stands in the %s", name)
		}
	}
	for _, line := range strings.Split(s.log.String(), "\n") {
		if strings.Contains(line, "state=") || strings.Contains(line, "id_token_hint") || strings.Contains(line, "__Host-session=") {
			t.Errorf("the log has a query or a cookie: %s", line)
		}
	}
}
