package session

import (
	"context"
	"log/slog"
	"slices"
)

// An Event is the name of an audit event: one line in the log for each thing
// that happened to somebody's sign-in. Names are stable; operators alert on
// them.
type Event string

// The audit events.
const (
	EventSignIn        Event = "sign_in"         // a session began
	EventSignInRefused Event = "sign_in_refused" // a sign-in came back and was not accepted; "reason" says why
	EventRenewed       Event = "tokens_renewed"  // a renewal is durable
	EventRenewalFailed Event = "renewal_failed"  // a renewal failed and the session lives on
	EventEnded         Event = "session_ended"   // a session is over; "reason" says why
	EventUnreadable    Event = "session_unreadable"
	EventRevoked       Event = "tokens_revoked"
	EventRevokeFailed  Event = "revocation_failed"
	EventContext       Event = "context_changed"    // a ticket came from another browser or network; "changed" says which
	EventLogout        Event = "provider_logout"    // a provider said that sessions are over; "sessions" says how many were
	EventLogoutRefused Event = "logout_refused"     // what came as a provider's logout was not accepted; "reason" says why
	EventBreaker       Event = "renewals_held_back" // a provider fails: renewals wait
	EventRecovered     Event = "renewals_resumed"   // it answers again
	EventRestored      Event = "store_restored"     // the store is an old copy: all sessions are over
	EventKeys          Event = "keys_changed"       // the server keys were read again
	EventRefused       Event = "request_refused"    // a request was refused by a rule; "code" is the problem's code
)

// Reasons for which a session ends.
const (
	ReasonLogout   = "logout"          // the user asked for it
	ReasonIdle     = "idle"            // no activity for Limits.Idle
	ReasonAbsolute = "absolute"        // Limits.Absolute since sign-in
	ReasonReplaced = "replaced"        // a new sign-in in the same browser
	ReasonRefused  = "renewal_refused" // the provider refused the refresh token
	ReasonIdentity = "identity"        // renewed tokens belong to another user
	ReasonOwnCrash = "own_crash"       // a refresh token had its last use and no answer was seen: see ClassOwnCrash
	ReasonNoRenew  = "tokens_expired"  // the access token ran out and nothing can renew it
	ReasonLate     = "tombstone"       // a ticket arrived for a session that is over already

	ReasonBackchannel  = "backchannel_logout"  // the provider said so
	ReasonFrontchannel = "frontchannel_logout" // the provider said so, through the browser
	ReasonReplay       = "ticket_replayed"     // two parties hold the ticket
	ReasonContext      = "context_changed"     // another browser or network, with BindStrict
	ReasonPerUser      = "too_many_sessions"   // the oldest goes
	ReasonDevice       = "other_device"        // the user ended it from another one
	ReasonOperator     = "operator"            // an operator ended it
	ReasonRestored     = "store_restored"      // the file is an old copy
)

// Classes of ReasonRefused and ReasonOwnCrash: what became of the refresh token.
const (
	ClassOwnCrash = "own_crash"       // it was sent before and the answer never seen: a crash of ours, or an answer lost on the way
	ClassTheft    = "suspected_theft" // a one-time token that should have been good
	ClassUnknown  = "unknown"         // it may have run out, or was withdrawn
)

// Audit writes one audit event. What it is given must hold no secret; a
// session is named by [Key.Ref].
func Audit(ctx context.Context, log *slog.Logger, event Event, attrs ...slog.Attr) {
	level := slog.LevelInfo
	switch event {
	case EventEnded:
		level = endLevel(attrs)
	case EventSignInRefused, EventLogoutRefused, EventRenewalFailed, EventUnreadable, EventRevokeFailed, EventRefused,
		EventContext, EventBreaker, EventRestored:
		level = slog.LevelWarn
	}
	attrs = append([]slog.Attr{slog.Bool("audit", true)}, attrs...)
	log.LogAttrs(ctx, level, string(event), attrs...)
}

// endLevel is the level of EventEnded: an end that nobody asked for and no limit
// explains is somebody's to look into.
func endLevel(attrs []slog.Attr) slog.Level {
	for _, a := range attrs {
		switch {
		case a.Key == "reason" && slices.Contains([]string{ReasonOwnCrash, ReasonReplay, ReasonContext, ReasonIdentity}, a.Value.String()),
			a.Key == "class" && a.Value.String() == ClassTheft:
			return slog.LevelWarn
		}
	}
	return slog.LevelInfo
}

func (m *Manager) audit(event Event, k Key, who Identity, attrs ...slog.Attr) {
	attrs = append([]slog.Attr{
		slog.String("session", k.Ref()), slog.String("provider", who.Provider), slog.String("sub", who.Subject),
	}, attrs...)
	Audit(context.Background(), m.log, event, attrs...)
}
