package session_test

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

const userAgent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"

// text is s in memory of its own, as it comes out of an answer or a header.
func text(s string) string { return strings.Clone(s) }

// usualSignIn is the sign-in of the n-th user, with 4 kB of tokens.
func usualSignIn(n int) session.SignIn {
	name := fmt.Sprintf("%08d-4a1c-11ef-9f43-0242ac120002", n)
	return session.SignIn{
		Identity: session.Identity{
			Provider: text("main"), Issuer: text("https://id.example.test/realms/main"), ClientID: text("spa"),
			Subject: name, SID: text(name),
		},
		From:   session.UserContext{UserAgent: text(userAgent)},
		Claims: json.RawMessage(`{"sub":"` + name + `","name":"Alice Example","email":"alice@example.test"}`),
		Tokens: session.Tokens{
			Access: session.Secret(strings.Repeat("a", 1536)), Refresh: session.Secret(strings.Repeat("r", 1024)),
			ID: session.Secret(strings.Repeat("i", 1536)), Scope: text("openid profile email"),
			Obtained: time.Now(), Expires: time.Now().Add(time.Hour),
		},
	}
}

// secrets is how many bytes of tokens and claims a session of in holds.
func secrets(in session.SignIn) int {
	t := in.Tokens
	return len(t.Access) + len(t.Refresh) + len(t.ID) + len(t.Scope) + len(in.Claims)
}

func memoryManager(store session.Store) *session.Manager {
	return session.NewManager(session.Config{
		Store: store, Keys: hallKeys, Limits: usualLimits, Bind: session.BindLog, Log: discard(),
		Providers: map[string]session.Provider{"main": {Renewer: nobody{}, Issuer: "https://id.example.test/realms/main", ClientID: "spa"}},
	})
}

// forgetful is a store that keeps nothing.
type forgetful struct{ shelf }

func (*forgetful) Create(context.Context, session.Key, session.Record, session.Filing) error {
	return nil
}

// call does with the session of t what a proxied call does.
func call(tb testing.TB, m *session.Manager, t session.Ticket, from session.UserContext) {
	s, err := m.Resume(context.Background(), t)
	if err != nil {
		tb.Fatal(err)
	}
	if err := s.From(from); err != nil {
		tb.Fatal(err)
	}
	s.Touch()
	if _, err := s.Access(context.Background()); err != nil || s.Over(true) {
		tb.Fatal("no access token: ", err)
	}
}

// heapInUse returns how many bytes are in use, exactly.
func heapInUse() int {
	var m runtime.MemStats
	for range 3 { // what has a cleanup goes with a later one
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// perSession is what each of n live sessions takes in memory over its tokens and
// claims, in bytes: when it was signed in, and when it was read from the store.
func perSession(tb testing.TB, n int) (signedIn, loaded int) {
	tickets := make([]session.Ticket, n)
	live := func(m *session.Manager, start bool) int {
		before := heapInUse()
		for i := range tickets {
			var err error
			if start {
				if tickets[i], err = m.Start(context.Background(), usualSignIn(i), nil); err != nil {
					tb.Fatal(err)
				}
			}
			call(tb, m, tickets[i], session.UserContext{UserAgent: text(userAgent)})
		}
		_ = m.Close(context.Background()) // nothing is to be written any more
		used := heapInUse() - before
		runtime.KeepAlive(m)
		return used/n - secrets(usualSignIn(0))
	}
	signedIn = live(memoryManager(&forgetful{}), true)
	full := &shelf{records: map[session.Key]session.Record{}}
	live(memoryManager(full), true)
	loaded = live(memoryManager(full), false)
	return signedIn, loaded
}

// A live session costs 1 kB of memory at most, over its tokens and claims.
func TestMemoryOfLiveSession(t *testing.T) {
	const budget = 1024
	signedIn, loaded := perSession(t, 2000)
	t.Logf("signed in: %d bytes over the tokens, read from the store: %d", signedIn, loaded)
	if signedIn > budget || loaded > budget {
		t.Errorf("%d and %d bytes over the tokens, want at most %d", signedIn, loaded, budget)
	}
}

// BenchmarkLiveSession reports the memory of a session with 4 kB of tokens.
func BenchmarkLiveSession(b *testing.B) {
	var signedIn, loaded int
	for b.Loop() {
		signedIn, loaded = perSession(b, 20_000)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(signedIn), "B/signed-in")
	b.ReportMetric(float64(loaded), "B/loaded")
}

// What a proxied call asks of a session in memory with a fresh token allocates
// nothing.
func TestWarmAllocations(t *testing.T) {
	m := memoryManager(&forgetful{})
	ticket, err := m.Start(t.Context(), usualSignIn(0), nil)
	if err != nil {
		t.Fatal(err)
	}
	from := session.UserContext{UserAgent: userAgent}
	if n := testing.AllocsPerRun(1000, func() { call(t, m, ticket, from) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// BenchmarkWarmCall is one such call.
func BenchmarkWarmCall(b *testing.B) {
	m := memoryManager(&forgetful{})
	ticket, err := m.Start(b.Context(), usualSignIn(0), nil)
	if err != nil {
		b.Fatal(err)
	}
	from := session.UserContext{UserAgent: userAgent}
	b.ReportAllocs()
	for b.Loop() {
		call(b, m, ticket, from)
	}
}
