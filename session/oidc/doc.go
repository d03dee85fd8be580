// Package oidc is the relying party: one [Client] per OpenID Provider, for
// the authorization code flow with PKCE, renewal, revocation and logout.
//
// A sign-in has two halves. [Client.Begin] makes an [AuthRequest] and the URL
// to send the browser to; the caller seals the request into that browser.
// [Client.CheckCallback] judges what came back without a network call, and
// [Client.Finish] redeems the code, once. Between the two the caller must make
// sure that no other callback finishes the same request.
//
// # What leaves the process
//
// Code, refresh and revocation go through one POST, because most of the rules
// are about that POST: one fixed way to authenticate (trying another one after
// an error would use a one-time token twice), no redirect followed (307 would
// carry body and credentials along), no retry by net/http, and no end by the
// browser's leaving. It is the reason why x/oauth2's own exchange and refresh
// are not used: they can carry neither a client assertion nor a resource on
// refresh, and drop what a broken answer still held.
//
// Each POST has a connection of its own, with TLS resumption to make that
// cheap. A kept connection may be one that the provider is just closing, and
// then nobody could tell a refresh token that was spent from one that never
// arrived. HTTP/2 is off for the same reason: "sent" is to mean one thing.
//
// # What is believed
//
// Endpoints come from the issuer's metadata alone, fetched when first needed
// and again every hour. What the provider says in an error is not believed to
// be fit for printing: errors hold codes from a fixed list, never its words,
// and never a token. See [Reason].
//
// Not supported: encrypted or HMAC-signed ID tokens, UserInfo answers as JWTs
// (they count as no answer), distributed claims, and the none algorithm.
package oidc
