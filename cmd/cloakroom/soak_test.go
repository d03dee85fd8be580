package main_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
)

var (
	soakDuration = flag.Duration("soak.duration", 0, "how long the soak runs; 0 is 20s, and 5s with -short")
	soakSessions = flag.Int("soak.sessions", 200, "sessions in the soak")
	soakRate     = flag.Int("soak.rate", 200, "calls a second in the soak")
	soakSeed     = flag.Uint64("soak.seed", 0, "of the provider's faults; 0 is a new one")
	soakOut      = flag.String("soak.out", "", "Markdown `file` for the soak's figures")
)

// soak is a run: provider, API, users and one process after the other.
type soak struct {
	t        *testing.T
	dir      string
	origin   string
	provider *soakIDP
	users    []*soakUser
	shared   *http.Transport
	log      *os.File
	lags     *lags
	tickets  chan struct{} // one for each call
	count    soakCounts
	seed     uint64
	ttl      time.Duration // of access tokens
	took     time.Duration
	ending   atomic.Bool // what is under way now is cut off

	slowestStart time.Duration
	perKill      map[span]int  // sessions that each kill cost
	longestGap   time.Duration // between an answer that was lost and its kill

	mu        sync.Mutex
	problems  map[string]int  // by status and code
	wrongs    []string        // answers that nobody should get
	silences  []span          // calls without an answer
	silenceOf map[span]string // what they were
	losses    []loss
	downs     []span // no process
	kills     []span
	ends      map[string]int // of processes, by kind
}

const soakTokenTTL = 5 * time.Second

// TestSoak lets many users with short-lived tokens and a strict provider live
// through kills, restarts and the provider's faults, and finds nothing lost but
// what could not be kept, nothing replayed, nothing mixed up (D1, D4, D7, D12;
// R1 to R9, R14 to R17, R20, R22, R26). make soak is the long form.
func TestSoak(t *testing.T) {
	duration := *soakDuration
	if duration == 0 {
		duration = 20 * time.Second
		if testing.Short() {
			duration = 5 * time.Second
		}
	}
	x := newSoak(t, *soakSessions, soakTokenTTL, time.Second)
	s, err := x.start("")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if s != nil {
			_ = s.cmd.Process.Kill()
			<-s.ended
		}
	}()
	x.signInAll()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), duration)
	defer cancel()
	var workers sync.WaitGroup
	workers.Go(func() { x.pace(ctx) })
	calls, stopCalls := context.WithCancel(t.Context())
	for range 64 {
		workers.Go(func() { x.work(calls) })
	}
	least := min(2*time.Second, duration/12)
	s, err = x.killEvery(ctx, s, least)
	if err != nil {
		t.Error(err)
	}
	// No more kills and faults: everybody comes once more.
	x.provider.heal()
	stopCalls()
	x.ending.Store(true)
	workers.Wait()
	x.ending.Store(false)
	x.took = time.Since(begun)
	if s != nil {
		x.lastCalls()
	}
	x.report()
}

// newSoak has Cloakroom wait for the provider for as long as patience says.
func newSoak(t *testing.T, sessions int, ttl, patience time.Duration) *soak {
	public, admin := freePort(t), freePort(t)
	x := &soak{
		t: t, dir: t.TempDir(), origin: "http://localhost:" + public, tickets: make(chan struct{}),
		problems: map[string]int{}, silenceOf: map[span]string{}, ends: map[string]int{}, perKill: map[span]int{}, seed: *soakSeed, ttl: ttl,
		shared: &http.Transport{MaxIdleConnsPerHost: 128, IdleConnTimeout: 30 * time.Second},
	}
	if x.seed == 0 {
		x.seed = uint64(time.Now().UnixNano())
	}
	var err error
	if x.log, err = os.Create(filepath.Join(x.dir, "log")); err != nil {
		t.Fatal(err)
	}
	x.lags = watchLags(t, x.dir)
	var people []demo.User
	for i := range sessions {
		u := newSoakUser(i, x.shared)
		x.users = append(x.users, u)
		people = append(people, demo.User{Subject: u.sub, Username: u.name, Name: u.name})
	}
	x.startProvider(people)
	api := httptest.NewServer(http.HandlerFunc(x.provider.ServeAPI))
	t.Cleanup(func() { api.CloseClientConnections(); api.Close(); x.shared.CloseIdleConnections() })
	write(t, x.dir, "dist/index.html", "<title>app</title>")
	write(t, x.dir, "config.yaml", fmt.Sprintf(`listen: 127.0.0.1:%s
public_url: %s
shutdown_timeout: 10s
trusted_proxies: [127.0.0.1/32]
session: {renew_timeout: %v}
providers:
  - {name: main, issuer: "%s", client_id: spa, client_secret: %s, token_timeout: %v}
routes:
  - {path: /api/, upstream: "%s", strip_prefix: /api}
spa: {dir: dist}
admin: {listen: "127.0.0.1:%s"}
`, public, x.origin, patience+2*time.Second, x.provider.Issuer(), canary, patience, api.URL, admin))
	return x
}

func (x *soak) startProvider(people []demo.User) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		x.t.Fatal(err)
	}
	p, err := demo.NewProvider(demo.ProviderConfig{
		Issuer: "http://" + l.Addr().String(), Users: people, AccessTTL: x.ttl, Refresh: demo.RefreshRotate,
		Clients: []demo.Client{{
			ID: "spa", Secret: canary, RedirectURIs: []string{x.origin + "/bff/callback"},
			PostLogoutRedirectURIs: []string{x.origin + "/bff/logout/callback"},
		}},
	})
	if err != nil {
		x.t.Fatal(err)
	}
	x.provider = &soakIDP{
		Provider: p, ledger: newLedger(x.ttl),
		rnd: rand.New(rand.NewPCG(x.seed, 0)), injected: map[string]int{},
	}
	x.provider.serve(l)
	x.t.Cleanup(x.provider.vanish)
}

// signInAll signs everybody in, before anything breaks. At the provider they are
// all signed in: a page with thousands of names to choose from tests nothing.
func (x *soak) signInAll() {
	var all sync.WaitGroup
	free := make(chan struct{}, 8)
	for _, u := range x.users {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			err := u.remember(x.provider)
			if err == nil {
				err = u.signIn(x)
			}
			if err != nil {
				x.t.Errorf("%s can't sign in: %v", u.name, err)
			}
		})
	}
	all.Wait()
}

// pace hands out one ticket for each call, at a rate that changes: bursts find
// many tokens due at once.
func (x *soak) pace(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	owed := 0.0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for owed += float64(*soakRate) / 50 * 2 * rand.Float64(); owed >= 1; owed-- {
			select {
			case x.tickets <- struct{}{}:
			default: // everybody is waiting: a slow program gets no queue on top
			}
		}
	}
}

// lastCalls asks for every session once more, until it is served or over.
func (x *soak) lastCalls() {
	deadline := time.Now().Add(time.Minute)
	var all sync.WaitGroup
	free := make(chan struct{}, 16)
	for _, u := range x.users {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			for u.signedIn {
				if x.visit(x.t.Context(), u, "GET", "/api/orders") {
					return
				}
				if time.Now().After(deadline) {
					x.wrong(u.name + " is neither served nor signed out in the end")
					return
				}
			}
		})
	}
	all.Wait()
}

var secretInLog = regexp.MustCompile(`\brt_[A-Z2-7]{20,}|\beyJ[A-Za-z0-9_-]{20,}|` + canary)
