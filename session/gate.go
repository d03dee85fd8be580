package session

import (
	"container/list"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	tripAfter = 5               // failures in a row hold renewals back
	probeAt   = 2 * time.Second // after so long one is let through to see
	mostCalls = 32              // renewals at a provider at the same time
	spread    = 3 * time.Second // over which refused callers are told to come again

	// longestHold is how long a Retry-After holds everybody back. After that one is
	// let through to see: the session that was told waits to the end.
	longestHold = time.Minute
)

// errNoVerdict means that a call ended before the provider had any part in it.
var errNoVerdict = errors.New("session: nothing was learnt of the provider")

// gate stands before one provider's token endpoint. While the provider fails it
// holds renewals back, but for one every few seconds; when it answers again it
// lets them through one by one, then more and more at a time, so that a provider
// that has just come back is not met by everybody at once (K3). It is safe for
// concurrent use.
type gate struct {
	provider string
	reach    func(context.Context) error // harmless; nil error: the provider answers
	now      func() time.Time
	closing  <-chan struct{}
	breaker  *gobreaker.TwoStepCircuitBreaker[struct{}]
	until    atomic.Int64 // nobody passes before this, in ms
	failing  atomic.Bool  // the breaker is not closed

	last     error     // that failed; guarded by the breaker's lock
	failures int       // calls since the last success; guarded by the breaker's lock
	tripped  time.Time // when it began to fail; guarded by the breaker's lock

	mu      sync.Mutex
	inside  int        // calls under way; guarded by mu
	limit   int        // how many may be; guarded by mu
	waiting *list.List // of chan struct{}, closed when it is that one's turn; guarded by mu
}

func (m *Manager) newGate(name string, p Provider) *gate {
	g := &gate{provider: name, now: m.now, closing: m.closing, limit: mostCalls, waiting: list.New()}
	if r, ok := p.Renewer.(Reacher); ok {
		g.reach = r.Reach
	}
	g.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: name, MaxRequests: 1, Timeout: probeAt,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= tripAfter },
		IsSuccessful: g.count,
		IsExcluded:   func(err error) bool { return errors.Is(err, errNoVerdict) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			switch {
			case to == gobreaker.StateOpen:
				g.hold(probeAt)
				if from == gobreaker.StateClosed {
					g.failing.Store(true)
					g.tripped = g.now()
					Audit(context.Background(), m.log, EventBreaker, slog.String("provider", name),
						slog.Int("failures", g.failures), slog.String("error", brief(g.last)))
					m.metrics.Breaker(name, true)
				}
			case to == gobreaker.StateClosed:
				g.failing.Store(false)
				Audit(context.Background(), m.log, EventRecovered, slog.String("provider", name),
					slog.Int("seconds", int(g.now().Sub(g.tripped).Round(time.Second)/time.Second)))
				m.metrics.Breaker(name, false)
			}
		},
	})
	return g
}

// count reports whether a call that ended with err speaks for the provider. The
// breaker asks it once for each call that counts, with its lock held, before it
// changes its state.
func (g *gate) count(err error) bool {
	if failure(err) {
		g.last = err
		g.failures++
		return false
	}
	g.last, g.failures = nil, 0
	return true
}

// brief is err for the log: one of the Renewer's own reasons, cut.
func brief(err error) string {
	const most = 200
	text := err.Error()
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}

// HeldBack reports whether renewals at the provider are held back now, because it
// fails or asked for patience. It is for readiness information; it takes no lock,
// and knows no more than the last renewals showed.
func (m *Manager) HeldBack(provider string) bool {
	g, ok := m.gates[provider]
	return ok && (g.failing.Load() || g.held() != nil)
}

// failure reports whether err says that the provider can't do its work.
func failure(err error) bool {
	var passing *Unavailable
	return errors.As(err, &passing) || errors.Is(err, ErrAmbiguous)
}

// hold lets nobody pass for d, and only one at a time after that.
func (g *gate) hold(d time.Duration) {
	until := g.now().Add(d).UnixMilli()
	for {
		old := g.until.Load()
		if old >= until || g.until.CompareAndSwap(old, until) {
			break
		}
	}
	g.mu.Lock()
	g.limit = 1
	g.mu.Unlock()
}

// held returns an error while nobody may pass. It takes no lock.
func (g *gate) held() error {
	if left := g.until.Load() - g.now().UnixMilli(); left > 0 {
		return g.refusal(time.Duration(left) * time.Millisecond)
	}
	return nil
}

// refusal is told to callers: they come again spread over some seconds.
func (g *gate) refusal(after time.Duration) error {
	return &held{
		Unavailable: Unavailable{RetryAfter: after + rand.N(spread), Err: errors.New("renewals at this provider are held back until it answers again")},
		provider:    g.provider,
	}
}

// held is an Unavailable of the gate, or of a session that pauses after a
// failure: no attempt was made.
type held struct {
	Unavailable
	provider string
}

// HeldBack reports whether err means that a renewal was not tried because the
// provider failed lately, and names that provider. Such errors come by the
// thousand in an outage, and each tells nothing that [EventBreaker] or
// [EventRenewalFailed] did not.
func HeldBack(err error) (provider string, ok bool) {
	var h *held
	if !errors.As(err, &h) {
		return "", false
	}
	return h.provider, true
}

// Unwrap makes it an Unavailable to errors.As.
func (h *held) Unwrap() error { return &h.Unavailable }

// enter waits for the caller's turn, at most for patience. Whoever gets leave
// calls it with the error of the call; errNoVerdict if none was made. With
// careful the provider must answer something harmless first.
func (g *gate) enter(ctx context.Context, patience time.Duration, careful bool) (leave func(error), err error) {
	if err := g.held(); err != nil {
		return nil, err
	}
	if err := g.queue(patience); err != nil {
		return nil, err
	}
	done, err := g.breaker.Allow()
	if err == nil {
		if err = g.held(); err != nil { // said while this one waited
			done(errNoVerdict)
		}
	} else {
		err = g.refusal(probeAt)
	}
	if err != nil {
		g.release(false)
		return nil, err
	}
	leave = func(err error) {
		done(err)
		var passing *Unavailable
		if errors.As(err, &passing) && passing.RetryAfter > 0 {
			g.hold(min(passing.RetryAfter, longestHold))
		}
		g.release(!failure(err) && !errors.Is(err, errNoVerdict))
	}
	if g.reach != nil && (careful || g.breaker.State() == gobreaker.StateHalfOpen) {
		if err := g.ask(ctx, leave); err != nil {
			return nil, err
		}
	}
	return leave, nil
}

// ask asks the provider something harmless. Without an answer it leaves, by a
// panic too.
func (g *gate) ask(ctx context.Context, leave func(error)) error {
	learnt := errNoVerdict
	defer func() {
		if learnt != nil {
			leave(learnt)
		}
	}()
	err := g.reach(ctx)
	if err != nil && !failure(err) {
		err = &Unavailable{Err: err}
	}
	learnt = err
	return err
}

// queue takes a place among those inside.
func (g *gate) queue(patience time.Duration) error {
	g.mu.Lock()
	if g.inside < g.limit {
		g.inside++
		g.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	place := g.waiting.PushBack(turn)
	g.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-turn:
		return nil
	case <-timer.C:
	case <-g.closing:
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-turn: // it came at the same moment
		return nil
	default:
	}
	g.waiting.Remove(place)
	return g.refusal(time.Second)
}

// release gives a place back. After a success one more may be inside.
func (g *gate) release(success bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if success {
		g.limit = min(g.limit+1, mostCalls)
	}
	for g.inside < g.limit && g.waiting.Len() > 0 {
		g.inside++
		close(g.waiting.Remove(g.waiting.Front()).(chan struct{}))
	}
}
