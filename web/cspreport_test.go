package web_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/web"
)

func reporting(rate int) (options, *tally) {
	count := &tally{n: map[string]int{}}
	return options{web: func(c *web.Config) { c.App.Report, c.Rates.Reports, c.Count = true, rate, count }}, count
}

// report sends what a browser reports: from nobody in particular.
func (b *browser) report(kind, body string) *answer {
	b.Helper()
	r := b.request("POST", "/bff/csp-report", "Content-Type", kind)
	r.Body = http.NoBody
	if body != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	return b.do(r)
}

const (
	oldReports = "application/csp-report"
	newReports = "application/reports+json"
)

// M6: what is reported is counted, and told of without queries, samples and cookies.
func TestCSPReport(t *testing.T) {
	o, count := reporting(0)
	s := newStand(t, o)
	b := s.signedIn(t, "alice")
	b.report(oldReports, `{"csp-report": {"effective-directive": "script-src-elem", "blocked-uri": "https://evil.example/x.js?secret=canary-q",
		"document-uri": "https://example.com/orders?code=canary-q", "source-file": "https://example.com/app.js?canary-q", "script-sample": "canary-q"}}`).want(http.StatusNoContent)
	b.report(newReports, `[{"type": "csp-violation", "body": {"effectiveDirective": "img-src", "blockedURL": "data", "documentURL": "https://example.com/"}},
		{"type": "deprecation", "body": {}}, {"type": "csp-violation", "body": {"effectiveDirective": "made-up-by-a-client", "blockedURL": "inline", "documentURL": "https://example.com/"}},
		{"type": "csp-violation", "body": {"effectiveDirective": "font-src", "blockedURL": "https://victim.example", "documentURL": "https://evil.example/x"}}]`).want(http.StatusNoContent)
	// Another site's policy may name our address, and so may what it embeds of us.
	foreign := b.request("POST", "/bff/csp-report", "Content-Type", oldReports, "Sec-Fetch-Site", crossSite)
	foreign.Body = io.NopCloser(strings.NewReader(`{"csp-report": {"effective-directive": "media-src", "document-uri": "https://example.com/"}}`))
	b.do(foreign).want(http.StatusNoContent)
	log := s.log.String()
	if strings.Contains(log, "font-src") || strings.Contains(log, "media-src") || count.n["report: font-src"]+count.n["report: media-src"] != 0 {
		t.Error("what other sites' pages did is told as ours")
	}
	for _, want := range []string{
		`"directive":"script-src-elem","blocked":"https://evil.example","document":"/orders","script":"/app.js"`, `"directive":"img-src","blocked":"data","document":"/"`,
		`"directive":"other","blocked":"inline"`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	if strings.Contains(log, "canary-q") || strings.Contains(log, "made-up-by-a-client") {
		t.Errorf("the log says too much: %s", log)
	}
	for word, want := range map[string]int{"report: script-src-elem": 1, "report: img-src": 1, "report: other": 1} {
		if got := count.n[word]; got != want {
			t.Errorf("%s was counted %d times, want %d", word, got, want)
		}
	}
}

// M6: it is bounded in every way, and a flood is no flood in the log (N3).
func TestCSPReportBounds(t *testing.T) {
	o, count := reporting(8)
	s := newStand(t, o)
	b := s.browser(t)
	one := `{"csp-report": {"effective-directive": "img-src", "blocked-uri": "inline", "document-uri": "https://example.com/a"}}`
	b.report(oldReports, `{"csp-report": "`+strings.Repeat("x", 64<<10)+`"}`).problem(http.StatusRequestEntityTooLarge, "body_too_large")
	b.report("text/plain", one).problem(http.StatusBadRequest, "report_refused")
	b.report("", one).problem(http.StatusBadRequest, "report_refused")
	b.report(oldReports, `{"csp-report": `).problem(http.StatusBadRequest, "report_refused")
	many := strings.TrimSuffix(strings.Repeat(`{"type": "csp-violation", "body": {"effectiveDirective": "font-src", "documentURL": "https://example.com/"}},`, 500), ",")
	b.report(newReports, "["+many+"]").want(http.StatusNoContent)
	for range 3 {
		b.report(oldReports, one).want(http.StatusNoContent)
	}
	a := b.report(oldReports, one).problem(http.StatusTooManyRequests, "too_many_requests")
	if a.Header.Get("Retry-After") == "" {
		t.Error("Retry-After is missing")
	}
	if count.n["report: font-src"] != 20 || count.n["report: img-src"] != 3 {
		t.Errorf("counted: %v", count.n)
	}
	lines := strings.Count(s.log.String(), "a page broke its Content-Security-Policy")
	s.sleep(2 * time.Minute)
	stopped(s)
	if told := strings.Count(s.log.String(), "a page broke its Content-Security-Policy"); lines != 2 || told != 4 {
		t.Errorf("%d lines at once and %d in the end, want one for each directive, and one more with the others", lines, told)
	}
	b.fetch("GET", "/bff/csp-report").want(http.StatusMethodNotAllowed)
}

// The policy says where to report only if it is wished for.
func TestCSPReportIsAskedFor(t *testing.T) {
	o, _ := reporting(0)
	s := newStand(t, o)
	a := s.browser(t).navigate(typed, "/")
	at := "https://example.com/bff/csp-report"
	if csp := a.Header.Get("Content-Security-Policy"); !strings.HasSuffix(csp, "; report-uri "+at+"; report-to csp") {
		t.Errorf("policy %q", csp)
	}
	if got, want := a.Header.Get("Reporting-Endpoints"), fmt.Sprintf("csp=%q", at); got != want {
		t.Errorf("Reporting-Endpoints %q, want %q", got, want)
	}
	off := newStand(t, options{}).browser(t)
	if a := off.navigate(typed, "/"); strings.Contains(a.Header.Get("Content-Security-Policy"), "report") || a.Header.Get("Reporting-Endpoints") != "" {
		t.Errorf("unasked: %v", a.Header)
	}
	off.report(oldReports, "{}").want(http.StatusNotFound)
}
