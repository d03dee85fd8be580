package web_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// send is fetch with a body: of unknown length if chunked, as of a page that
// streams it.
func (b *browser) send(method, target, body string, chunked bool) *answer {
	b.Helper()
	r := b.request(method, target, "Accept", "*/*", "Sec-Fetch-Site", ourOrigin, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Origin", b.s.origin)
	if body != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	if chunked {
		r.ContentLength = -1
	}
	return b.do(r)
}

// E10: some proxies pass a request on only when they have its body. Its ticket is
// as old as the upload took, and may have been retired up to five minutes ago; it
// brings no new issue. Without a body the same is a copy.
func TestSlowUpload(t *testing.T) {
	const body = "what took so long"
	tests := []struct {
		name    string
		method  string
		body    string
		chunked bool
		late    time.Duration // after its ticket was retired
		served  bool
	}{
		{"after a while", "POST", body, false, 2 * time.Minute, true},
		{"of unknown length", "PUT", body, true, 2 * time.Minute, true},
		{"at the last moment", "POST", body, false, 5*time.Minute - 5*time.Second, true},
		{"too late", "POST", body, false, 5*time.Minute + time.Second, false},
		{"with nothing in it", "POST", "", false, 2 * time.Minute, false},
		{"no upload", "GET", "", false, 2 * time.Minute, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStand(t, rotating(options{}))
			page, upload := s.signedIn(t, "alice"), s.browser(t)
			s.sleep(16 * time.Minute)
			upload.hold(ticketCookie, page.cookie("session")) // it begins
			if !page.fetch("GET", "/bff/user").want(http.StatusOK).issued() {
				t.Fatal("no new issue")
			}
			s.sleep(61 * time.Second)
			page.fetch("GET", "/bff/user").want(http.StatusOK)
			s.sleep(tt.late)
			a := upload.send(tt.method, "/api/whoami", tt.body, tt.chunked)
			replays := 0
			if tt.served {
				a.want(http.StatusOK)
				page.fetch("GET", "/api/whoami").want(http.StatusOK)
			} else {
				a.problem(http.StatusUnauthorized, "signed_out")
				page.fetch("GET", "/api/whoami").problem(http.StatusUnauthorized, "signed_out")
				replays = 1
			}
			if a.issued() {
				t.Error("the answer to the upload carries a new issue")
			}
			if n := s.events("session_ended", `"reason":"ticket_replayed"`); n != replays {
				t.Errorf("%d events tell of a replay, want %d", n, replays)
			}
		})
	}
}
