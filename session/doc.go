// Package session is the domain of Cloakroom: what a session is, how long it
// may live, the ticket that opens it, and how its tokens stay fresh.
//
// A session is two sealed values. The head says who and when, and is sealed
// under the server's keys. The tokens are sealed under a key that needs both a
// server key and the ticket, which only the browser has: a stolen store opens
// no token, not even with the server's keys beside it, and a stolen ticket
// opens none without them.
//
// [Manager] is the way in. It knows nothing of HTTP, of any database or of
// OpenID Connect: those come as a [Store] and as one [Renewer] per provider.
//
// # Renewal
//
// Each use of a refresh token is preceded by a durable intent and followed by a
// durable result; nobody uses a token before it is durable. After a use of
// unknown end there is one more: at once if the provider is known to forgive it
// ([Reuse]), when the process died and the ticket comes again, or when nothing else
// is left; never a third, unless the provider always takes them. A gateway's 504
// counts as unknown, 500, 502 and 503 as not consumed: they are what an outage
// looks like. Each provider stands behind a gate (see gate.go).
//
// # Rotation
//
// A ticket is issued anew from time to time, and two holders of one ticket are
// told apart by who goes on with which issue (see lineage.go). Numbers alone do
// not do it: two parties that take turns in a slow rhythm always find the other's
// issue unseen, and get newer ones for ever. So each issue remembers the one it
// was given for, a branch is confirmed by its age, and then everything beside it
// is retired. The open issues are written with the head, or a restart in each
// pause would hide the thief: two writes a rotation instead of one.
//
// # Ends
//
// A session ends in memory first, then in the store, together with what is to be
// told to the provider. What ends without its ticket at hand becomes a tombstone:
// its tokens open, and are revoked, when the ticket comes. A provider's logout
// also keeps sign-ins that began before it from becoming sessions.
//
// # Memory
//
// A session in use is in memory, and there once: what has long been unused, or was
// used least recently when there are too many (see Manager.makeRoom), leaves it.
// Nothing waits for requests that hold it still: each of its methods goes on with
// the one that took its place, which knows all that was ever written of it.
//
// # Time
//
// The Manager counts what elapses, from the machine's clock at the start, or from
// the latest time that the store has seen if that is later: setting a clock ends
// and revives nothing.
package session
