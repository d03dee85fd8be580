package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/cloakroom/cloakroom/session"
	"github.com/cloakroom/cloakroom/session/oidc"
)

// pauses are the times after which a used refresh token is sent again. The last
// one is also how long a token is left alone that was not replaced.
var pauses = []time.Duration{5 * time.Second, 15 * time.Second, 35 * time.Second, 65 * time.Second}

var longestPause = pauses[len(pauses)-1]

// maxUses is how often one token is sent in search of a count.
const maxUses = 5

var (
	// errNoRefresh means that a sign-in brings no refresh token.
	errNoRefresh = errors.New("the provider gave no refresh token")

	errFirstUse  = errors.New("the provider refused a refresh token that was not used before")
	errIrregular = errors.New("the provider replaces refresh tokens at some times and not at others")
)

// experiment is a series of renewals with the tokens of one sign-in.
type experiment struct {
	provider session.Renewer
	who      session.Identity
	pause    func(context.Context, time.Duration) error
	progress func(format string, args ...any)

	rows [][2]string      // what was done, and what the provider did
	held []session.Tokens // to be revoked; no refresh token twice
	odd  bool             // it refused with another error than invalid_grant
}

// verdict is what the configuration should say.
type verdict struct {
	mode   session.ReuseMode
	window time.Duration
	notes  []string
}

// reuse is the line of the configuration.
func (v verdict) reuse() string {
	if v.window == 0 {
		return fmt.Sprintf("refresh_reuse: {mode: %s}", v.mode)
	}
	return fmt.Sprintf("refresh_reuse: {mode: %s, window: %s}", v.mode, inSeconds(v.window))
}

// run finds out the mode, and for how long it holds. A second use counts only
// if the tokens that it brings work: a provider may answer and end the grant.
//
// The pauses come before the third use, because a provider that refuses it may
// end the grant, and nothing would be known of a window then.
func (x *experiment) run(ctx context.Context, t session.Tokens) (verdict, error) {
	if t.Refresh == "" {
		return verdict{}, errNoRefresh
	}
	last, err := x.round(ctx, t, 0)
	switch {
	case err != nil:
		return verdict{}, err
	case last.static:
		return verdict{mode: session.ReuseUnlimited, notes: []string{
			"Some providers replace a refresh token only late in its life. If cloakroom_refresh_rotations_total ever counts rotated=\"true\", write none."}}, nil
	case !last.good:
		return x.noted(verdict{mode: session.ReuseNone}), nil
	}
	v := verdict{mode: session.ReuseSame}
	for _, after := range pauses {
		if !last.same {
			v.mode = session.ReuseGrace
		}
		next, err := x.round(ctx, last.tokens, after)
		switch {
		case err != nil:
			return verdict{}, err
		case next.static:
			return verdict{}, errIrregular
		case !next.good && v.window == 0:
			return x.noted(verdict{mode: session.ReuseNone, notes: []string{
				"A second use is honoured for less than " + inSeconds(after) + ": too short to be of use."}}), nil
		case !next.good:
			return x.noted(v), nil
		}
		v.window, last = after, next
	}
	return x.beyond(ctx, v, last)
}

// beyond completes a verdict when the longest pause was not too long.
func (x *experiment) beyond(ctx context.Context, v verdict, last round) (verdict, error) {
	longer := "A second use was honoured even after " + inSeconds(longestPause) + "; longer was not tried. The provider's manual may name a longer window"
	if v.mode == session.ReuseSame {
		v.notes = []string{longer + "."}
		return v, nil
	}
	counts, err := x.counts(ctx, last.tokens)
	if err != nil {
		return verdict{}, err
	}
	if counts {
		return x.noted(verdict{mode: session.ReuseCount}), nil
	}
	v.notes = []string{longer + ", or say that old refresh tokens stay good: mode: unlimited."}
	return v, nil
}

// noted adds what is odd about the refusals.
func (x *experiment) noted(v verdict) verdict {
	if x.odd {
		v.notes = append(v.notes, "The provider's refusal is not invalid_grant (RFC 6749, 5.2): Cloakroom takes it for a passing failure.")
	}
	return v
}

// round is a first use of a refresh token, and a second one after a pause.
type round struct {
	static bool // the first use did not replace it
	good   bool // the second use was honoured, and what it brought works
	same   bool // it brought the same successor as the first one
	tokens session.Tokens
}

func (x *experiment) round(ctx context.Context, t session.Tokens, after time.Duration) (round, error) {
	next, rotated, err := x.rotate(ctx, t, after == 0)
	if err != nil || !rotated {
		return round{static: true}, err
	}
	what := "sent it again at once"
	if after > 0 {
		what = "sent another one again after " + inSeconds(after)
		x.progress("waiting %s before a second use", inSeconds(after))
		if err := x.pause(ctx, after); err != nil {
			return round{}, err
		}
	}
	again, taken, err := x.send(ctx, t)
	if err != nil {
		return round{}, err
	}
	if !taken {
		_, alive, err := x.send(ctx, next)
		if err != nil {
			return round{}, err
		}
		x.saw(what, "refused; "+either(alive, "the one that replaced it works", "the one that replaced it is dead too: the grant is gone"))
		return round{}, nil
	}
	r := round{same: again.Refresh == next.Refresh}
	if r.tokens, r.good, err = x.send(ctx, again); err != nil {
		return round{}, err
	}
	x.saw(what, either(r.same, "the same one came as before", "yet another one came")+either(r.good, ", and works", ", but is dead"))
	return r, nil
}

// rotate uses t, which was not used before, and reports whether another refresh
// token came. Providers with a window may not replace a token that is younger
// than that, so t is then used once more when it is older.
func (x *experiment) rotate(ctx context.Context, t session.Tokens, tell bool) (next session.Tokens, rotated bool, err error) {
	seen := "another one came"
	if next, err = x.first(ctx, t); err != nil {
		return next, false, err
	}
	if next.Refresh == t.Refresh {
		x.progress("no other refresh token came; waiting %s before another try", inSeconds(longestPause))
		if err = x.pause(ctx, longestPause); err != nil {
			return next, false, err
		}
		if next, err = x.first(ctx, t); err != nil {
			return next, false, err
		}
		seen = "no other one came at first, but " + inSeconds(longestPause) + " later"
	}
	if rotated = next.Refresh != t.Refresh; !rotated {
		seen = "no other one came, nor " + inSeconds(longestPause) + " later; it works on"
	}
	if tell || !rotated {
		x.saw("used a refresh token", seen)
	}
	return next, rotated, nil
}

// counts reports whether the provider refuses a token after a few uses.
func (x *experiment) counts(ctx context.Context, t session.Tokens) (bool, error) {
	switch _, rotated, err := x.rotate(ctx, t, false); {
	case err != nil:
		return false, err
	case !rotated:
		return false, errIrregular
	}
	for use := 2; use <= maxUses; use++ {
		_, taken, err := x.send(ctx, t)
		if err != nil {
			return false, err
		}
		if !taken {
			x.saw("sent one several times at once", fmt.Sprintf("use %d was refused", use))
			return true, nil
		}
	}
	x.saw("sent one several times at once", fmt.Sprintf("all %d uses were honoured", maxUses))
	return false, nil
}

// first sends a token that must be good.
func (x *experiment) first(ctx context.Context, t session.Tokens) (session.Tokens, error) {
	next, taken, err := x.send(ctx, t)
	if err == nil && !taken {
		err = errFirstUse
	}
	return next, err
}

// send renews with t and reports whether the provider honoured it. An error
// means that this can't be told: no answer, or one that says something else.
func (x *experiment) send(ctx context.Context, t session.Tokens) (session.Tokens, bool, error) {
	if ctx.Err() != nil {
		return session.Tokens{}, false, context.Cause(ctx)
	}
	next, err := x.provider.Renew(ctx, x.who, t)
	x.hold(next)
	var passing *session.Unavailable
	switch {
	case err == nil:
		return next, true, nil
	case errors.Is(err, session.ErrRefused):
		return next, false, nil
	case errors.As(err, &passing) && oidc.Reason(err) == "request_refused":
		x.odd = true // Dex, for one, says invalid_request
		return next, false, nil
	}
	return next, false, err
}

func (x *experiment) hold(t session.Tokens) {
	for _, held := range x.held {
		if held.Refresh == t.Refresh {
			return
		}
	}
	if t.Refresh != "" || t.Access != "" {
		x.held = append(x.held, t)
	}
}

// revoke tells the provider that all tokens are done with, the newest first.
func (x *experiment) revoke(ctx context.Context) {
	if len(x.held) == 0 {
		return
	}
	told := 0
	for i := range x.held {
		err := x.provider.Revoke(ctx, x.held[len(x.held)-1-i])
		var passing *session.Unavailable
		switch {
		case err == nil:
			told++
		case errors.Is(err, session.ErrNoRevocation):
			x.saw("revoked nothing", "it takes no revocations: end the user's session there")
			return
		case errors.As(err, &passing):
			x.saw(fmt.Sprintf("revoked %d of %d tokens", told, len(x.held)), "it does not answer: end the user's session there")
			return
		}
	}
	x.saw("revoked all tokens", fmt.Sprintf("took %d of %d", told, len(x.held)))
}

func (x *experiment) saw(what, seen string) { x.rows = append(x.rows, [2]string{what, seen}) }

// table prints what was done and seen.
func (x *experiment) table(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	for _, row := range x.rows {
		if _, err := fmt.Fprintf(w, "%s\t%s\n", row[0], row[1]); err != nil {
			return err
		}
	}
	return w.Flush()
}

// inSeconds is how the configuration spells windows: 65s, not 1m5s.
func inSeconds(d time.Duration) string { return fmt.Sprintf("%ds", d/time.Second) }

func either(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}
