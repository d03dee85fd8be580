package main_test

import (
	"strings"
	"testing"
)

// The demo signs anybody in as anybody: it is for this machine only.
func TestDemoListensLocally(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", ":0", "192.0.2.1:8080", "nonsense"} {
		r := cloakroom(t, t.TempDir(), "demo", "--listen", listen)
		if r.code != 1 || !strings.Contains(r.stderr, "hint: ") {
			t.Errorf("--listen %s: exit %d, %q, want a refusal and a hint", listen, r.code, r.stderr)
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
