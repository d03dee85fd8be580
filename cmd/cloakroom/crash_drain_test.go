package main_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

// SIGTERM under load, with renewals under way: every call that was taken is
// answered, every renewal is written, and nobody is signed out. Whoever comes
// later finds nobody listening, and nothing else (R26, K5).
func TestDrainUnderLoad(t *testing.T) {
	t.Parallel()
	x, s := newCrowd(t, 100, 2*time.Second, ample)
	x.provider.stand(pauses(400 * time.Millisecond))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var workers sync.WaitGroup
	for i := range 32 {
		workers.Go(func() {
			for n := i; ctx.Err() == nil; n += 7 {
				u := x.users[n%len(x.users)]
				got, _, err := u.call(t.Context(), x.origin, http.MethodGet, "/api/orders")
				switch {
				case err == nil && got.status != http.StatusOK:
					t.Errorf("a call = %d %s", got.status, got.body)
				case err != nil && strings.Contains(err.Error(), "connection refused"):
					return
				case err != nil:
					t.Errorf("a call was cut off: %v", err)
					return
				}
			}
		})
	}
	if !every(10*time.Millisecond, func() bool { return x.renewed() > len(x.users)/2 }) {
		t.Fatal("nothing is renewed")
	}
	begun := time.Now()
	if kind := s.end(syscall.SIGTERM); kind != endStopped || s.cmd.ProcessState.ExitCode() != 0 {
		t.Errorf("it %s, exit %d", kind, s.cmd.ProcessState.ExitCode())
	}
	took := time.Since(begun)
	workers.Wait()
	t.Logf("it took %v to stop, after %d renewals", took, x.renewed())
	if took > 10*time.Second {
		t.Errorf("it took %v to stop, want shutdown_timeout at most", took)
	}
	next, err := x.start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { next.end(syscall.SIGKILL) })
	x.provider.heal()
	x.lastCalls()
	x.aged()
	x.lastCalls()
	if len(x.losses) != 0 {
		t.Errorf("%d sessions were lost", len(x.losses))
	}
	x.rules()
}

// A second signal ends a process that is waiting for its calls.
func TestSecondSignal(t *testing.T) {
	s := newSite(t, demo.ProviderConfig{AccessTTL: time.Minute})
	p := s.serve()
	u := s.user()
	u.signIn()
	arrived, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	s.api.Handle("/held", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(arrived); <-release }))
	go u.send("GET", "/api/held")
	<-arrived
	p.stop()
	if !p.stderr.until(`"msg":"stopping"`, p.ended) {
		t.Fatalf("it does not stop:\n%s", p.stderr)
	}
	begun := time.Now()
	p.stop()
	p.wait()
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("after the second signal it took %v, want no time", took)
	}
}

// A slow provider is waited for. One that never answers costs its callers a clean
// 503, and no session: the one more use that an unknown end leaves succeeds when
// the provider is well again (R3, R14).
func TestSlowProvider(t *testing.T) {
	t.Parallel()
	x, _ := newCrowd(t, 20, 3*time.Second, 3*time.Second)
	x.aged()
	x.provider.stand(pauses(700 * time.Millisecond))
	x.everybody(x.users)
	if n := x.renewed(); n != len(x.users) || x.count.right.Load() != int64(n) {
		t.Errorf("a slow provider: %d renewals, %d served, want %d", n, x.count.right.Load(), len(x.users))
	}
	x.aged()
	x.provider.stand(soakFault{name: "too slow", unclear: true, before: hang})
	x.everybody(x.users)
	if n := x.problems["503 unavailable"]; n != len(x.users) {
		t.Errorf("a hanging provider: %v, want 503 for all %d", x.problems, len(x.users))
	}
	x.provider.heal()
	x.lastCalls()
	if len(x.losses) != 0 {
		t.Errorf("%d sessions were lost", len(x.losses))
	}
	x.rules()
}
