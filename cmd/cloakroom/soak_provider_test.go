package main_test

import (
	"encoding/json"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// soakFault is something that a provider does to a renewal.
type soakFault struct {
	name  string
	per10 int // of ten thousand renewals

	// consumed: the provider has exchanged the token and the answer is of no use.
	// unclear: it has not, and the caller can't tell. Neither: the caller knows.
	consumed, unclear bool

	// reply answers in place of the provider (before), or of its answer a; nil: a.
	before func(w http.ResponseWriter, r *http.Request)
	after  func(w http.ResponseWriter, r *http.Request, a *httptest.ResponseRecorder)
}

func refuseWith(status int, retryAfter string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"error":"temporarily_unavailable"}`))
	}
}

func junk(w http.ResponseWriter, _ *http.Request) {
	_, _ = w.Write([]byte("<!doctype html><title>Welcome to the captive portal</title>"))
}

func cut(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// hang says nothing until the caller has given up.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func afterwards(f func(http.ResponseWriter, *http.Request)) func(http.ResponseWriter, *http.Request, *httptest.ResponseRecorder) {
	return func(w http.ResponseWriter, r *http.Request, _ *httptest.ResponseRecorder) { f(w, r) }
}

// outages are what happens to all renewals for a while.
var outages = []soakFault{
	{name: "outage: 500", before: refuseWith(500, "")},
	{name: "outage: 503 with Retry-After", before: refuseWith(503, "1")},
	{name: "outage: 429 with Retry-After", before: refuseWith(429, "1")},
}

// soakFaults are what happens at random; the rest is health.
var soakFaults = []soakFault{
	{name: "500", per10: 60, before: refuseWith(500, "")},
	{name: "503 with Retry-After", per10: 2, before: refuseWith(503, "1")},
	{name: "429 with Retry-After", per10: 2, before: refuseWith(429, "1")},
	{name: "504", per10: 20, unclear: true, before: refuseWith(504, "")},
	{name: "no answer, not processed", per10: 15, unclear: true, before: hang},
	{name: "connection cut before processing", per10: 30, unclear: true, before: cut},
	{name: "a web page, not processed", per10: 20, unclear: true, before: junk},
	{name: "no answer, processed", per10: 4, consumed: true, after: afterwards(hang)},
	{name: "connection cut after processing", per10: 8, consumed: true, after: afterwards(cut)},
	{name: "a web page, processed", per10: 4, consumed: true, after: afterwards(junk)},
	{name: "an answer with a refresh token only", per10: 120, after: refreshOnly},
	{name: "slow", per10: 200, after: slowly},
}

// refreshOnly leaves everything out but what must not be lost (R20).
func refreshOnly(w http.ResponseWriter, _ *http.Request, a *httptest.ResponseRecorder) {
	var body map[string]any
	if json.Unmarshal(a.Body.Bytes(), &body) == nil && body["refresh_token"] != nil {
		_ = json.NewEncoder(w).Encode(map[string]any{"refresh_token": body["refresh_token"]})
		return
	}
	w.WriteHeader(a.Code)
	_, _ = w.Write(a.Body.Bytes())
}

func slowly(w http.ResponseWriter, r *http.Request, a *httptest.ResponseRecorder) {
	select {
	case <-time.After(time.Duration(100+rand.N(500)) * time.Millisecond):
	case <-r.Context().Done():
	}
	copyAnswer(w, a)
}

func copyAnswer(w http.ResponseWriter, a *httptest.ResponseRecorder) {
	for k, v := range a.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(a.Code)
	_, _ = w.Write(a.Body.Bytes())
}

// soakIDP is a provider with a journal that is compact enough for hours: what
// became of each refresh token, and nothing else.
type soakIDP struct {
	*demo.Provider
	*ledger
	server *http.Server
	mute   func() // ends a silence; nil if there is none

	mu       sync.Mutex
	rnd      *rand.Rand     // guarded by mu
	healthy  bool           // guarded by mu
	injected map[string]int // guarded by mu
	standing soakFault      // what happens to every renewal while healthy; guarded by mu
	outage   soakFault      // guarded by mu
	from, to time.Time      // of the outage; guarded by mu
}

func (p *soakIDP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/token" || r.ParseForm() != nil {
		p.Provider.ServeHTTP(w, r)
		return
	}
	arrived := time.Now()
	var f soakFault
	old := r.PostForm.Get("refresh_token")
	if old != "" {
		f = p.choose()
		p.presented(old, f)
		if f.before != nil {
			f.before(w, r)
			return
		}
	}
	e := &exchange{arrived: arrived, lost: f.consumed}
	a := httptest.NewRecorder()
	p.Provider.ServeHTTP(a, r)
	p.exchanged(old, a, e)
	defer p.sent(e)
	if f.after != nil {
		f.after(w, r, a)
		return
	}
	copyAnswer(w, a)
}

// choose returns what happens to the next renewal.
func (p *soakIDP) choose() soakFault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.healthy {
		if p.standing.name != "" {
			p.injected[p.standing.name]++
		}
		return p.standing
	}
	now := time.Now()
	if now.After(p.to) {
		p.outage = outages[p.rnd.IntN(len(outages))]
		p.from = now.Add(time.Duration(5+p.rnd.IntN(10)) * time.Second)
		p.to = p.from.Add(time.Duration(200+p.rnd.IntN(1300)) * time.Millisecond)
	}
	if now.After(p.from) {
		p.injected[p.outage.name]++
		return p.outage
	}
	n := p.rnd.IntN(10_000)
	for _, f := range soakFaults {
		if n -= f.per10; n < 0 {
			p.injected[f.name]++
			return f
		}
	}
	return soakFault{}
}

// heal ends all faults.
func (p *soakIDP) heal() { p.stand(soakFault{}) }

// stand makes f happen to every renewal, and nothing else.
func (p *soakIDP) stand(f soakFault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.healthy, p.standing = true, f
}

// count is how often a fault has happened.
func (p *soakIDP) count(fault string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.injected[fault]
}

// serve makes the provider answer at l.
func (p *soakIDP) serve(l net.Listener) {
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
	go func(s *http.Server) { _ = s.Serve(l) }(p.server)
}

// vanish makes connections to the provider fail.
func (p *soakIDP) vanish() { _ = p.server.Close() }

// fallSilent makes connections to the provider work, and nothing come back.
func (p *soakIDP) fallSilent() {
	p.vanish()
	l, err := p.listen()
	if err != nil {
		panic(err) // reappear will say so too
	}
	var taken []net.Conn
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			taken = append(taken, c)
		}
	}()
	p.mute = func() {
		_ = l.Close()
		<-done
		for _, c := range taken {
			_ = c.Close()
		}
	}
}

func (p *soakIDP) listen() (net.Listener, error) {
	return net.Listen("tcp", strings.TrimPrefix(p.Issuer(), "http://"))
}

// reappear ends either.
func (p *soakIDP) reappear() error {
	if p.mute != nil {
		p.mute()
		p.mute = nil
	}
	l, err := p.listen()
	if err == nil {
		p.serve(l)
	}
	return err
}
