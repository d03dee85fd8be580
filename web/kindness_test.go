package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// A wrong client secret is the operator's to mend: the user is not sent round in
// circles, and the log says what to look at.
func TestClientRefused(t *testing.T) {
	s := newStand(t, options{})
	b := s.browser(t)
	s.providers[0].FailNext("code", demo.Fault{Error: "invalid_client"})
	a := b.navigate(crossSite, b.approve(b.begin(""), "alice").String()).problem(http.StatusBadGateway, "client_refused")
	if !strings.Contains(a.body, "Please tell the operator of this site.") {
		t.Errorf("the page does not say whose it is:\n%s", a.body)
	}
	if log := s.log.String(); !strings.Contains(log, "check client_id, the credential and auth") {
		t.Errorf("the log does not say what to check: %s", log)
	}
}

// The page for a wrong host leads to the right one, and the log has both.
func TestWrongHost(t *testing.T) {
	s := newStand(t, options{})
	b := s.browser(t)
	r := b.request("GET", "/", "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", typed)
	r.Host = "127.0.0.1:8080"
	a := b.do(r).problem(http.StatusMisdirectedRequest, "wrong_host")
	if !strings.Contains(a.body, `href="`+s.origin+`/"`) {
		t.Errorf("the page does not lead to %s:\n%s", s.origin, a.body)
	}
	if log := s.log.String(); !strings.Contains(log, `127.0.0.1:8080\", public_url says`) {
		t.Errorf("the log does not say which host: %s", log)
	}
}

// The audit event of a refused sign-in and the page it gave have one reference.
func TestRefusedSignInHasOneReference(t *testing.T) {
	s := newStand(t, options{})
	b := s.browser(t)
	s.providers[0].FailNext("code", demo.Fault{Forge: demo.ForgeForeignKey})
	a := b.navigate(crossSite, b.approve(b.begin(""), "alice").String()).problem(http.StatusBadGateway, "sign_in_failed")
	found := regexp.MustCompile(`"reference">([0-9a-f]{12})`).FindStringSubmatch(a.body)
	if found == nil {
		t.Fatalf("the page has no reference:\n%s", a.body)
	}
	for line := range strings.Lines(s.log.String()) {
		if strings.Contains(line, `"sign_in_refused"`) && !strings.Contains(line, found[1]) {
			t.Errorf("the audit event has another reference than the page (%s): %s", found[1], line)
		}
	}
	// Whoever gave up has a way back, too.
	if !strings.Contains(a.body, `<a class="quiet" href="/">`) {
		t.Errorf("the page has no way back:\n%s", a.body)
	}
}
