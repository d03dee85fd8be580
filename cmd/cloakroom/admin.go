package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"
)

// readiness is the body of /readyz.
type readiness struct {
	Status    string            `json:"status"`    // ready, draining, unready
	Store     string            `json:"store"`     // ok, or what is wrong
	Providers map[string]string `json:"providers"` // ok or unreachable; sessions live on without them
}

// adminHandler serves the admin listener: /healthz says that the process
// lives, /readyz whether it should get traffic. A provider that is down does
// not make it unready: those who are signed in work on. Everything but those
// two and /metrics asks for the token. This is the whole map.
func (a *app) adminHandler(draining *atomic.Bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
		defer cancel()
		body := a.readiness(ctx, draining.Load())
		w.Header().Set("Content-Type", "application/json")
		if body.Status != "ready" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(body)
	})
	mux.Handle("GET /metrics", a.metrics.handler())
	mux.HandleFunc("GET /keys", a.listKeys)
	mux.HandleFunc("POST /store/backup", a.backupStore)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, _ *http.Request) {
		answerProblem(w, adminProblem{
			Status: http.StatusNotFound, Code: "not_found", Title: "There is nothing here",
			Detail: "there are GET /healthz, /readyz, /metrics and /keys, and POST /store/backup",
		})
	})
	return a.localOnly(a.authorized(mux))
}

// adminProblem is what the admin listener says when it refuses or fails: a
// problem of RFC 9457. Detail is for the operator, and may name files.
type adminProblem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail,omitempty"`
}

func answerProblem(w http.ResponseWriter, p adminProblem) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p)
}

// adminFailed answers a request that the token allowed and that went wrong.
func adminFailed(w http.ResponseWriter, err error) {
	answerProblem(w, adminProblem{
		Status: http.StatusInternalServerError, Code: "internal", Title: "It did not work", Detail: err.Error(),
	})
}

func (a *app) readiness(ctx context.Context, draining bool) readiness {
	body := readiness{Status: "ready", Store: "ok", Providers: map[string]string{}}
	if err := a.manager.Ready(ctx); err != nil {
		body.Status, body.Store = "unready", err.Error()
	}
	if draining {
		body.Status = "draining"
	}
	// What is known is told; nobody waits here for a provider that is asked just
	// now, or a probe of the process would fail with it.
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	for _, c := range a.clients {
		body.Providers[c.Name()] = "ok"
		// The metadata may be at hand though the provider is down by now.
		if c.Probe(ctx) != nil || !c.Answers() || a.manager.HeldBack(c.Name()) {
			body.Providers[c.Name()] = "unreachable"
		}
	}
	return body
}

// localOnly refuses what a page in an operator's browser could send: a Host that
// is no loopback name (DNS rebinding), and requests of other sites.
func (a *app) localOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
		local := err == nil && addr.IsLoopback() || strings.EqualFold(host, "localhost")
		site := r.Header.Get("Sec-Fetch-Site")
		switch {
		case !local:
			a.refuse(w, r, &a.refusals.host, adminProblem{
				Status: http.StatusForbidden, Code: "wrong_host", Title: "Ask by a loopback address",
				Detail: "the Host of a request here is localhost, 127.0.0.1 or [::1]: this listener is for this machine",
			})
			return
		case site != "" && site != "none" && site != "same-origin":
			a.refuse(w, r, &a.refusals.site, adminProblem{
				Status: http.StatusForbidden, Code: "cross_site", Title: "Pages of other sites can't ask here",
			})
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}
