package web_test

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
	"github.com/cloakroom/cloakroom/web"
)

// door is a server without network, for a bubble. Its routes are /api, which
// wants a session, /open, whose upstream sends back the body, and /down, whose
// upstream can't be reached.
type door struct {
	t     *testing.T
	web   *web.Server
	conns chan net.Conn
}

func newDoor(t *testing.T) *door {
	t.Helper()
	keys, err := session.ParseKeyring([]byte(session.NewKey()))
	if err != nil {
		t.Fatal(err)
	}
	client, err := oidc.New(oidc.Config{
		Name: "main", Issuer: "https://id.example.com", ClientID: clientID, ClientSecret: clientSecret, RedirectURL: "https://example.com/bff/callback",
	})
	if err != nil {
		t.Fatal(err)
	}
	d := &door{t: t, conns: make(chan net.Conn)}
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	down := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.web.Fail(w, r, &web.Refusal{Status: http.StatusBadGateway, Code: "upstream_unreachable"})
	})
	d.web = web.New(web.Config{
		PublicURL: &url.URL{Scheme: "https", Host: "example.com"}, BasePath: "/bff", Keys: keys, Cookie: web.CookieConfig{Name: "session"},
		Providers: []web.Provider{{Client: client}}, SPA: appFiles(), Log: slog.New(slog.DiscardHandler),
		Route: func(r *http.Request) (session.Demand, http.Handler) {
			switch r.URL.Path {
			case "/api":
				return session.Demand{Auth: session.AuthRequired, Documents: session.DocumentsAllow}, echo
			case "/open":
				return session.Demand{Auth: session.AuthNone}, echo
			case "/down":
				return session.Demand{Auth: session.AuthNone}, down
			}
			return session.Demand{}, nil
		},
	})
	server := &http.Server{Handler: d.web}
	served := make(chan error, 1)
	go func() { served <- server.Serve(d) }()
	t.Cleanup(func() {
		d.web.Close()
		if err := server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		<-served
	})
	return d
}

// Accept, Close and Addr make a door the server's net.Listener.
func (d *door) Accept() (net.Conn, error) {
	if c, ok := <-d.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (d *door) Close() error   { close(d.conns); return nil }
func (d *door) Addr() net.Addr { return &net.TCPAddr{} }

// visitor is a connection that has sent something.
type visitor struct {
	net.Conn
	t  *testing.T
	in *bufio.Reader
}

// send opens a connection and sends text on it, with {H} for the usual headers.
func (d *door) send(text string) *visitor {
	d.t.Helper()
	ours, theirs := net.Pipe()
	d.conns <- theirs
	v := &visitor{ours, d.t, bufio.NewReader(ours)}
	d.t.Cleanup(func() { _ = ours.Close() })
	v.write(text)
	return v
}

func (v *visitor) write(text string) {
	v.t.Helper()
	text = strings.ReplaceAll(text, "{H}", " HTTP/1.1\nHost: example.com\nSec-Fetch-Site: same-origin")
	if _, err := io.WriteString(v, strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		v.t.Error(err)
	}
}

// answer returns the status, the body and whether the connection goes on.
func (v *visitor) answer() (status int, body string, goesOn bool) {
	v.t.Helper()
	res, err := http.ReadResponse(v.in, nil)
	if err != nil {
		v.t.Error(err)
		return 0, "", false
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Error(err)
	}
	return res.StatusCode, string(b), !res.Close
}

// stalled are requests whose bodies go to no upstream and don't arrive.
var stalled = []struct {
	name   string
	text   string
	status int
}{
	{"provider's logout", "POST /bff/backchannel-logout/main{H}\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 1000\n\nlogout_tok", 400},
	{"endpoint", "GET /bff/session{H}\nContent-Length: 1000\n\n", 200},
	{"no such endpoint", "POST /bff/nothing{H}\nContent-Length: 1000\n\n{", 404},
	{"signed out", "POST /api{H}\nContent-Length: 1000\n\n{", 401},
	{"signed out, no length", "POST /api{H}\nTransfer-Encoding: chunked\n\n5\nab", 401},
	{"navigation", "GET /api{H}\nSec-Fetch-Mode: navigate\nContent-Length: 1000\n\n", 302},
	{"another site's", "POST /api{H}\nOrigin: https://evil.example\nContent-Length: 1000\n\n0123456789", 403},
	{"another host", "POST /api HTTP/1.1\nHost: evil.example\nContent-Length: 1000\n\n", 421},
	{"unknown path", "POST /nothing{H}\nContent-Length: 1000\n\n{", 405},
	{"file", "GET /app.js{H}\nContent-Length: 1000\n\n", 200},
	{"last request", "POST /api{H}\nConnection: close\nContent-Length: 1000\n\n{", 401},
	{"refused by the proxy", "POST /down{H}\nContent-Length: 1000\n\n{", 502},
}

// G16: a body that does not arrive holds no connection, wherever no upstream
// wants it, and is told of after some ten seconds.
func TestStalledBody(t *testing.T) {
	for _, tt := range stalled {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDoor(t)
				begun := time.Now()
				v := d.send(tt.text)
				_ = v.SetReadDeadline(begun.Add(time.Hour))
				status, _, goesOn := v.answer()
				if took := time.Since(begun); status != tt.status || goesOn || took < 9*time.Second || took > 12*time.Second {
					t.Errorf("%d after %v, goes on: %v; want %d after 10 s and an end", status, took, goesOn, tt.status)
				}
				if _, err := v.in.ReadByte(); err != io.EOF {
					t.Errorf("then %v, want an end", err)
				}
			})
		})
	}
}

// K5: nor does it hold up a stop, whether it began to wait before or after.
func TestStopWithStalledBodies(t *testing.T) {
	for _, before := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			d := newDoor(t)
			if !before {
				d.web.Close()
			}
			begun := time.Now()
			var all []*visitor
			for _, tt := range stalled {
				all = append(all, d.send(tt.text))
			}
			synctest.Wait()
			if before {
				d.web.Close()
			}
			for i, v := range all {
				_ = v.SetReadDeadline(begun.Add(time.Hour))
				if status, _, _ := v.answer(); status != stalled[i].status {
					t.Errorf("%s: %d, want %d", stalled[i].name, status, stalled[i].status)
				}
			}
			if took := time.Since(begun); took > 3*time.Second {
				t.Errorf("closed before they came: %v; the answers took %v", !before, took)
			}
		})
	}
}

// What an upstream gets may take as long as it takes (E21), whatever the
// connection was used for before, and a connection may rest after a body.
func TestSlowBodyForUpstream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t)
		v := d.send("POST /api{H}\nContent-Length: 2\n\n{")
		time.Sleep(9 * time.Second)
		v.write("}")
		if status, _, goesOn := v.answer(); status != 401 || !goesOn {
			t.Fatalf("a body in time: %d, goes on: %v", status, goesOn)
		}
		time.Sleep(time.Minute)
		v.write("POST /open{H}\nContent-Length: 5\n\n")
		for _, piece := range []string{"s", "l", "o", "w", "!"} {
			time.Sleep(30 * time.Second)
			v.write(piece)
		}
		if status, body, goesOn := v.answer(); status != 200 || body != "slow!" || !goesOn {
			t.Errorf("%d %q, goes on: %v; want 200 and the whole body", status, body, goesOn)
		}
	})
}

// A client that asks before it sends has its answer at once.
func TestRefusedBeforeItIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t)
		begun := time.Now()
		v := d.send("POST /api{H}\nExpect: 100-continue\nContent-Length: 1000\n\n")
		_ = v.SetReadDeadline(begun.Add(time.Hour))
		if status, _, goesOn := v.answer(); status != 401 || goesOn || time.Since(begun) > 0 {
			t.Errorf("%d after %v, goes on: %v; want 401 at once, and an end", status, time.Since(begun), goesOn)
		}
		if _, err := v.in.ReadByte(); err != io.EOF || time.Since(begun) > 2*time.Second {
			t.Errorf("then %v after %v, want an end soon", err, time.Since(begun))
		}
	})
}
