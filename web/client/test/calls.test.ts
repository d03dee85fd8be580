// Calls over a real connection: what goes out, and what comes back.

import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";

import { CloakroomError, createClient } from "../src/index.js";
import { openBrowser, type Browser } from "./browser.js";
import { Cloakroom, Listening, problem } from "./cloakroom.js";

let cloakroom: Cloakroom;
let server: Listening;
let browser: Browser;

// As a page does it: addresses are the page's.
const fetchHere: typeof fetch = (input, init) => fetch(input instanceof Request ? input : new URL(String(input), location.href), init);

beforeAll(async () => {
  server = new Listening(new Cloakroom());
  await server.start();
});

beforeEach(() => {
  cloakroom = new Cloakroom();
  Object.assign(server, { cloakroom });
  browser = openBrowser(server.origin);
  return () => vi.unstubAllGlobals();
});

afterAll(() => server.stop());

const client = createClient<{ name: string }>({ fetch: fetchHere });

/** Returns what call fails with. */
async function failure(call: Promise<unknown>): Promise<CloakroomError> {
  const error = await call.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(CloakroomError);
  return error as CloakroomError;
}

describe("the endpoints", () => {
  test("signed out is no error", async () => {
    expect(await client.user()).toBeNull();
    expect(await client.session()).toEqual({ authenticated: false, login_url: "/bff/login" });
  });

  test("signed in", async () => {
    cloakroom.signIn("ada");
    const user = await client.user();
    expect(user?.sub).toBe("ada");
    expect(user?.bff.provider).toBe("main");
    const session = await client.session();
    expect(session.authenticated && session.token.expires_in).toBe(240);
    expect(await client.renew()).toEqual(session);
    expect(cloakroom.calls).toEqual(["GET /bff/user", "GET /bff/session", "POST /bff/session/renew"]);
    // For browsers without Fetch Metadata.
    expect(cloakroom.headers.map((h) => h.get("X-CSRF"))).toEqual(["1", "1", "1"]);
  });

  test("my devices", async () => {
    const device = { id: "a/b", current: true, label: "Firefox on Windows" };
    cloakroom.answers.set("GET /bff/sessions", () => Response.json({ sessions: [device] }));
    cloakroom.answers.set("DELETE /bff/sessions/a%2Fb", () => new Response(null, { status: 204 }));
    cloakroom.answers.set("DELETE /bff/sessions/mine", () => problem(409, "current_session"));
    cloakroom.answers.set("DELETE /bff/sessions", () => Response.json({ ended: 2 }));
    expect(await client.sessions()).toEqual([device]);
    expect(await client.endSession("a/b")).toBeUndefined();
    expect((await failure(client.endSession("mine"))).code).toBe("current_session");
    expect(await client.endOtherSessions()).toBe(2);
  });

  test("another base path", async () => {
    cloakroom.answers.set("GET /auth/x/session", () => Response.json({ authenticated: false, login_url: "/auth/x/login" }));
    const other = createClient({ base: "/auth/x", fetch: fetchHere });
    expect((await other.session()).authenticated).toBe(false);
  });

  test.each(["", "/", "bff", "/bff/", "//evil.example", "https://evil.example/bff", "/a?b", "/\\evil"])("base %j is refused", (base) => {
    expect(() => createClient({ base })).toThrow(TypeError);
  });

  test("logout goes where the server says", async () => {
    cloakroom.signIn();
    void client.logout();
    await vi.waitFor(() => expect(browser.assign.mock.calls).toEqual([["https://id.example/logout?x=1"]]));
    expect(cloakroom.session).toBeNull();
  });

  test("a logout that fails goes nowhere", async () => {
    cloakroom.answers.set("POST /bff/logout", () => problem(503, "unavailable", {}, { "Retry-After": "3" }));
    expect((await failure(client.logout())).retryAfter).toBe(3);
    cloakroom.answers.set("POST /bff/logout", () => Response.json({ logout_url: "javascript:alert(1)" }));
    await expect(client.logout()).rejects.toThrow(TypeError);
    expect(browser.assign).not.toHaveBeenCalled();
  });
});

describe("errors", () => {
  test("every field", async () => {
    cloakroom.answers.set("GET /api/orders", () =>
      problem(401, "step_up_required", { login_url: "/bff/login?acr_values=2" }, { "Retry-After": "7" }),
    );
    const error = await failure(client.fetch("/api/orders"));
    expect({ ...error, message: error.message }).toEqual({
      name: "CloakroomError",
      code: "step_up_required",
      status: 401,
      title: "Refused: step_up_required.",
      message: "Refused: step_up_required.",
      loginUrl: "/bff/login?acr_values=2",
      reference: "3f9c0a17b2de",
      retryAfter: 7,
    });
  });

  test.each([
    "https://evil.example/bff/login",
    "//evil.example/bff/login",
    "/\\evil.example/bff/login",
    "javascript:alert(1)",
    "/bff/logout",
    "/api/delete-all",
    "/bff/login/../logout",
    "bff/login",
    "",
    7,
    null,
  ])("a login_url of %j is dropped", async (login_url) => {
    cloakroom.answers.set("GET /api/orders", () => problem(401, "signed_out", { login_url }));
    expect((await failure(client.fetch("/api/orders"))).loginUrl).toBeUndefined();
  });

  test.each([
    ["an API's own problem", JSON.stringify({ type: "https://api.example/out-of-stock" }), "application/problem+json"],
    ["a problem without a type", "{}", "application/problem+json"],
    ["what looks like ours in a plain answer", JSON.stringify({ type: "urn:cloakroom:signed_out" }), "application/json"],
    ["a broken problem", "{", "application/problem+json"],
    ["null", "null", "application/problem+json"],
    ["a page", "<p>no", "text/html"],
  ])("%s is handed on unread", async (_, body, type) => {
    cloakroom.answers.set("GET /api/orders", () => new Response(body, { status: 401, headers: { "Content-Type": type } }));
    const response = await client.fetch("/api/orders");
    expect([response.status, await response.text()]).toEqual([401, body]);
  });

  test("what looks like ours behind a redirect to elsewhere is handed on", async () => {
    const answer = problem(401, "signed_out", { login_url: "/bff/login" });
    Object.defineProperty(answer, "url", { value: "https://files.example/x" });
    const other = createClient({ fetch: async () => answer });
    expect(await other.fetch("/api/orders")).toBe(answer);
  });

  test("a dev server's page instead of Cloakroom", async () => {
    cloakroom.answers.set("GET /bff/session", () => new Response("<!doctype html>", { headers: { "Content-Type": "text/html" } }));
    const error = await failure(client.session());
    expect(error.code).toBe("unexpected_answer");
    expect(error.message).toContain("/bff/session");
  });

  test("no server is fetch's own error", async () => {
    const off = createClient({ fetch: () => Promise.reject(new TypeError("fetch failed")) });
    await expect(off.user()).rejects.toThrow(TypeError);
  });
});

describe("fetch", () => {
  test("takes what fetch takes", async () => {
    cloakroom.signIn();
    for (const input of ["/api/orders", new URL("/api/orders", server.origin), new Request(`${server.origin}/api/orders`)]) {
      expect(await (await client.fetch(input)).json()).toEqual({ user: "ada" });
    }
    const headers = { "Content-Type": "text/plain" };
    await client.fetch(new Request(`${server.origin}/api/orders`, { method: "POST", body: "one" }));
    await client.fetch("/api/orders", { method: "POST", body: "two", headers });
    expect(cloakroom.bodies.slice(-2)).toEqual(["one", "two"]);
    expect(cloakroom.headers.at(-1)?.get("Content-Type")).toBe("text/plain");
    // Headers of ours would make a redirect to another origin, such as a file
    // store's, ask for permission first.
    expect(cloakroom.headers.at(-1)?.has("X-CSRF")).toBe(false);
    expect(cloakroom.headers.at(-1)?.has("X-Session-Activity")).toBe(false);
  });

  test.each(["https://evil.example/api", "//evil.example/api", "http://", "data:text/plain,x"])("%s is not for it", async (url) => {
    await expect(client.fetch(url)).rejects.toThrow(TypeError);
    expect(cloakroom.calls).toEqual([]);
  });

  test("in the background it is no activity, and keeps its headers", async () => {
    cloakroom.signIn();
    await client.fetch("/api/orders", { background: true, headers: { "X-A": "1" } });
    await client.fetch(new Request(`${server.origin}/api/orders`, { headers: { "X-A": "2" } }), { background: true });
    expect(cloakroom.headers.map((h) => [h.get("X-Session-Activity"), h.get("X-A")])).toEqual([
      ["none", "1"],
      ["none", "2"],
    ]);
  });
});
