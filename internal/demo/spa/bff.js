// What an app needs to know of Cloakroom: a few same-origin calls. The
// browser adds the cookie by itself; no token is ever seen here.

/** Problem is a refusal (RFC 9457). Its code is stable; its text, a sentence, is not. One of the API's own has no code. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.title || "The call was refused.");
    this.status = status;
    this.code = String(body.type ?? "").startsWith("urn:cloakroom:") ? body.code : "";
    this.loginURL = body.login_url || "";
    this.reference = body.reference || "";
  }
}

/** request fetches path and returns the answer, or throws a Problem. */
export async function request(path, options = {}) {
  const headers = { Accept: "application/json", "X-CSRF": "1", ...options.headers };
  const answer = await fetch(path, { ...options, headers, cache: "no-store", redirect: "error" });
  if (answer.ok) return answer;
  const kind = answer.headers.get("Content-Type") || "";
  const body = kind.startsWith("application/problem+json") ? await answer.json().catch(() => ({})) : {};
  throw new Problem(answer.status, body);
}

/** signedOut is the Problem of an answer that says so without being a refusal. */
export function signedOut({ login_url }) {
  return new Problem(401, { type: "urn:cloakroom:signed_out", code: "signed_out", login_url });
}

export async function json(path, options) {
  return (await request(path, options)).json();
}

export const user = () => json("/bff/user");
export const session = () => json("/bff/session");
export const renew = () => json("/bff/session/renew", { method: "POST" });

/** signOut ends the session and goes where the provider ends its own. */
export async function signOut() {
  const answer = await json("/bff/logout", { method: "POST" });
  location.assign(answer.logout_url || "/");
}

/** loginURL leads to the sign-in and back to where the user is, at a fragment (#…) if there is one. */
export function loginURL(base = "", extra = "", fragment = "") {
  const url = new URL(base || "/bff/login", location.origin);
  // A link is never taken to another origin, whoever wrote it.
  const own = url.origin === location.origin ? url : new URL("/bff/login", location.origin);
  if (!own.searchParams.has("return_to")) own.searchParams.set("return_to", location.pathname + location.search + fragment);
  for (const [name, value] of new URLSearchParams(extra)) own.searchParams.set(name, value);
  return own.pathname + own.search;
}
