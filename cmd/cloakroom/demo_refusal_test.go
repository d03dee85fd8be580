package main_test

import (
	"strings"
	"testing"
)

// The demo signs anybody in as anybody: it is for this machine only.
func TestDemoListensLocally(t *testing.T) {
	for _, option := range []string{"--listen", "--provider", "--api"} {
		for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:8080", "nonsense", "99999"} {
			r := cloakroom(t, t.TempDir(), "demo", option, addr)
			if r.code != 1 || !strings.Contains(r.stderr, "hint: "+option+" takes HOST:PORT") {
				t.Errorf("%s %s: exit %d, %q, want a refusal and a hint", option, addr, r.code, r.stderr)
			}
		}
	}
}

func TestDemoRefuses(t *testing.T) {
	for _, args := range [][]string{
		{"--idle", "0s"}, {"--idle", "13h"}, {"--token-ttl", "1ms"}, {"--redirect-uri", "http://localhost:3000/cb", "--client-id", "demo"},
	} {
		r := cloakroom(t, t.TempDir(), append([]string{"demo", "--listen", "0", "--provider", "0"}, args...)...)
		if r.code != 1 || !strings.Contains(r.stderr, args[len(args)-2]) || !strings.Contains(r.stderr, "hint: ") {
			t.Errorf("demo %v: exit %d, %q, want a refusal and a hint", args, r.code, r.stderr)
		}
	}
}

// What only the packages themselves know to be wrong, check says too.
func TestCheckConstructs(t *testing.T) {
	dir := complete(t)
	write(t, dir, "config.yaml", strings.Replace(checkable, "providers:\n  - ", "providers:\n  - params: {prompt: nonsense}\n    ", 1))
	r := cloakroom(t, dir, "check")
	if r.code == 0 || !strings.Contains(r.stderr, "params") || !strings.Contains(r.stderr, "prompt") {
		t.Errorf("check = exit %d, %q, want the prompt refused", r.code, r.stderr)
	}
}
