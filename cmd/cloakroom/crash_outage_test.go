package main_test

import (
	"sync"
	"testing"
	"time"
)

// While the provider is down, valid tokens serve everybody, then everybody is
// told to wait, and nobody is signed out. When it is back all are served within
// seconds. Meanwhile it hears next to nothing (R2, R15, R16, K3).
func TestProviderOutage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		down func(*soakIDP)
		up   func(*soakIDP) error
		kind string // of the fault; "" if nothing arrives
	}{
		{"nobody listens", (*soakIDP).vanish, (*soakIDP).reappear, ""},
		{"nobody says a word", (*soakIDP).fallSilent, (*soakIDP).reappear, ""},
		{"500", outage(outages[0]), healed, outages[0].name},
		{"503 with Retry-After", outage(outages[1]), healed, outages[1].name},
		{"429 with Retry-After", outage(outages[2]), healed, outages[2].name},
	}
	var all sync.WaitGroup
	for _, tt := range tests {
		all.Go(func() {
			t.Run(tt.name, func(t *testing.T) {
				x, _ := newCrowd(t, 60, 8*time.Second, 2*time.Second)
				tt.down(x.provider)
				x.everybody(x.users)
				if n := x.count.right.Load(); n != int64(len(x.users)) {
					t.Errorf("with valid tokens %d of %d are served", n, len(x.users))
				}
				x.aged()
				begun := time.Now()
				for time.Since(begun) < 6*time.Second {
					x.everybody(x.users)
				}
				if n := x.problems["503 unavailable"]; n == 0 || len(x.problems) != 1 {
					t.Errorf("without tokens the answers are %v, want 503 unavailable only", x.problems)
				}
				lasted := time.Since(begun) + x.ttl
				if n := x.provider.count(tt.kind); tt.kind != "" && (n == 0 || float64(n) > 32+lasted.Seconds()) {
					t.Errorf("it got %d calls in an outage of %v, want those under way at first and then one a second at most", n, lasted)
				}
				if err := tt.up(x.provider); err != nil {
					t.Fatal(err)
				}
				back := time.Now()
				x.lastCalls()
				took := time.Since(back)
				t.Logf("%d calls to the provider in %v; everybody was served %v after it came back", x.provider.count(tt.kind), lasted, took)
				if took > 5*time.Second {
					t.Errorf("it took %v until everybody was served", took)
				}
				for _, l := range x.losses {
					t.Errorf("a session was lost: %s", x.explain(l))
				}
				x.rules()
				if t.Failed() {
					t.Logf("the log ends with:\n%s", x.tail())
				}
			})
		})
	}
	all.Wait()
}

func outage(f soakFault) func(*soakIDP) { return func(p *soakIDP) { p.stand(f) } }

func healed(p *soakIDP) error { p.heal(); return nil }
