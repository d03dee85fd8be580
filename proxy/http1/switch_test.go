package http1_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
)

const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"

// upgrade returns both ends of a connection that has switched protocols. The
// upstream has said early with its answer.
func upgrade(t *testing.T, ctx context.Context, early string) (io.ReadWriteCloser, *peer) {
	t.Helper()
	u, tr := newUpstream(t), newTransport(t)
	r := u.request("GET", "/", nil).WithContext(ctx)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "echo")
	began := make(chan *http.Response, 1)
	go func() {
		res, err := tr.RoundTrip(r)
		if err != nil {
			t.Error(err)
		}
		began <- res
	}()
	p := u.accept()
	p.serve(switching + early)
	res := wait(t, began)
	both, ok := res.Body.(io.ReadWriteCloser)
	if res.StatusCode != http.StatusSwitchingProtocols || !ok {
		t.Fatalf("got %d and a %T", res.StatusCode, res.Body)
	}
	return both, p
}

// After 101 the connection is the caller's, to its last byte in both directions.
func TestSwitch(t *testing.T) {
	both, p := upgrade(t, t.Context(), "early ")
	p.write("and late")
	got := make([]byte, len("early and late"))
	if _, err := io.ReadFull(both, got); err != nil || string(got) != "early and late" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := io.WriteString(both, "hello"); err != nil {
		t.Error(err)
	}
	p.read("hello")
	if err := both.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Error(err)
	}
	p.gone()
	p.write("bye")
	_ = p.CloseWrite()
	if got, err := io.ReadAll(both); err != nil || string(got) != "bye" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := both.Close(); err != nil {
		t.Error(err)
	}
}

// Closing it, or leaving, ends what reads and what writes.
func TestSwitchEnds(t *testing.T) {
	for _, name := range []string{"closed", "cancelled"} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			both, p := upgrade(t, ctx, "")
			ended := make(chan error, 2)
			go func() {
				_, err := both.Read(make([]byte, 1))
				ended <- err
			}()
			go func() {
				_, err := both.Write(make([]byte, 32<<20))
				ended <- err
			}()
			if _, err := p.in.Peek(1); err != nil {
				t.Fatal(err)
			}
			if name == "closed" {
				_ = both.Close()
			} else {
				cancel()
			}
			for range 2 {
				if err := wait(t, ended); err == nil {
					t.Error("it goes on")
				}
			}
			_ = both.Close()
			p.rest()
		})
	}
}

// A connection that can't be closed by half says so.
func TestSwitchWithoutHalves(t *testing.T) {
	tr := newTransport(t)
	tr.Dial = pipe(func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1<<10))
		_, _ = io.WriteString(c, switching)
		_, _ = io.Copy(io.Discard, c)
	})
	r, _ := http.NewRequest("GET", "http://upstream/", nil)
	res, err := tr.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.(interface{ CloseWrite() error }).CloseWrite(); !errors.Is(err, http.ErrNotSupported) {
		t.Errorf("got %v", err)
	}
	_ = res.Body.Close()
}

// A request whose body is on its way switches nothing: two would write.
func TestSwitchWithBody(t *testing.T) {
	u, tr := newUpstream(t), newTransport(t)
	in, browser := io.Pipe()
	src := newSource(in)
	done := start(tr, u.request("POST", "/", src))
	p := u.accept()
	p.serve(switching)
	if got := wait(t, done); got.err == nil {
		t.Errorf("got %d", got.res.StatusCode)
	}
	p.gone()
	_ = browser.Close()
	wait(t, src.closed)
}
