package proxy_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/cloakroom/cloakroom/proxy"
	"github.com/cloakroom/cloakroom/session"
)

const handshake = "GET /ws HTTP/1.1\r\nHost: app\r\nCookie: __Host-session=alice\r\nOrigin: " + publicURL + "\r\n" +
	"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

const accepted = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

// echoAPI is a WebSocket API that sends back what it gets, and reports the
// handshake and the end of each connection.
func echoAPI(t testing.TB) (config proxy.Config, shaken chan http.Header, ended chan error) {
	t.Helper()
	shaken, ended = make(chan http.Header, 10), make(chan error, 10)
	upstream := serve(t, func(w http.ResponseWriter, r *http.Request) {
		shaken <- r.Header.Clone()
		conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
			Subprotocols: []string{"chat"}, OriginPatterns: []string{"app.example.com"},
		})
		if err != nil {
			ended <- err
			return
		}
		conn.SetReadLimit(1 << 22)
		for {
			kind, msg, err := conn.Read(context.Background())
			if err != nil {
				ended <- err
				return
			}
			if err := conn.Write(context.Background(), kind, msg); err != nil {
				ended <- err
				return
			}
		}
	})
	return proxy.Config{Path: "/ws", Upstream: upstream, Demand: session.Demand{WebSocket: true}}, shaken, ended
}

// shake opens a WebSocket as alice.
func (s *stand) shake(t testing.TB) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, res, err := websocket.Dial(ctx, s.URL+"/ws?room=1;2", &websocket.DialOptions{
		Subprotocols: []string{"chat"},
		HTTPHeader: http.Header{
			"Cookie": {"__Host-session=alice"}, "Origin": {publicURL}, "Authorization": {"Bearer forged"}, "X-Forwarded-For": {"1.1.1.1"},
		},
	})
	if err == nil {
		conn.SetReadLimit(1 << 22)
		t.Cleanup(func() { _ = conn.CloseNow() })
	}
	return conn, res, err
}

// Messages go both ways, and the handshake is cleaned like any request (F6).
func TestWebSocket(t *testing.T) {
	config, shaken, ended := echoAPI(t)
	s := newStand(t, config)
	conn, res, err := s.shake(t)
	if err != nil {
		t.Fatal(err)
	}
	if res.Header.Get("Sec-Websocket-Protocol") != "chat" {
		t.Errorf("got subprotocol %q, want chat", res.Header.Get("Sec-Websocket-Protocol"))
	}
	h := <-shaken
	if got := h["Authorization"]; len(got) != 1 || got[0] != "Bearer alice-1" {
		t.Errorf("upstream got Authorization %q, want ours", got)
	}
	if h["Cookie"] != nil || h.Get("X-Forwarded-For") != "127.0.0.1" {
		t.Errorf("upstream got Cookie %q and X-Forwarded-For %q", h["Cookie"], h["X-Forwarded-For"])
	}
	for _, size := range []int{0, 1, 125, 126, 70_000, 1 << 20} {
		msg := strings.Repeat("x", size)
		if err := conn.Write(t.Context(), websocket.MessageText, []byte(msg)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := conn.Read(t.Context()); err != nil || string(got) != msg {
			t.Fatalf("got %d bytes and %v, want %d", len(got), err, size)
		}
	}
	if err := conn.Close(websocket.StatusNormalClosure, "done"); err != nil {
		t.Errorf("closing: %v", err)
	}
	if err := <-ended; websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("upstream got %v, want a normal closure", err)
	}
}

// A WebSocket ends with its session, and with the proxy: the browser is told
// why, and upstream's connection closes (E12).
func TestWebSocketEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(*testing.T, *stand)
		want websocket.StatusCode
	}{
		{"sign-out", func(t *testing.T, s *stand) { s.signOut(t) }, websocket.StatusPolicyViolation},
		{"close", func(_ *testing.T, s *stand) { s.proxy.Close() }, websocket.StatusGoingAway},
	} {
		t.Run(tt.name, func(t *testing.T) {
			config, _, ended := echoAPI(t)
			s := newStand(t, config)
			conn, _, err := s.shake(t)
			if err != nil {
				t.Fatal(err)
			}
			if err := conn.Write(t.Context(), websocket.MessageText, []byte("x")); err != nil {
				t.Fatal(err)
			}
			if _, _, err := conn.Read(t.Context()); err != nil {
				t.Fatal(err)
			}
			tt.end(t, s)
			if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != tt.want {
				t.Errorf("got %v, want status %d", err, tt.want)
			}
			<-ended
		})
	}
}

// No frame is put into the middle of another.
func TestWebSocketEndsInsideFrame(t *testing.T) {
	const half = "\x81\x7e\x01\x00half" // 256 bytes are announced
	s := newStand(t, proxy.Config{Path: "/ws", Upstream: wsUpstream(t, accepted+"\r\n"+half), Demand: session.Demand{WebSocket: true}})
	conn := dial(t, s)
	_, _ = io.WriteString(conn, handshake+"\r\n")
	in := bufio.NewReader(conn)
	if _, err := http.ReadResponse(in, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(in, make([]byte, len(half))); err != nil {
		t.Fatal(err)
	}
	s.signOut(t)
	if rest, _ := io.ReadAll(in); len(rest) > 0 {
		t.Errorf("got %q inside a frame, want nothing", rest)
	}
}

// Bytes that come together with the handshake, on either side, are not lost.
func TestWebSocketReadAhead(t *testing.T) {
	s := newStand(t, proxy.Config{Path: "/ws", Upstream: wsUpstream(t, accepted+"Set-Cookie: lang=x\r\n\r\n\x81\x02hi"), Demand: session.Demand{WebSocket: true}})
	conn := dial(t, s)
	_, _ = io.WriteString(conn, handshake+"\r\n"+"early")
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if res.Header["Set-Cookie"] != nil {
		t.Errorf("a cookie came with the handshake: %q", res.Header["Set-Cookie"])
	}
	got := make([]byte, len("\x81\x02hiearly"))
	if _, err := io.ReadFull(in, got); err != nil || string(got) != "\x81\x02hiearly" {
		t.Errorf("got %q and %v, want both sides' first bytes", got, err)
	}
}

// wsUpstream answers one handshake with the given bytes, and sends back what it
// gets after that.
func wsUpstream(t testing.TB, answer string) *url.URL {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		if _, err := http.ReadRequest(in); err != nil {
			return
		}
		_, _ = io.WriteString(conn, answer)
		_, _ = io.Copy(conn, in)
	}()
	return mustParse(t, "http://"+l.Addr().String())
}

// Only a flawless handshake from our own origin on a marked route reaches the
// upstream (F6, G10).
func TestUpgradeRefused(t *testing.T) {
	replace := func(from, to string) string { return strings.Replace(handshake, from, to, 1) }
	tests := []struct{ name, head, want string }{
		{"flawless", handshake, "101"},
		{"other cases", replace("Upgrade: websocket", "upgrade: WebSocket"), "101"},
		{"keep-alive too", replace("Connection: Upgrade", "Connection: keep-alive, upgrade"), "101"},
		{"unmarked route", replace("/ws", "/api"), "400"},
		{"h2c", replace("websocket", "h2c"), "400"},
		{"h2c on an unmarked route", replace("websocket", "h2c") + "HTTP2-Settings: AAMAAABkAAQAAP__\r\n", "400"},
		{"two protocols", replace("websocket", "websocket, h2c"), "400"},
		{"two fields", handshake + "Upgrade: h2c\r\n", "400"},
		{"no protocol", replace("websocket", ""), "400"},
		{"not in Connection", replace("Connection: Upgrade", "Connection: close"), "400"},
		{"post", replace("GET", "POST"), "400"},
		{"body", handshake + "Content-Length: 1\r\n", "400"},
		{"HTTP/1.0", replace("HTTP/1.1", "HTTP/1.0"), "400"},
		{"old version", replace("Version: 13", "Version: 8"), "400"},
		{"no key", replace("Sec-WebSocket-Key", "X"), "400"},
		{"short key", replace("dGhlIHNhbXBsZSBub25jZQ==", "eA=="), "400"},
		{"no origin", replace("Origin", "X"), "403"},
		{"sibling", replace(publicURL, "https://www.example.com"), "403"},
		{"another scheme", replace(publicURL, "http://app.example.com"), "403"},
		{"another port", replace(publicURL, publicURL+":8443"), "403"},
		{"null", replace(publicURL, "null"), "403"},
		{"two origins", handshake + "Origin: https://evil.example.com\r\n", "403"},
		{"signed out", replace("alice", "nobody"), "401"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			upstream := newRawUpstream(t, func(int, string) string { return accepted + "\r\n" })
			s := newStand(t,
				proxy.Config{Path: "/ws", Upstream: mustParse(t, upstream.url()), Demand: session.Demand{WebSocket: true}},
				proxy.Config{Path: "/api", Upstream: mustParse(t, upstream.url())})
			conn := dial(t, s)
			_, _ = io.WriteString(conn, tt.head+"\r\nx")
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err != nil || !strings.HasPrefix(line, "HTTP/1.1 "+tt.want) && !strings.HasPrefix(line, "HTTP/1.0 "+tt.want) {
				t.Errorf("got %q and %v, want %s", line, err, tt.want)
			}
			if got := len(upstream.requests()); (got > 0) != (tt.want == "101") {
				t.Errorf("upstream got %d requests", got)
			}
		})
	}
}

// What upstream answers to a handshake is checked, or passed on.
func TestHandshakeAnswers(t *testing.T) {
	renewed := func(_ int, head string) string {
		if strings.Contains(head, "Bearer alice-2") {
			return accepted + "\r\n"
		}
		return invalidToken
	}
	always := func(s string) func(int, string) string { return func(int, string) string { return s } }
	tests := []struct {
		name   string
		answer func(int, string) string
		want   int
	}{
		{"accepted", always(accepted + "\r\n"), 101},
		{"another key's", always(strings.Replace(accepted, "s3pP", "xxxx", 1) + "\r\n"), 502},
		{"another protocol", always(strings.Replace(accepted, "WebSocket\r", "h2c\r", 1) + "\r\n"), 502},
		{"refused", always("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nSet-Cookie: lang=x\r\n\r\n"), 403},
		{"token renewed", renewed, 101},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			upstream := newRawUpstream(t, tt.answer)
			s := newStand(t, proxy.Config{Path: "/ws", Upstream: mustParse(t, upstream.url()), Demand: session.Demand{WebSocket: true}})
			conn := dial(t, s)
			_, _ = io.WriteString(conn, handshake+"\r\n")
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != tt.want || res.Header["Set-Cookie"] != nil {
				t.Errorf("got %d with cookies %q, want %d", res.StatusCode, res.Header["Set-Cookie"], tt.want)
			}
		})
	}
}

// WebSockets count among the streams of a session.
func TestTooManyWebSockets(t *testing.T) {
	config, shaken, _ := echoAPI(t)
	s := newStand(t, config)
	for range 3 {
		if _, _, err := s.shake(t); err != nil {
			t.Fatal(err)
		}
		<-shaken
	}
	if _, res, err := s.shake(t); err == nil || res.StatusCode != 429 {
		t.Errorf("got %v and %v, want 429", res, err)
	}
	if len(shaken) != 0 {
		t.Error("upstream saw the one too many")
	}
}
