// Package web is the browser's side of Cloakroom: the routes under /bff, the
// cookies, the guard against other sites, the way into proxied paths, the
// application's files, and the one place where errors become HTTP.
//
// A request passes, in this order: its Host must be ours; its path must be in
// one strict form (see plainPath); then it belongs to /bff, to a proxied route,
// or to the application's files. /bff and the routes are guarded against other
// sites by Fetch Metadata, then Origin, then X-CSRF (see guard). A route with
// auth none is not: it never sees a session, so there is nothing to forge, and
// webhooks and probes must be able to call it. WebSocket handshakes need our
// Origin even there.
//
// The files neither read nor set the session cookie, but for pages behind the gate,
// which read it. It is set by /bff/callback, cleared by /bff/logout alone, and issued
// anew on guarded answers (see reissue).
package web
