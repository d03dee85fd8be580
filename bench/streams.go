package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"
)

// streamLoad holds many WebSockets or event streams open, and counts what comes
// over them. It is a process of its own, on the load's core, and goes step by step
// with the one that reads the proxy's CPU time: all are open ("open" is written), a
// line is read, it counts, the figures are written, a line is read, the end.
type streamLoad struct {
	url, origin string
	cookies     []string
	connections int
	d           time.Duration

	mu       sync.Mutex
	counting atomic.Bool
	took     []time.Duration // guarded by mu
}

// streams runs the load as a child.
func (c *contender) streams(ctx context.Context, _ *rig, s scenario, d time.Duration, used func() error) (load, error) {
	self, err := os.Executable()
	if err != nil {
		return load{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, "taskset", "-c", loadCore, self, "-role", s.tool, "-target", c.url+s.path, "-time", d.String(),
		"-connections", strconv.Itoa(s.connections), "-cookies", strings.Join(c.cookies, "\n"))
	cmd.Stderr, cmd.Env = os.Stderr, append(os.Environ(), "GOMAXPROCS=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		return load{}, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return load{}, err
	}
	if err := cmd.Start(); err != nil {
		return load{}, err
	}
	l, err := follow(in, bufio.NewReader(out), used)
	return l, errors.Join(err, in.Close(), cmd.Wait())
}

// follow is the parent's side of the steps; it calls used before and after the
// load.
func follow(in io.Writer, out *bufio.Reader, used func() error) (l load, err error) {
	if line, err := out.ReadString('\n'); err != nil || line != "open\n" {
		return l, fmt.Errorf("streams: not open: %q, %w", line, err)
	}
	if err := used(); err != nil {
		return l, err
	}
	if _, err := io.WriteString(in, "count\n"); err != nil {
		return l, err
	}
	var n, took, p50, p99 int64
	if _, err := fmt.Fscanln(out, &n, &took, &p50, &p99); err != nil {
		return l, fmt.Errorf("streams: %w", err)
	}
	return load{float64(n), time.Duration(took), time.Duration(p50), time.Duration(p99)}, used()
}

// run is the child's side: connect opens one connection, and returns what reads
// from it one message after the other and says how long each took.
func (l *streamLoad) run(connect func(context.Context, int) (func() (time.Duration, error), error)) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	for i := range l.connections {
		read, err := connect(ctx, i)
		if err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		group.Go(func() error {
			for {
				took, err := read()
				if err != nil {
					return err
				}
				if l.counting.Load() {
					l.mu.Lock()
					l.took = append(l.took, took)
					l.mu.Unlock()
				}
			}
		})
	}
	in := bufio.NewReader(os.Stdin)
	fmt.Println("open")
	if _, err := in.ReadString('\n'); err != nil {
		return err
	}
	began := time.Now()
	l.counting.Store(true)
	select {
	case <-time.After(l.d):
	case <-ctx.Done():
		return group.Wait() // one of them broke
	}
	l.counting.Store(false)
	counted := time.Since(began)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.took) == 0 {
		return errors.New("not one message")
	}
	slices.Sort(l.took)
	fmt.Println(len(l.took), counted.Nanoseconds(), l.took[len(l.took)/2].Nanoseconds(), l.took[len(l.took)*99/100].Nanoseconds())
	_, _ = in.ReadString('\n') // until then the proxy's CPU time is read
	return nil
}

func (l *streamLoad) header(i int) http.Header {
	h := http.Header{"User-Agent": {agent}, "Origin": {l.origin}}
	if len(l.cookies) > 0 {
		h.Set("Cookie", l.cookies[i%len(l.cookies)])
	}
	return h
}

// webSocket sends messages of 128 bytes, each when the one before is back.
func (l *streamLoad) webSocket(ctx context.Context, i int) (func() (time.Duration, error), error) {
	conn, resp, err := websocket.Dial(ctx, l.url, &websocket.DialOptions{HTTPHeader: l.header(i)})
	if err != nil {
		return nil, err
	}
	_ = resp // its body is the connection
	message := []byte(strings.Repeat("m", 128))
	return func() (time.Duration, error) {
		began := time.Now()
		if err := conn.Write(ctx, websocket.MessageText, message); err != nil {
			return 0, err
		}
		_, back, err := conn.Read(ctx)
		if err == nil && string(back) != string(message) {
			err = errors.New("another message came back")
		}
		return time.Since(began), err
	}, nil
}

// eventStream reads events that say when they were sent.
func (l *streamLoad) eventStream(ctx context.Context, i int) (func() (time.Duration, error), error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header = l.header(i)
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	req.Header.Set("Sec-Fetch-Mode", "cors")
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("got %s", resp.Status)
	}
	lines := bufio.NewReader(resp.Body)
	return func() (time.Duration, error) {
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				return 0, err
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				sent, err := strconv.ParseInt(strings.TrimSpace(data), 10, 64)
				return time.Since(time.Unix(0, sent)), err
			}
		}
	}, nil
}
