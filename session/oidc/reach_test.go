package oidc_test

import (
	"context"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// K3: the provider is asked, whatever is known of it, and nothing comes of its
// not answering.
func TestReach(t *testing.T) {
	b := newBench(t)
	s := b.signIn()
	for i := range 3 {
		if err := b.rp.Reach(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, want := len(b.idp.Calls("discovery")), i+2; got != want {
			t.Errorf("metadata calls = %d, want %d: a call each time", got, want)
		}
	}
	for name, f := range map[string]demo.Fault{
		"503":              {Reply: demo.JSONReply(503, "")},
		"HTML":             {Reply: &demo.Reply{Body: []byte("<html>")}},
		"no connection":    {DropBefore: true},
		"another provider": {EditMetadata: func(m map[string]any) { m["issuer"] = "https://other.example" }},
	} {
		b.idp.SetFaults(demo.Faults{Discovery: f})
		for range 2 {
			unavailable(t, b.rp.Reach(t.Context()), "provider_unreachable")
		}
		if err := b.rp.Probe(t.Context()); err != nil {
			t.Errorf("%s: the metadata is gone: %v", name, err)
		}
		if b.rp.Answers() {
			t.Errorf("%s: it is said to answer", name)
		}
	}
	b.idp.SetFaults(demo.Faults{})
	if err := b.rp.Reach(t.Context()); err != nil {
		t.Errorf("healed: %v", err)
	}
	if !b.rp.Answers() {
		t.Error("healed, and said not to answer")
	}
	if _, err := b.renew(s); err != nil {
		t.Errorf("Renew afterwards: %v", err)
	}
}

// H4: a provider whose endpoint has moved answers, and is not followed.
func TestReachWhenMoved(t *testing.T) {
	b := newBench(t)
	s := b.signIn()
	b.idp.SetFaults(demo.Faults{Discovery: demo.Fault{EditMetadata: func(m map[string]any) { m["token_endpoint"] = "http://127.0.0.1:1/token" }}})
	if err := b.rp.Reach(t.Context()); err != nil {
		t.Errorf("Reach: %v, want the answer to count", err)
	}
	if !b.rp.Answers() {
		t.Error("it answers, and is said not to")
	}
	if _, err := b.renew(s); err != nil {
		t.Errorf("Renew: %v, want the old endpoint to serve", err)
	}
}

// K3: of any number of callers at one time, one asks.
func TestReachIsShared(t *testing.T) {
	b := newBench(t)
	b.signIn()
	gate := make(chan struct{})
	b.idp.SetFaults(demo.Faults{Discovery: demo.Fault{Gate: gate}})
	first := make(chan error, 1)
	go func() { first <- b.rp.Reach(t.Context()) }()
	if err := b.idp.Wait("discovery", 2, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	// They can't have an answer yet, and leave one after the other without one.
	impatient, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for range 50 {
		unavailable(t, b.rp.Reach(impatient), "provider_unreachable")
	}
	if n := len(b.idp.Calls("discovery")); n != 2 {
		t.Errorf("metadata calls = %d, want the sign-in's and one", n)
	}
	close(gate)
	if err := <-first; err != nil {
		t.Errorf("the first caller: %v", err)
	}
}

// K3: it takes five seconds at most, also in the middle of an answer.
func TestReachBounds(t *testing.T) {
	b := newBench(t)
	hang := make(chan struct{})
	defer close(hang)
	b.idp.SetFaults(demo.Faults{Discovery: demo.Fault{Reply: &demo.Reply{Body: []byte(`{"a":`), Hang: hang}}})
	start := time.Now()
	unavailable(t, b.rp.Reach(t.Context()), "provider_unreachable")
	if d := time.Since(start); d > 7*time.Second {
		t.Errorf("took %v, want five seconds", d)
	}
}
