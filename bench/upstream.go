package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// smallBody is the answer to most calls, 1 KiB.
var smallBody = `{"data":"` + strings.Repeat("x", 1024-11) + `"}`

// sizes are the other answers, by the last element of their path.
var sizes = map[string]int{"64k": 64 << 10, "10m": 10 << 20}

const eventEvery = 10 * time.Millisecond

// serveUpstream is the upstream of WebSockets and event streams, and of all else
// where there is no nginx.
func serveUpstream(listen string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, smallBody)
	})
	for name, size := range sizes {
		body := make([]byte, size)
		mux.HandleFunc("/api/"+name, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Content-Length", strconv.Itoa(size))
			_, _ = w.Write(body)
		})
	}
	mux.HandleFunc("/api/seen", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("Authorization"))
	})
	mux.HandleFunc("/ws/echo", echo)
	mux.HandleFunc("/ws/events", events)
	return http.ListenAndServe(listen, mux)
}

// echo sends every message back.
func echo(w http.ResponseWriter, r *http.Request) {
	// The proxies pass on the public Origin, which isn't this upstream's; whose
	// pages may connect is theirs to judge.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	for {
		kind, message, err := conn.Read(r.Context())
		if err != nil || conn.Write(context.WithoutCancel(r.Context()), kind, message) != nil {
			return
		}
	}
}

// events sends the time, in ns, over and over.
func events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	tick := time.NewTicker(eventEvery)
	defer tick.Stop()
	for c := http.NewResponseController(w); ; {
		if _, err := fmt.Fprintf(w, "data: %d\n\n", time.Now().UnixNano()); err != nil || c.Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}
