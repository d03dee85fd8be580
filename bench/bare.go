package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// bareProxy is what Go gives away: no sign-in, no checks, but a tuned transport
// and pooled buffers.
type bareProxy struct {
	listen, target, streams string
	cert, key               string // of a TLS listener
	floor                   int    // MiB
}

func (b bareProxy) serve() error {
	// The load ends with calls under way, which isn't worth a line; it counts by
	// itself what went wrong before.
	quiet := log.New(io.Discard, "", 0)
	api, streams := &url.URL{Scheme: "http", Host: b.target}, &url.URL{Scheme: "http", Host: b.streams}
	p := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			if strings.HasPrefix(r.In.URL.Path, "/ws/") {
				r.SetURL(streams)
				return
			}
			r.SetURL(api)
		},
		Transport:  &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true, IdleConnTimeout: 90 * time.Second},
		BufferPool: &buffers{},
		ErrorLog:   quiet,
	}
	// The collector starts when the heap has doubled: over a floor that is never
	// touched, and so is no memory, it starts seldom.
	ballast := make([]byte, b.floor<<20)
	defer func() { _ = append(ballast, 0) }()
	server := &http.Server{Addr: b.listen, Handler: p, ErrorLog: quiet}
	if b.cert != "" {
		return server.ListenAndServeTLS(b.cert, b.key)
	}
	return server.ListenAndServe()
}

// buffers implements [httputil.BufferPool].
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(p []byte) { b.pool.Put(&p) }
