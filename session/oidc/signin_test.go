package oidc_test

import (
	"testing"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

func TestSignIn(t *testing.T) {
	b := newBench(t)
	got, err := b.finish(oidc.Params{ReturnTo: "/orders"})
	if err != nil {
		t.Fatalf("Finish: %v", err)
	}
	want := session.Identity{Provider: "main", Issuer: b.idp.URL, ClientID: clientID, Subject: "u-1001", SID: got.SID}
	if got.Identity != want || got.SID == "" {
		t.Errorf("identity = %+v, want %+v with a sid", got.Identity, want)
	}
	if got.Tokens.Access == "" || got.Tokens.Refresh == "" || got.Tokens.ID == "" {
		t.Error("a token is missing")
	}
	if life := got.Tokens.Expires.Sub(got.Tokens.Obtained); life != 30*time.Second {
		t.Errorf("life = %v, want 30s", life)
	}
	if got, want := claimsOf(t, got)["name"], "Alice Archer"; got != want {
		t.Errorf("name = %v, want %v", got, want)
	}
}
