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
package session
