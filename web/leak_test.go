package web_test

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
)

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
