package session_test

import (
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloakroom/cloakroom/session"
)

// with signs alice in with these claims, and with this way of authentication.
func (r *room) with(claims, acr string, at time.Time) *session.Session {
	r.t.Helper()
	in := r.provider.signIn("alice")
	in.Claims, in.ACR, in.AuthTime = json.RawMessage(claims), acr, at
	ticket, err := r.Start(r.t.Context(), in, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.resume(ticket)
}

// Claims of every shape against rules.
func TestRules(t *testing.T) {
	const claims = `{"groups": ["staff", "admin"], "role": "editor", "verified": true, "level": 3, "none": null, "empty": [],
		"realm_access": {"roles": ["offline", "admin"]}, "https://app.test/roles": ["owner"], "a.b": "dotted", "a": {"b": "nested", "c": {"d": "deep"}},
		"mixed": [["admin"], {"admin": 1}, null, "x"], "null_text": "null"}`
	rule := func(claim string, anyOf, allOf []string) session.Rule {
		return session.Rule{Claim: claim, Any: anyOf, All: allOf}
	}
	list := func(s ...string) []string { return s }
	tests := []struct {
		rule session.Rule
		want bool
	}{
		{rule("groups", list("admin"), nil), true},
		{rule("groups", list("x", "staff"), nil), true},
		{rule("groups", list("x"), nil), false},
		{rule("groups", nil, list("admin", "staff")), true},
		{rule("groups", nil, list("admin", "x")), false},
		{rule("groups", list("x"), list("admin")), false},
		{rule("groups", list("staff"), list("admin")), true},
		{rule("role", list("editor"), nil), true},
		{rule("role", list("Editor", "edit", ""), nil), false},
		{rule("verified", list("true"), nil), true},
		{rule("verified", list("false"), nil), false},
		{rule("level", list("3"), nil), true},
		{rule("none", list("null", ""), nil), false},
		{rule("null_text", list("null"), nil), true},
		{rule("empty", list(""), nil), false},
		{rule("missing", list("", "null"), nil), false},
		{rule("realm_access.roles", list("admin"), nil), true},
		{rule("realm_access", list("roles"), nil), false},
		{rule("realm_access.roles.admin", list("admin"), nil), false},
		{rule("https://app.test/roles", list("owner"), nil), true},
		{rule("a.b", list("dotted"), nil), true},
		{rule("a.b", list("nested"), nil), false},
		{rule("a.c.d", list("deep"), nil), true},
		{rule("groups.0", list("staff"), nil), false},
		{rule("mixed", list("admin", "1", "null", `["admin"]`), nil), false},
		{rule("mixed", list("x"), nil), true},
	}
	synctest.Test(t, func(t *testing.T) {
		s := newRoom(t).with(claims, "", time.Time{})
		for _, tt := range tests {
			d := session.Demand{Require: []session.Rule{tt.rule}}
			for range 2 { // the second is remembered
				if err := d.Check(s); (err == nil) != tt.want || err != nil && !errors.Is(err, session.ErrNotPermitted) {
					t.Errorf("%+v: %v, want %v", tt.rule, err, tt.want)
				}
			}
		}
		both := session.Demand{Require: []session.Rule{rule("groups", list("admin"), nil), rule("role", list("x"), nil)}}
		if err := both.Check(s); !errors.Is(err, session.ErrNotPermitted) {
			t.Errorf("one of two rules holds: %v", err)
		}
	})
}

// Claims that are no object at all satisfy nothing.
func TestRulesWithoutClaims(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		for _, claims := range []string{``, `null`, `[]`, `"admin"`} {
			d := session.Demand{Require: []session.Rule{{Claim: "groups", Any: []string{"admin", "", "null"}}}}
			if err := d.Check(r.with(claims, "", time.Time{})); !errors.Is(err, session.ErrNotPermitted) {
				t.Errorf("%q: %v", claims, err)
			}
		}
	})
}

// RFC 9470: how and how long ago the user authenticated. An age that nobody knows is
// too old; who may not come at all is not sent to sign in again.
func TestDemandAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		fresh := r.with(`{}`, "gold", time.Now())
		unknown := r.with(`{}`, "bronze", time.Time{})
		gold := session.Demand{ACRValues: []string{"platinum", "gold"}}
		recent := session.Demand{MaxAge: 10 * time.Minute}
		both := session.Demand{ACRValues: []string{"gold"}, MaxAge: 10 * time.Minute}
		barred := session.Demand{MaxAge: 10 * time.Minute, Require: []session.Rule{{Claim: "groups", Any: []string{"admin"}}}}
		check := func(d session.Demand, s *session.Session, want string) {
			t.Helper()
			got := ""
			err := d.Check(s)
			if step, ok := errors.AsType[*session.StepUp](err); ok {
				got = step.Provider + " " + step.ACRValues + " " + step.MaxAge
			} else if err != nil {
				got = err.Error()
			}
			if got != want {
				t.Errorf("%+v: %q, want %q", d, got, want)
			}
		}
		check(gold, fresh, "")
		check(recent, fresh, "")
		check(gold, unknown, "main platinum gold ")
		check(recent, unknown, "main  600")
		check(both, unknown, "main gold 600")
		time.Sleep(10*time.Minute + 30*time.Second)
		check(both, fresh, "")
		time.Sleep(time.Second)
		check(both, fresh, "main gold 600")
		check(gold, fresh, "")
		check(barred, fresh, session.ErrNotPermitted.Error()+": groups")
	})
}
