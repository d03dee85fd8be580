package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/coder/websocket"
)

// Bounds for what a caller may ask of /slow and /bytes.
const (
	maxSlow  = 10 * time.Minute
	maxBytes = 1 << 30
)

// whoami shows what arrived: all of it but the token.
func (a *API) whoami(w http.ResponseWriter, r *http.Request) {
	header := map[string][]string{}
	for name, values := range r.Header {
		header[name] = values
	}
	if r.Header.Get("Authorization") != "" {
		header["Authorization"] = []string{"Bearer (hidden)"}
	}
	n, _ := io.Copy(io.Discard, r.Body)
	body := map[string]any{
		"method": r.Method, "path": r.URL.Path, "query": r.URL.RawQuery, "host": r.Host, "headers": header,
		"body_bytes": n, "time": a.cfg.Now().UTC().Format(time.RFC3339Nano),
	}
	if claims := claimsOf(r); claims != nil {
		body["claims"] = claims
		if exp, ok := claims["exp"].(float64); ok {
			body["token_expires_in"] = int(time.Unix(int64(exp), 0).Sub(a.cfg.Now()).Seconds())
		}
	}
	writeJSON(w, http.StatusOK, body)
}

type order struct {
	ID       int     `json:"id"`
	Item     string  `json:"item"`
	Quantity int     `json:"quantity"`
	Price    float64 `json:"price"`
	Status   string  `json:"status"`
}

func sampleOrders() []order {
	return []order{
		{1041, "Wool scarf, moss green", 1, 39, "on its way"},
		{1042, "Umbrella, collapsible", 2, 24.5, "packed"},
		{1043, "Felt hat, size 57", 1, 58, "delivered"},
	}
}

// ordersList lists the orders, or takes one and shows it again.
func (a *API) ordersList(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		a.mu.Lock()
		list := append([]order(nil), a.orders...)
		a.mu.Unlock()
		writeJSON(w, http.StatusOK, map[string]any{"subject": claimsOf(r)["sub"], "orders": list})
	case http.MethodPost:
		var received any
		if err := json.NewDecoder(io.LimitReader(r.Body, 1<<20)).Decode(&received); err != nil {
			writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_json"})
			return
		}
		writeJSON(w, http.StatusCreated, map[string]any{"subject": claimsOf(r)["sub"], "received": received})
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		writeJSON(w, http.StatusMethodNotAllowed, map[string]any{"error": "method_not_allowed"})
	}
}

// echo greets a WebSocket with its subject and sends back what it gets.
func (a *API) echo(w http.ResponseWriter, r *http.Request) {
	// The proxy in front has checked the browser's Origin; ours is another
	// host, so the comparison that Accept makes by default can't hold here.
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{OriginPatterns: []string{"*"}})
	if err != nil {
		return // Accept has answered
	}
	defer func() { _ = c.CloseNow() }()
	hello := fmt.Sprintf("hello %v", claimsOf(r)["sub"])
	if err := c.Write(r.Context(), websocket.MessageText, []byte(hello)); err != nil {
		return
	}
	for {
		kind, data, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if err := c.Write(r.Context(), kind, data); err != nil {
			return
		}
	}
}

// ticks sends one server-sent event per tick, without end.
func (a *API) ticks(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	rc := http.NewResponseController(w)
	ticker := time.NewTicker(a.cfg.Tick)
	defer ticker.Stop()
	for n := 1; ; n++ {
		_, err := fmt.Fprintf(w, "id: %d\nevent: tick\ndata: {\"n\":%d,\"time\":%q,\"subject\":%q}\n\n",
			n, n, a.cfg.Now().UTC().Format(time.RFC3339Nano), fmt.Sprint(claimsOf(r)["sub"]))
		if err != nil || rc.Flush() != nil {
			return
		}
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		}
	}
}

// slow waits ?ms= milliseconds before it answers.
func (a *API) slow(w http.ResponseWriter, r *http.Request) {
	ms, _ := strconv.Atoi(r.URL.Query().Get("ms"))
	t := time.NewTimer(min(time.Duration(max(ms, 0))*time.Millisecond, maxSlow))
	defer t.Stop()
	select {
	case <-t.C:
		a.whoami(w, r)
	case <-r.Context().Done():
	}
}

// bytes answers ?n= bytes.
func (a *API) bytes(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.ParseInt(r.URL.Query().Get("n"), 10, 64)
	if err != nil || n < 0 || n > maxBytes {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "n_out_of_range"})
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.CopyN(w, zeros{}, n)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// upload counts the bytes of the body.
func (a *API) upload(w http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "body_cut_short", "bytes": n})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"bytes": n, "subject": claimsOf(r)["sub"]})
}

// download answers a file for saving.
func (a *API) download(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="orders.csv"`)
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, "id,item,quantity,price,status\r\n")
	for _, o := range sampleOrders() {
		_, _ = fmt.Fprintf(w, "%d,%q,%d,%.2f,%q\r\n", o.ID, o.Item, o.Quantity, o.Price, o.Status)
	}
}
