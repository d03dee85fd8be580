package main_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestCustodyMeaning covers the options about stolen tickets, floods and
// second uses of refresh tokens.
func TestCustodyMeaning(t *testing.T) {
	const id = "client_id: spa"
	reuse := func(text string) string { return id + "\n    refresh_reuse: {" + text + "}" }
	tests := []broken{
		{name: "tickets that change all the time", new: "session: {rotate_every: 4m59s}\n", // E10
			want: `10:11: session.rotate_every: must be 5m or longer: a browser needs that time to show that it kept the last one`},
		{name: "tickets that never change", new: "session: {rotate_every: 0s}\n", // E10
			want: `10:11: session.rotate_every: must be 5m or longer: a browser needs that time to show that it kept the last one`},
		{name: "tickets that change after the end", new: "session: {absolute: 1h, rotate_every: 1h1s}\n",
			want: `10:25: session.rotate_every: is longer than session.absolute, so it would never happen; write a shorter one, such as 15m`},
		{name: "a misspelt binding", new: "session: {bind: strickt}\n",
			want: `10:11: session.bind: must be one of off, log, strict; did you mean "strict"?`},
		{name: "half a session", new: "session: {max_per_user: 0.5}\n",
			want: `10:11: session.max_per_user: must be a whole number, such as 20`},
		{name: "an unknown way of reuse", old: id, new: reuse("mode: sometimes"),
			want: `6:21: providers[0].refresh_reuse.mode: must be one of none, grace, same, count, unlimited`},
		{name: "grace without window", old: id, new: reuse("mode: grace"),
			want: `6:5: providers[0].refresh_reuse.window: is missing; for how long after its first use does the provider take a refresh token again, for example 30s?`},
		{name: "grace of no time", old: id, new: reuse("mode: same, window: 0s"),
			want: `6:33: providers[0].refresh_reuse.window: is missing; for how long after its first use does the provider take a refresh token again, for example 30s?`},
		{name: "grace for hours", old: id, new: reuse("mode: grace, window: 61m"),
			want: `6:34: providers[0].refresh_reuse.window: must be 1h or shorter; a provider that takes them for longer is mode: unlimited`},
		{name: "a window without grace", old: id, new: reuse("window: 30s"),
			want: `6:21: providers[0].refresh_reuse.window: only the modes grace and same have one; remove it`},
		{name: "a window of unlimited", old: id, new: reuse("mode: unlimited, window: 30s"),
			want: `6:38: providers[0].refresh_reuse.window: only the modes grace and same have one; remove it`},
		{name: "a mode alone", old: id, new: id + "\n    refresh_reuse: grace",
			want: `6:5: providers[0].refresh_reuse: expected keys and values, one "key: value" a line, found a single value`},
		{name: "logout tokens of no type", old: id, new: id + "\n    logout_typ: none",
			want: `6:5: providers[0].logout_typ: must be one of required, any`},
		{name: "a rate with a unit", new: "limits: {rates: {sign_ins: 60/m}}\n",
			want: `10:18: limits.rates.sign_ins: must be a whole number, such as 20`},
		{name: "a misspelt rate", new: "limits: {rates: {sign_in: 60}}\n",
			want: `10:18: limits.rates.sign_in: unknown key; did you mean "sign_ins"?`},
		{name: "no file for the operators' token", new: "admin: {token_file: \"\"}\n",
			want: `10:9: admin.token_file: is missing; for example data/admin-token`},
		{name: "the keys as the operators' token", new: "admin: {token_file: ./data/keys}\n",
			want: `10:9: admin.token_file: is the same file as keys_file; name one of its own, such as data/admin-token`},
		{name: "the store as the operators' token", new: "admin: {token_file: data/sessions.db}\n",
			want: `10:9: admin.token_file: is the same file as store.bolt.path; name one of its own, such as data/admin-token`},
	}
	for _, tt := range tests {
		t.Run(tt.name, tt.run)
	}
}

// A rotate_every that nobody wrote is no problem of a short absolute.
func TestRotationOfShortSessions(t *testing.T) {
	for _, tt := range []struct {
		text string
		want time.Duration
	}{
		{"", 15 * time.Minute},
		{"session: {idle: 1m, absolute: 2m}\n", 2 * time.Minute},
		{"session: {rotate_every: 5m}\n", 5 * time.Minute},
		{"session: {absolute: 1h, rotate_every: 1h}\n", time.Hour},
	} {
		if got := parse(t, minimal+tt.text).Session.RotateEvery; got != tt.want {
			t.Errorf("rotate_every with %q = %v, want %v", tt.text, got, tt.want)
		}
	}
}

// A second use of a refresh token must find the provider's window open after a
// first one that took as long as it may (D4).
func TestReuseWindowWarning(t *testing.T) {
	const warning = "warning: providers[0].refresh_reuse.window: is shorter than token_timeout and 5s more, so a second use may come too late; write a shorter token_timeout\n"
	for _, tt := range []struct {
		mode            string
		window, timeout time.Duration
		want            string
	}{
		{"grace", 20 * time.Second, 15 * time.Second, ""},
		{"grace", 20*time.Second - time.Millisecond, 15 * time.Second, warning},
		{"same", 10 * time.Second, 15 * time.Second, warning},
		{"same", 10 * time.Second, 5 * time.Second, ""},
	} {
		dir := t.TempDir()
		write(t, dir, "config.yaml", strings.Replace(minimal, "client_id: spa", fmt.Sprintf(
			"client_id: spa\n    token_timeout: %v\n    refresh_reuse: {mode: %s, window: %v}", tt.timeout, tt.mode, tt.window), 1))
		r := cloakroom(t, dir, "check")
		if _, got, _ := strings.Cut(r.stderr, ": "); r.code != 0 || got != tt.want {
			t.Errorf("check with %s %v and token_timeout %v = exit %d, %q, want 0, %q", tt.mode, tt.window, tt.timeout, r.code, got, tt.want)
		}
	}
}

// An operator reads what becomes of a refresh token whose use had no known end,
// and what is to be registered at each provider.
func TestCheckTellsOfProviders(t *testing.T) {
	const second = "  - {name: other, issuer: https://b.example, client_id: a, client_secret: b}\nroutes:"
	for _, tt := range []struct{ reuse, want string }{
		{"{mode: none}", "refresh_reuse none: a refresh token is never sent twice, unless the access token has run out and the first use had no known end"},
		{"{mode: grace, window: 1m}", "refresh_reuse grace: a refresh token whose first use had no known end is sent again at once, while less than 1m0s have passed, and no third time"},
		{"{mode: same, window: 30s}", "refresh_reuse same: a refresh token whose first use had no known end is sent again at once, while less than 30s have passed, and no third time"},
		{"{mode: count}", "refresh_reuse count: a refresh token whose first use had no known end is sent again at once, and no third time"},
		{"{mode: unlimited}", "refresh_reuse unlimited: a refresh token whose first use had no known end is sent again at once, and as often as it takes to get an answer"},
	} {
		dir := t.TempDir()
		write(t, dir, "config.yaml", strings.NewReplacer("client_id: spa", "client_id: spa\n    refresh_reuse: "+tt.reuse, "routes:", second).Replace(minimal))
		r := cloakroom(t, dir, "check")
		for _, want := range []string{
			"\n  main: " + tt.want + "\n",
			"\n  other: refresh_reuse none: ",
			"\n  register at main: redirect URI https://app.example.com/bff/callback, post-logout redirect URI https://app.example.com/bff/logout/callback," +
				" back-channel logout URI https://app.example.com/bff/backchannel-logout/main (or, only if it knows no back-channel, front-channel logout URI https://app.example.com/bff/frontchannel-logout/main)\n",
			"\n  register at other: redirect URI https://app.example.com/bff/callback/other, ",
			" back-channel logout URI https://app.example.com/bff/backchannel-logout/other (or, only if it knows no back-channel, front-channel logout URI https://app.example.com/bff/frontchannel-logout/other)\n",
		} {
			if r.code != 0 || !strings.Contains(r.stdout, want) {
				t.Errorf("check with %s = exit %d, %q, want %q in it", tt.reuse, r.code, r.stdout, want)
			}
		}
	}
}
