// Package proxy forwards calls to the APIs behind Cloakroom: it chooses the
// route, cleans the headers in both directions, puts the session's token on and
// streams the answer.
//
// # What an API receives
//
// The method, the path and the query that were matched, byte for byte (the path
// after strip_prefix and below the upstream's own base path), the body, and the
// headers that are the page's to choose. It never receives: credentials of any
// kind (Authorization, DPoP, Proxy-*), cookies other than those allow-listed,
// forwarding and identity headers (Forwarded, X-Forwarded-*, X-Real-IP,
// X-Auth-*, X-User* and their relatives), method overrides, hop-by-hop fields
// and fields named in Connection, names of anything but letters, digits and
// hyphens (X_User is X-User to many servers), or request trailers. Instead it
// gets one Authorization field with the session's token, X-Forwarded-For, -Host
// and -Proto with the same in Forwarded, and the configured identity headers.
//
// # What a browser receives
//
// The status, the body as it comes, and the headers that do no harm on the
// single-page app's own origin. It never receives: Set-Cookie other than
// allow-listed, in headers or trailers, fields that change the whole origin
// (Clear-Site-Data, Strict-Transport-Security, Alt-Svc, Service-Worker-Allowed
// and their relatives), Access-Control-*, fields that steer caches or servers
// on the way, informational (1xx) answers, or challenges that make browsers ask
// for a password. Answers are private, no-store unless the route says
// otherwise; those of routes that serve no documents can't run as one.
//
// An answer that breaks off upstream breaks off at the browser: it never looks
// complete.
//
// # What is refused
//
// Errors go to Options.Fail, which is the only thing here that turns them into
// answers. They are a *[Refusal] or an error of package session, a *session.StepUp among them.
// An Upgrade other than a flawless WebSocket handshake on a route that takes
// them is refused rather than ignored: a client that asks to switch protocols
// and is served something else is either broken or probing.
//
// net/http/httputil.ReverseProxy does much of this, but passes on any Upgrade
// and every 1xx answer and trailer unseen; so the forwarder is our own, on
// package http1 or, with TLS, http.Transport. A Via field, which RFC 9110
// section 7.6.3 asks of gateways, is left out: common servers turn compression
// off when they see one.
package proxy
