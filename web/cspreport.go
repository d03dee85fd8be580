package web

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"
)

// Bounds of what a browser may report at a time.
const (
	maxReportSize = 64 << 10 // bytes
	maxReports    = 20
)

// lineReport is the log's line for reports of a kind.
const lineReport = "a page broke its Content-Security-Policy"

// directives are those of CSP that fetch, run or lead somewhere: the words by which
// reports are counted and told of. What a client makes up is "other".
var directives = map[string]bool{
	"default-src": true, "script-src": true, "script-src-elem": true, "script-src-attr": true, "style-src": true, "style-src-elem": true,
	"style-src-attr": true, "img-src": true, "font-src": true, "connect-src": true, "media-src": true, "object-src": true, "frame-src": true,
	"child-src": true, "worker-src": true, "manifest-src": true, "base-uri": true, "form-action": true, "frame-ancestors": true,
	"sandbox": true, "trusted-types": true, "require-trusted-types-for": true, "upgrade-insecure-requests": true,
}

// report is what is kept of one: nothing of a query, and no sample of a script.
type report struct{ directive, blocked, origin, document, script string }

// cspReport answers POST /bff/csp-report: browsers tell here what a policy of ours
// made them block (M6). Anybody can send it, so it is bounded, and neither cookies nor
// what sent it is looked at. Another site's policy may name this address too: what
// does not speak of a page of ours is left out.
func (s *Server) cspReport(c echo.Context) error {
	w, r := c.Response(), c.Request()
	client := byAddress(s.Client(r))
	if err := s.limits.reports.take(client); err != nil {
		return err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReportSize))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return &Refusal{Status: http.StatusRequestEntityTooLarge, Code: "body_too_large"}
	case err != nil:
		return because(errReport, err)
	}
	reports, err := parseReports(r.Header.Get("Content-Type"), body)
	if err != nil {
		return because(errReport, err)
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		reports = nil
	}
	for _, one := range reports[:min(len(reports), maxReports)] {
		if one.origin != s.origin {
			continue
		}
		s.Count.Reported(one.directive)
		line := []slog.Attr{
			slog.String("directive", one.directive), slog.String("blocked", one.blocked), slog.String("document", one.document),
			slog.String("script", one.script), slog.String("client", s.ClientIP(r)),
		}
		if times := s.untold.tell(source{kind{line: lineReport, code: one.directive}, client}, line); times > 0 {
			s.write(r.Context(), lineReport, append(line, slog.Int("times", times)))
		}
	}
	w.Header().Set("Cache-Control", "no-store")
	return c.NoContent(http.StatusNoContent)
}

// parseReports reads the one report of report-uri (CSP Level 3, 5.3) or those of the
// Reporting API, of which others than of policies are left out.
func parseReports(contentType string, body []byte) ([]report, error) {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "application/csp-report":
		var one struct {
			Report struct {
				Directive string `json:"effective-directive"`
				Violated  string `json:"violated-directive"` // of older browsers
				Blocked   string `json:"blocked-uri"`
				Document  string `json:"document-uri"`
				Script    string `json:"source-file"`
			} `json:"csp-report"`
		}
		err := json.Unmarshal(body, &one)
		v := one.Report
		if v.Directive == "" {
			v.Directive = v.Violated
		}
		return []report{newReport(v.Directive, v.Blocked, v.Document, v.Script)}, err
	case "application/reports+json":
		var all []struct {
			Type string `json:"type"`
			Body struct {
				Directive string `json:"effectiveDirective"`
				Blocked   string `json:"blockedURL"`
				Document  string `json:"documentURL"`
				Script    string `json:"sourceFile"`
			} `json:"body"`
		}
		err := json.Unmarshal(body, &all)
		var out []report
		for _, one := range all {
			if v := one.Body; one.Type == "csp-violation" {
				out = append(out, newReport(v.Directive, v.Blocked, v.Document, v.Script))
			}
		}
		return out, err
	}
	return nil, errors.New("neither application/csp-report nor application/reports+json")
}

func newReport(directive, blocked, document, script string) report {
	if !directives[directive] {
		directive = "other"
	}
	return report{directive, originOf(blocked), originOf(document), pathOf(document), pathOf(script)}
}

// originOf is what a report may say of an address elsewhere: its origin, or the
// scheme or word (inline, eval) that stands for it.
func originOf(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return "unreadable"
	case u.Host != "":
		return limit(u.Scheme + "://" + u.Host)
	case u.Scheme != "":
		return limit(u.Scheme)
	}
	return limit(u.Path)
}

// pathOf is what a report may say of an address here. A query may hold a code.
func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "unreadable"
	}
	return limit(u.Path)
}
