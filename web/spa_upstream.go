package web

import (
	"errors"
	"maps"
	"net/http"
	"strings"
)

// leastPolicy is the Content-Security-Policy of a page whose server has none: what
// no development server minds.
const leastPolicy = "frame-ancestors 'none'; object-src 'none'; base-uri 'self'"

// fromUpstream leads a request for the application itself to the server that has it:
// a development server, or one with files. It gets neither a cookie of ours nor a
// token, and its pages get the headers that our own get.
func (s *Server) fromUpstream(w http.ResponseWriter, r *http.Request, escaped string, route http.Handler) error {
	if err := s.guardApp(r); err != nil {
		return err
	}
	if strings.Contains(r.Header.Get("Range"), ",") {
		// Several ranges come in a wrapping that doesn't say what is in it.
		r.Header.Del("Range")
	}
	route.ServeHTTP(&appAnswer{ResponseWriter: w, s: s, r: r, gated: s.gates(escaped)}, r)
	return nil
}

// guardApp lets pass what reads, from wherever it comes, as files do. What browsers
// send for other sites must change nothing, and connections are for our own pages.
func (s *Server) guardApp(r *http.Request) error {
	switch {
	case r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "":
		return errPreflight
	case isWebSocket(r):
		return s.guardWebSocket(r)
	case r.Method == http.MethodGet, r.Method == http.MethodHead:
		return nil
	}
	return s.guard(r)
}

// appAnswer is the writer of an answer of the application's server. Only when its
// header is written is it known to be a page.
type appAnswer struct {
	http.ResponseWriter
	s       *Server
	r       *http.Request
	gated   bool
	decided bool
	refused bool        // another answer was given in its place
	lost    http.Header // of the one that was refused: what comes after its header
}

// Header implements http.ResponseWriter.
func (w *appAnswer) Header() http.Header {
	if w.refused {
		return w.lost
	}
	return w.ResponseWriter.Header()
}

// WriteHeader implements http.ResponseWriter.
func (w *appAnswer) WriteHeader(status int) {
	if status >= http.StatusOK {
		w.decide()
	}
	if !w.refused {
		w.ResponseWriter.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (w *appAnswer) Write(b []byte) (int, error) {
	w.decide()
	if w.refused {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// FlushError is for http.ResponseController: a flush may be what writes the
// header.
func (w *appAnswer) FlushError() error {
	w.decide()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (w *appAnswer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// decide gives the answer the headers of the application, and keeps a gated page
// from whoever is not signed in.
func (w *appAnswer) decide() {
	if w.decided {
		return
	}
	w.decided = true
	h := w.Header()
	kinds := h["Content-Type"]
	page := isPage(kinds...)
	if w.gated && (page || isXML(kinds...) || holdsPage(w.r.URL.Path)) {
		if err := w.s.turnedAway(w.r); err != nil {
			w.refused, w.lost = true, http.Header{}
			clear(h)
			w.s.commonHeaders(h)
			if err := w.s.turnAway(w.ResponseWriter, w.r, err); err != nil {
				w.s.fail(w.ResponseWriter, w.r, err)
			}
			return
		}
	}
	if !page {
		if isMarkup(kinds...) {
			h["Content-Security-Policy"] = []string{markupPolicy}
		}
		w.s.app.own(h)
		return
	}
	policy := h["Content-Security-Policy"]
	maps.DeleteFunc(h, func(name string, _ []string) bool { return overrules(name) })
	w.s.pageHeaders(h, "")
	switch {
	case w.s.App.CSP != "":
	case len(policy) > 0:
		h["Content-Security-Policy"] = policy
	default:
		h.Set("Content-Security-Policy", leastPolicy+w.s.app.reports)
	}
}

// ofApp returns what to answer in place of the application's server, and err as it
// is told there: it is no API that failed.
func ofApp(w http.ResponseWriter, err error) (http.ResponseWriter, error) {
	answer, ok := w.(*appAnswer)
	if !ok {
		return w, err
	}
	var own *Refusal
	if errors.As(err, &own) && ofAppTexts[own.Code] != "" {
		told := *own
		told.texts = ofAppTexts[own.Code]
		err = &told
	}
	return answer.ResponseWriter, err
}
