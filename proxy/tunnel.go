package proxy

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// linger is how long one side of a WebSocket may take to hang up after the
// other did.
const linger = 500 * time.Millisecond

var errUnasked = errors.New("upstream switched protocols unasked, or to another one")

// The status codes of RFC 6455 section 7.4.1 that are sent from here.
const (
	closeGoingAway = 1001
	closePolicy    = 1008
)

// handshakeHeaders go upstream; of the answer's own, handshakeAnswers come
// back. Scripts see no others.
var (
	handshakeHeaders = []string{"Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Protocol", "Sec-Websocket-Extensions"}
	handshakeAnswers = []string{"Sec-Websocket-Accept", "Sec-Websocket-Protocol", "Sec-Websocket-Extensions"}
)

// origin returns u's origin as browsers write it.
func origin(u *url.URL) string {
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	}
	return u.Scheme + "://" + host
}

// checkHandshake refuses what is not a WebSocket handshake of RFC 6455 section
// 4.1, sent by a page of ours.
func (rt *route) checkHandshake(r *http.Request) error {
	upgrade, key, version := r.Header["Upgrade"], r.Header["Sec-Websocket-Key"], r.Header["Sec-Websocket-Version"]
	if len(upgrade) != 1 || !strings.EqualFold(upgrade[0], "websocket") {
		return upgradeRefused("the upgrade is not to WebSocket")
	}
	if !rt.Demand.WebSocket {
		return upgradeRefused("the route takes no WebSockets")
	}
	if r.Method != http.MethodGet || r.ProtoMajor != 1 || r.ProtoMinor < 1 || r.ContentLength != 0 ||
		!hasToken(r.Header["Connection"], "upgrade") || len(version) != 1 || version[0] != "13" || len(key) != 1 {
		return upgradeRefused("the handshake is malformed")
	}
	if raw, err := base64.StdEncoding.DecodeString(key[0]); err != nil || len(raw) != 16 {
		return upgradeRefused("the handshake's key is malformed")
	}
	if from := r.Header["Origin"]; len(from) != 1 || from[0] != rt.proxy.publicOrigin {
		return &Refusal{Status: http.StatusForbidden, Code: CodeForbiddenOrigin}
	}
	return nil
}

// handshake opens a WebSocket upstream and, if upstream agrees, joins it to the
// browser's. Another answer is passed on.
func (c *call) handshake() error {
	over, release, err := c.openStream()
	if err != nil {
		return err
	}
	defer release()
	c.header["Connection"], c.header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	for _, name := range handshakeHeaders {
		if v := c.r.Header[name]; v != nil {
			c.header[name] = v
		}
	}
	res, err := c.exchange()
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		return c.answer(res)
	}
	upstream, ok := res.Body.(io.ReadWriteCloser)
	if !ok || !agreed(res, c.r.Header.Get("Sec-Websocket-Key")) {
		_ = res.Body.Close()
		return badGateway(errUnasked)
	}
	conn, rw, err := http.NewResponseController(c.w).Hijack()
	if err != nil {
		_ = upstream.Close()
		return fmt.Errorf("proxy: websocket: %w", err)
	}
	t := &tunnel{browser: conn, in: rw.Reader, upstream: upstream}
	if err := t.open(res.Header); err != nil {
		_ = conn.Close()
		_ = upstream.Close()
		return nil // there is nobody left to tell
	}
	t.run(over, c.route.proxy.closing)
	return nil
}

// agreed reports whether res accepts the handshake with the given key.
func agreed(res *http.Response, key string) bool {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	upgrade, accept := res.Header["Upgrade"], res.Header["Sec-Websocket-Accept"]
	return len(upgrade) == 1 && strings.EqualFold(upgrade[0], "websocket") &&
		hasToken(res.Header["Connection"], "upgrade") &&
		len(accept) == 1 && accept[0] == base64.StdEncoding.EncodeToString(sum[:])
}

// tunnel is a WebSocket on both sides.
type tunnel struct {
	browser  net.Conn
	in       *bufio.Reader // of browser, with what was read ahead
	upstream io.ReadWriteCloser
	frames   frames // of what was written to browser
}

// open tells the browser that upstream agreed.
func (t *tunnel) open(h http.Header) error {
	var b strings.Builder
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
	for _, name := range handshakeAnswers {
		for _, v := range h[name] {
			b.WriteString(name + ": " + v + "\r\n")
		}
	}
	b.WriteString("\r\n")
	_ = t.browser.SetWriteDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(t.browser, b.String()); err != nil {
		return err
	}
	return t.browser.SetWriteDeadline(time.Time{})
}

// run carries bytes both ways until either side hangs up, over or closing
// closes. Both sides are closed when it returns.
func (t *tunnel) run(over, closing <-chan struct{}) {
	hungUp := make(chan struct{}) // by the browser
	go t.toUpstream(hungUp)
	ended := make(chan struct{})
	why := make(chan uint16, 1)
	go func() {
		select {
		case <-over:
			why <- closePolicy
		case <-closing:
			why <- closeGoingAway
		case <-ended:
			why <- 0
			return
		}
		_ = t.browser.SetWriteDeadline(time.Now().Add(lastWrite))
		_ = t.upstream.Close()
	}()
	t.toBrowser()
	close(ended)
	if code := <-why; code != 0 {
		t.sayClose(code)
	}
	_ = t.upstream.Close()
	_ = t.browser.SetReadDeadline(time.Now().Add(linger))
	if half, ok := t.browser.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	<-hungUp
	_ = t.browser.Close()
}

// toBrowser carries what upstream sends until either fails.
func (t *tunnel) toBrowser() {
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	for {
		n, err := t.upstream.Read(*buf)
		if n > 0 {
			written, err := t.browser.Write((*buf)[:n])
			t.frames.add((*buf)[:written])
			if err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// toUpstream carries what the browser sends. When upstream takes no more it
// still reads on: a connection closed with data unread is reset, and the
// browser would lose what was sent to it last.
func (t *tunnel) toUpstream(hungUp chan<- struct{}) {
	defer close(hungUp)
	buf := buffers.Get().(*[]byte)
	defer buffers.Put(buf)
	broken := false
	for {
		n, err := t.in.Read(*buf)
		if n > 0 && !broken {
			_, werr := t.upstream.Write((*buf)[:n])
			broken = werr != nil
		}
		if err != nil {
			break
		}
	}
	if half, ok := t.upstream.(interface{ CloseWrite() error }); ok && !broken && half.CloseWrite() == nil {
		time.AfterFunc(linger, func() { _ = t.upstream.Close() })
		return
	}
	_ = t.upstream.Close()
}

// sayClose tells the browser why, if a frame can be sent without breaking into
// another.
func (t *tunnel) sayClose(code uint16) {
	if !t.frames.between() {
		return
	}
	reason := "session ended"
	if code == closeGoingAway {
		reason = "going away"
	}
	frame := append([]byte{0x88, byte(2 + len(reason)), byte(code >> 8), byte(code)}, reason...)
	_, _ = t.browser.Write(frame)
}
