package demo

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// endpoint is one entry of the provider's map.
type endpoint struct {
	name    string
	methods string
	handle  func(*exchange) answer
}

// exchange is a call on its way through an endpoint.
type exchange struct {
	r     *http.Request
	form  url.Values // query and body together
	call  Call       // copied into the journal at the end
	fault Fault
}

// answer is held back until the fault lets it go.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (p *Provider) routeTable() map[string]endpoint {
	return map[string]endpoint{
		"/.well-known/openid-configuration": {"discovery", "GET", p.discovery},
		"/jwks":                             {"jwks", "GET", p.jwks},
		"/authorize":                        {"authorize", "GET POST", p.authorize},
		"/login":                            {"login", "POST", p.login},
		"/token":                            {"token", "POST", p.token},
		"/revoke":                           {"revocation", "POST", p.revoke},
		"/userinfo":                         {"userinfo", "GET POST", p.userinfo},
		"/logout":                           {"end_session", "GET POST", p.endSession},
	}
}

// ServeHTTP answers below the issuer's path.
func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, p.prefix)
	if !ok {
		http.NotFound(w, r)
		return
	}
	e, ok := p.routes[path]
	if !ok {
		p.asset(w, r, path)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "malformed form", http.StatusBadRequest)
		return
	}
	x := &exchange{r: r, form: r.Form, call: newCall(e.name, r)}
	x.call.Time = p.now()
	entry := p.arrive(x.call)
	x.fault = p.take(x.call)

	p.hold(x.fault.Delay, x.fault.Gate)
	a, raw := p.process(e, x)
	x.call.Status = a.status
	if raw != nil {
		x.call.Status = raw.status()
	}
	p.finish(entry, x.call)
	if x.fault.DropBefore {
		panic(http.ErrAbortHandler)
	}
	p.hold(x.fault.DelayAfter, x.fault.GateAfter)
	switch {
	case x.fault.DropAfter:
		panic(http.ErrAbortHandler)
	case raw != nil:
		raw.send(w)
	case x.fault.ReplyAfter != nil:
		x.fault.ReplyAfter.send(w)
	default:
		a.send(w)
	}
}

func newCall(name string, r *http.Request) Call {
	c := Call{
		Endpoint: name, Form: r.Form, Header: r.Header.Clone(),
		GrantType: r.Form.Get("grant_type"), ClientID: r.Form.Get("client_id"), AuthMethod: presentedMethod(r),
	}
	if id, _, ok := r.BasicAuth(); ok && c.ClientID == "" {
		c.ClientID, _ = url.QueryUnescape(id)
	}
	for _, field := range []string{"code", "refresh_token", "token"} {
		if v := r.PostForm.Get(field); v != "" && name != "authorize" {
			c.TokenHash = Hash(v)
		}
	}
	return c
}

// process runs the endpoint unless a fault stands in its way.
func (p *Provider) process(e endpoint, x *exchange) (answer, *Reply) {
	switch {
	case x.fault.DropBefore:
		return answer{}, nil
	case x.fault.Reply != nil:
		return answer{}, x.fault.Reply
	case x.fault.Divert != nil && e.name == "authorize":
		return seeOther(x.fault.Divert(x.form)), nil
	case !strings.Contains(e.methods, x.r.Method):
		return answer{status: http.StatusMethodNotAllowed, header: http.Header{"Allow": {strings.ReplaceAll(e.methods, " ", ", ")}}}, nil
	case x.fault.Error != "" && e.name != "authorize" && e.name != "login":
		return x.refuse(oauthError{code: x.fault.Error, description: x.fault.ErrorDescription}), nil
	}
	return e.handle(x), nil
}

func (p *Provider) hold(delay time.Duration, gate <-chan struct{}) {
	if delay > 0 {
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-p.closed:
		}
	}
	if gate != nil {
		select {
		case <-gate:
		case <-p.closed:
		}
	}
}

// oauthError is an error answer of RFC 6749, 5.2.
type oauthError struct {
	status            int // 0: what the code usually has
	code, description string
}

func (e oauthError) httpStatus() int {
	switch {
	case e.status != 0:
		return e.status
	case e.code == "invalid_client":
		return http.StatusUnauthorized
	case e.code == "temporarily_unavailable":
		return http.StatusServiceUnavailable
	case e.code == "server_error":
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

func (x *exchange) refuse(e oauthError) answer {
	x.call.Error = e.code
	body := map[string]any{"error": e.code}
	if e.description != "" {
		body["error_description"] = e.description
	}
	a := jsonAnswer(e.httpStatus(), body)
	if x.call.AuthMethod == methodBasic && a.status == http.StatusUnauthorized {
		a.header.Set("WWW-Authenticate", `Basic realm="demo"`)
	}
	return a
}

func jsonAnswer(status int, body map[string]any) answer {
	b, err := json.Marshal(body)
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
	}
	return answer{status: status, body: b, header: http.Header{
		"Content-Type": {"application/json"}, "Cache-Control": {"no-store"},
	}}
}

func (a answer) send(w http.ResponseWriter) {
	for k, v := range a.header {
		w.Header()[k] = v
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

func (r *Reply) status() int {
	if r.Status == 0 {
		return http.StatusOK
	}
	return r.Status
}

func (r *Reply) send(w http.ResponseWriter) {
	for k, v := range r.Header {
		w.Header()[k] = v
	}
	if r.Truncate || r.Hang != nil {
		w.Header().Set("Content-Length", strconv.FormatInt(int64(len(r.Body))+r.Fill+100, 10))
	}
	var out io.Writer = w
	if r.Gzip {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer func() { _ = z.Close() }()
		out = z
	}
	w.WriteHeader(r.status())
	if _, err := out.Write(r.Body); err != nil {
		return
	}
	block := []byte(strings.Repeat(" ", 32<<10))
	for left := r.Fill; left > 0; left -= int64(len(block)) {
		if _, err := out.Write(block[:min(left, int64(len(block)))]); err != nil {
			return
		}
	}
	if r.Hang != nil {
		_ = http.NewResponseController(w).Flush()
		<-r.Hang
	}
	if r.Truncate || r.Hang != nil {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}
