package oidc_test

import (
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/internal/demo"
	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// junk is what a provider must not be able to harm us with.
func junk(hang <-chan struct{}) map[string]*demo.Reply {
	return map[string]*demo.Reply{
		"HTML":           {Body: []byte("<html><body>Down for maintenance")},
		"truncated JSON": {Body: []byte(`{"access_token":"a","issuer":"`), Truncate: true},
		"1 GiB":          {Body: []byte(`{"a":"`), Fill: 1 << 30},
		"gzip bomb":      {Body: []byte(`{"a":"`), Fill: 8 << 20, Gzip: true},
		"hang mid-body":  {Body: []byte(`{"a":"`), Hang: hang},
	}
}

// Experiment 6, C8: whatever the provider answers, and wherever, the call ends in
// time, as an error that says the right thing, and takes no memory worth
// mentioning: all that was allocated meanwhile, by the provider too, bounds what
// the heap can have grown by.
func TestProviderAnswersJunk(t *testing.T) {
	const most = 20 << 20
	hang := make(chan struct{})
	defer close(hang)
	for name, reply := range junk(hang) {
		for _, tt := range []struct {
			endpoint string
			faults   demo.Faults
			ask      func(*bench, session.SignIn) error
			good     func(error) bool
		}{
			{"refresh", demo.Faults{Refresh: demo.Fault{Reply: reply}}, askRenewal, isAmbiguous},
			{"revocation", demo.Faults{Revocation: demo.Fault{Reply: reply}}, askRevocation, func(err error) bool { return err == nil || isUnavailable(err) }},
			{"userinfo", demo.Faults{UserInfo: demo.Fault{Reply: reply}}, askSignIn, func(err error) bool { return err == nil }},
			{"code", demo.Faults{Code: demo.Fault{Reply: reply}}, askSignIn, func(err error) bool { return err != nil }},
			{"jwks", demo.Faults{JWKS: demo.Fault{Reply: reply}}, askLogout, func(err error) bool { return err == nil }},
			{"discovery", demo.Faults{Discovery: demo.Fault{Reply: reply}}, askReach, isUnavailable},
		} {
			if name == "hang mid-body" && (tt.endpoint == "jwks" || tt.endpoint == "discovery") {
				continue // these have no TokenTimeout; TestReachBounds waits for one of theirs
			}
			t.Run(name+" from "+tt.endpoint, func(t *testing.T) {
				b := newBench(t, func(_ *demo.ProviderConfig, cfg *oidc.Config) {
					cfg.TokenTimeout = time.Second
					cfg.Claims = []string{"sub", "missing"} // so that UserInfo is asked
				})
				s := b.signIn()
				b.idp.SetFaults(tt.faults)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				start := time.Now()
				err := tt.ask(b, s)
				if took := time.Since(start); took > 8*time.Second {
					t.Errorf("it took %v", took)
				}
				runtime.ReadMemStats(&after)
				if grown := after.TotalAlloc - before.TotalAlloc; grown > most {
					t.Errorf("%d MiB were allocated, want at most %d", grown>>20, most>>20)
				}
				if !tt.good(err) {
					t.Errorf("error = %v, of the wrong kind", err)
				}
			})
		}
	}
}

func askRenewal(b *bench, s session.SignIn) error {
	_, err := b.renew(s)
	return err
}

func askRevocation(b *bench, s session.SignIn) error { return b.rp.Revoke(b.t.Context(), s.Tokens) }

func askSignIn(b *bench, _ session.SignIn) error {
	_, err := b.finish(oidc.Params{})
	return err
}

// askLogout needs the keys anew; those of an hour ago serve.
func askLogout(b *bench, _ session.SignIn) error {
	b.advance(2 * time.Hour)
	_, err := b.rp.VerifyLogout(b.t.Context(), b.idp.LogoutToken(honestLogout()))
	return err
}

func askReach(b *bench, _ session.SignIn) error { return b.rp.Reach(b.t.Context()) }

func isAmbiguous(err error) bool { return errors.Is(err, session.ErrAmbiguous) }

func isUnavailable(err error) bool {
	var u *session.Unavailable
	return errors.As(err, &u)
}
