package main

import (
	"bufio"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParseWrk(t *testing.T) {
	const report = "Running 1s test @ http://127.0.0.1:1/api/x\n  10 requests in 1.00s, 20KB read\nRequests/sec:  10.00\n"
	tests := []struct {
		name, out string
		body      int
		want      load
		fails     string
	}{
		{"fine", report + "bench 10 20000 1000000 0 0 0 0 0 150 990\n", 1024, load{10, time.Second, 150 * time.Microsecond, 990 * time.Microsecond}, ""},
		{"large bodies under way count", report + "bench 1 3145728 1000000 0 0 0 0 0 1 2\n", 1 << 20, load{3, time.Second, time.Microsecond, 2 * time.Microsecond}, ""},
		{"not 2xx", report + "bench 10 20000 1000000 0 0 0 3 0 150 990\n", 1024, load{}, "3 answers not 2xx"},
		{"not connected", report + "bench 10 20000 1000000 1 0 0 0 0 150 990\n", 1024, load{}, "1 connections failed"},
		{"not read", report + "bench 10 20000 1000000 0 1 0 0 0 150 990\n", 1024, load{}, "1 reads"},
		{"not written", report + "bench 10 20000 1000000 0 0 1 0 0 150 990\n", 1024, load{}, "1 writes"},
		{"too late", report + "bench 10 20000 1000000 0 0 0 0 1 150 990\n", 1024, load{}, "1 timeouts"},
		{"redirects have no body", report + "bench 10 2000 1000000 0 0 0 0 0 150 990\n", 1024, load{}, "only 2000 bytes"},
		{"nothing happened", report + "bench 0 0 1000000 0 0 0 0 0 0 0\n", 0, load{}, "not one request"},
		{"no script", report, 0, load{}, "no figures"},
		{"cut off", report + "bench 10 20000", 0, load{}, "in \"10 20000\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseWrk(tt.out, tt.body)
			judge(t, got, err, tt.want, tt.fails)
		})
	}
}

func judge(t *testing.T, got load, err error, want load, fails string) {
	t.Helper()
	switch {
	case fails == "" && err != nil:
		t.Errorf("got error %v", err)
	case fails == "" && got != want:
		t.Errorf("got %+v, want %+v", got, want)
	case fails != "" && (err == nil || !strings.Contains(err.Error(), fails)):
		t.Errorf("got error %v, want one with %q", err, fails)
	}
}

func TestParseH2Load(t *testing.T) {
	tests := []struct {
		name, log string
		want      load
		fails     string
	}{
		{"fine", "1000\t200\t100\n1050\t200\t300\n2000\t200\t200\n", load{3, 1200 * time.Microsecond, 200 * time.Microsecond, 300 * time.Microsecond}, ""},
		{"a redirect", "1000\t200\t100\n1050\t302\t300\n", load{}, "status 302"},
		{"a failed stream", "1000\t-1\t100\n", load{}, "status -1"},
		{"empty", "", load{}, "not one request"},
		{"no log", "hello\n", load{}, "in \"hello"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseH2Load(tt.log)
			judge(t, got, err, tt.want, tt.fails)
		})
	}
}

// The proxy's CPU time is read when all streams are open, and again when the
// figures are there: never while they are being opened.
func TestFollow(t *testing.T) {
	var steps []string
	used := func() error { steps = append(steps, "cpu"); return nil }
	in := writes(func(p []byte) { steps = append(steps, strings.TrimSpace(string(p))) })
	got, err := follow(in, bufio.NewReader(strings.NewReader("open\n5 1000 10 20\n")), used)
	judge(t, got, err, load{5, 1000, 10, 20}, "")
	if s := strings.Join(steps, " "); s != "cpu count cpu" {
		t.Errorf("got the steps %q", s)
	}
	for _, out := range []string{"", "open", "shut\n", "open\n", "open\n5 1000\n"} {
		if _, err := follow(in, bufio.NewReader(strings.NewReader(out)), used); err == nil {
			t.Errorf("took %q", out)
		}
	}
	failed := errors.New("gone")
	if _, err := follow(in, bufio.NewReader(strings.NewReader("open\n5 1000 10 20\n")), func() error { return failed }); !errors.Is(err, failed) {
		t.Errorf("got %v, want that the process is gone", err)
	}
}

type writes func([]byte)

func (w writes) Write(p []byte) (int, error) { w(p); return len(p), nil }

func TestSeen(t *testing.T) {
	const token = "Bearer eyJhbGciOiJFUzI1NiJ9.e30.c2ln"
	tests := []struct {
		signedIn      bool
		authorization string
		ok            bool
	}{
		{true, token, true},
		{true, "", false},
		{true, "Bearer ", false},
		{true, "Bearer (null)", false},
		{true, "Basic dXNlcjpwYXNzd29yZA==", false},
		{false, "", true},
		{false, token, false},
	}
	for _, tt := range tests {
		if err := (&contender{signedIn: tt.signedIn}).seen([]byte(tt.authorization)); (err == nil) != tt.ok {
			t.Errorf("signed in %v, Authorization %q: got %v", tt.signedIn, tt.authorization, err)
		}
	}
}
