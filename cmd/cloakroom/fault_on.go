//go:build faultpoints

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// This file is for tests that need a process to die at a certain moment. It is
// in no release: only a build with the tag faultpoints has it.
//
// CLOAKROOM_FAULT=after-response:3 makes the process kill itself when it passes
// that point for the third time, as kill -9 would. The points, in the order of a
// renewal, are
//
//	before-intent, after-intent    the intent is about to be written; it is durable, nothing is sent yet
//	after-response                 the provider's new tokens are in memory
//	before-commit, after-commit    they are about to be written; they are durable
//
// and, elsewhere, after-create (a sign-in), after-delete (the end of a session)
// and after-bury (an end that somebody else wants).

// faultPoint is where and at which passing the process dies.
var faultPoint = sync.OnceValues(func() (string, int64) {
	setting := os.Getenv("CLOAKROOM_FAULT")
	if setting == "" {
		return "", 0
	}
	point, nth, _ := strings.Cut(setting, ":")
	n, err := strconv.ParseInt(nth, 10, 64)
	if err != nil || n < 1 {
		panic(fmt.Sprintf("CLOAKROOM_FAULT=%s: want POINT:NTH", setting))
	}
	return point, n
})

var passed atomic.Int64 // how often the chosen point was passed

// pass marks a point. It does not return if the process is to die there.
func pass(point string) {
	if chosen, nth := faultPoint(); chosen != point || passed.Add(1) != nth {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal is on its way: nothing may happen until it is here
}

// answered holds the renewals that have new tokens and must write them: what a
// SwapTokens of theirs writes is sealed, so it is told by whose it is. A renewal
// is one goroutine.
var answered sync.Map

func goroutine() string {
	stack := make([]byte, 32)
	stack = stack[:runtime.Stack(stack, false)]
	return string(bytes.Fields(stack)[1])
}

type faultStore struct{ session.Store }

func faultyStore(s session.Store) session.Store { return faultStore{s} }

func (f faultStore) SwapTokens(ctx context.Context, k session.Key, u session.TokensUpdate) error {
	what := "intent"
	if _, ok := answered.Load(goroutine()); ok {
		what = "commit"
	}
	pass("before-" + what)
	if err := f.Store.SwapTokens(ctx, k, u); err != nil {
		return err
	}
	pass("after-" + what)
	answered.Delete(goroutine())
	return nil
}

func (f faultStore) Create(ctx context.Context, k session.Key, r session.Record, filing session.Filing) error {
	if err := f.Store.Create(ctx, k, r, filing); err != nil {
		return err
	}
	pass("after-create")
	return nil
}

func (f faultStore) Delete(ctx context.Context, k session.Key, r *session.Revocation) error {
	if err := f.Store.Delete(ctx, k, r); err != nil {
		return err
	}
	pass("after-delete")
	return nil
}

func (f faultStore) Bury(ctx context.Context, b session.Burial) ([]session.Key, error) {
	keys, err := f.Store.Bury(ctx, b)
	if err != nil {
		return nil, err
	}
	pass("after-bury")
	return keys, nil
}

// faultRenewer keeps whatever else a Client can do: see session.Reacher.
type faultRenewer struct{ *oidc.Client }

func faultyRenewer(c *oidc.Client) session.Renewer { return faultRenewer{c} }

func (f faultRenewer) Renew(ctx context.Context, who session.Identity, t session.Tokens) (session.Tokens, error) {
	tokens, err := f.Client.Renew(ctx, who, t)
	if err == nil || tokens.Refresh != "" {
		answered.Store(goroutine(), true)
		pass("after-response")
	}
	return tokens, err
}
