// Sign-ins by popup, also of several tabs at once.

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { createClient, type Client, type Options } from "../src/index.js";
import { openBrowser, type Browser } from "./browser.js";
import { Cloakroom, problem } from "./cloakroom.js";

let cloakroom: Cloakroom;
let browser: Browser;
let page: BroadcastChannel; // of the popup

beforeEach(() => {
  cloakroom = new Cloakroom();
  browser = openBrowser();
  page = new BroadcastChannel("cloakroom");
});

afterEach(() => {
  browser.event("pageshow", { persisted: true }); // so that the next test may leave the page
  page.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** A tab: a client of its own in the same browser. */
const openTab = (options: Options = {}): Client => createClient({ fetch: cloakroom.fetch, signIn: "popup", ...options });

/** The user signs in in the popup. */
function finish(user = "ada", acr = "1"): void {
  cloakroom.signIn(user, acr);
  page.postMessage({ type: "signed-in" });
}

const popups = (): string[] => browser.open.mock.calls.map(([url]) => url);
const shown = (n: number): Promise<void> => vi.waitFor(() => expect(popups()).toHaveLength(n));
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));
const outcome = (call: Promise<unknown>): Promise<unknown> => call.catch((error: unknown) => error);

test("ten calls open one, and are all made again", async () => {
  const tab = openTab();
  const calls = Array.from({ length: 10 }, () => tab.fetch("/api/orders", { method: "POST", body: "{}" }));
  await shown(1);
  expect(popups()).toEqual(["/bff/login?return_to=%2Fbff%2Fsigned-in"]);
  finish();
  for (const response of await Promise.all(calls)) expect(await response.json()).toEqual({ user: "ada" });
  expect(popups()).toHaveLength(1);
  expect(cloakroom.bodies.filter((b) => b === "{}")).toHaveLength(20);
  expect(browser.locks.held("cloakroom-login")).toBe(false);
});

test("two tabs open one between them", async () => {
  const calls = [openTab(), openTab()].flatMap((tab) => [tab.fetch("/api/orders"), tab.fetch("/api/orders")]);
  await settle();
  expect(popups()).toHaveLength(1);
  finish();
  for (const response of await Promise.all(calls)) expect(response.status).toBe(200);
  expect(browser.locks.held("cloakroom-login")).toBe(false);
  expect(browser.locks.waiting("cloakroom-login")).toBe(0);
});

test("when the tab that has it gives up, so does the other", async () => {
  const giveUp = new AbortController();
  const first = outcome(openTab().fetch("/api/orders", { signal: giveUp.signal }));
  await shown(1);
  const second = outcome(openTab().fetch("/api/orders"));
  await settle();
  giveUp.abort(new Error("never mind"));
  expect(await first).toEqual(new Error("never mind"));
  expect(await second).toMatchObject({ code: "signed_out" });
  expect(popups()).toHaveLength(1);
});

test("one call that gives up leaves the other waiting", async () => {
  const tab = openTab();
  const giveUp = new AbortController();
  const first = outcome(tab.fetch("/api/orders", { signal: giveUp.signal }));
  const second = tab.fetch("/api/orders");
  await shown(1);
  giveUp.abort();
  expect(await first).toMatchObject({ name: "AbortError" });
  finish();
  expect((await second).status).toBe(200);
});

test("the call is made again once only", async () => {
  const call = outcome(openTab().fetch("/api/vault"));
  await shown(1);
  finish("ada", "1"); // not what the API wants
  await settle();
  cloakroom.session && page.postMessage({ type: "signed-in" });
  expect(await call).toMatchObject({ code: "step_up_required" });
  expect(popups()).toHaveLength(1);
});

test("a Request is made again with its body, a stream is not", async () => {
  const tab = openTab();
  const request = new Request("https://app.example/api/orders", { method: "POST", body: "kept" });
  const stream = new Blob(["gone"]).stream();
  const kept = tab.fetch(request);
  const gone = outcome(tab.fetch("/api/orders", { method: "POST", body: stream, duplex: "half" } as RequestInit));
  await shown(1);
  finish();
  expect((await kept).status).toBe(200);
  expect(cloakroom.bodies.filter((b) => b === "kept")).toHaveLength(2);
  expect(await gone).toMatchObject({ code: "signed_out" });
  expect(cloakroom.bodies.filter((b) => b === "gone")).toHaveLength(1);
});

test("the same sub at another provider is somebody else", async () => {
  const tab = openTab();
  cloakroom.signIn("ada");
  for (const [user, provider] of [
    ["bob", "main"],
    ["ada", "partner"],
  ] as const) {
    cloakroom.signIn("ada");
    await tab.user();
    cloakroom.session = null;
    const call = outcome(tab.fetch("/api/orders", { method: "POST", body: `${user} of ${provider}` }));
    await vi.waitFor(() => expect(browser.locks.held("cloakroom-login")).toBe(true));
    await settle();
    cloakroom.provider = provider;
    finish(user);
    expect(await call).toMatchObject({ code: "other_user" });
    cloakroom.provider = "main";
    expect(cloakroom.bodies.filter((b) => b === `${user} of ${provider}`)).toHaveLength(1);
  }
});

test("a page that nobody has called user() on knows its user all the same", async () => {
  const tab = openTab();
  cloakroom.signIn("ada");
  await tab.fetch("/api/orders");
  await settle();
  cloakroom.session = null;
  const call = outcome(tab.fetch("/api/orders", { method: "POST", body: "ada's" }));
  await vi.waitFor(() => expect(browser.locks.held("cloakroom-login")).toBe(true));
  await settle();
  finish("bob");
  expect(await call).toMatchObject({ code: "other_user" });
  expect(cloakroom.bodies.filter((b) => b === "ada's")).toHaveLength(1);
});

test("what one user typed is not sent as another's", async () => {
  const tab = openTab();
  cloakroom.signIn("ada");
  await tab.user();
  for (const [user, times] of [
    ["ada", 2],
    ["bob", 1],
  ] as const) {
    cloakroom.session = null;
    const call = outcome(tab.fetch("/api/orders", { method: "POST", body: user }));
    await vi.waitFor(() => expect(browser.locks.held("cloakroom-login")).toBe(true));
    await settle();
    finish(user);
    const got = await call;
    if (times === 2) expect(got).toMatchObject({ status: 200 });
    else expect(got).toMatchObject({ code: "other_user", status: 0 });
    expect(cloakroom.bodies.filter((b) => b === user)).toHaveLength(times);
  }
  expect((await tab.fetch("/api/orders", { method: "POST", body: "bob's own" })).status).toBe(200);
});

test("without a message the window's focus tells", async () => {
  cloakroom.signIn();
  const call = openTab().fetch("/api/vault");
  await shown(1);
  await settle();
  browser.event("focus"); // the user looks in between
  await settle();
  cloakroom.signIn("ada", "2");
  browser.event("focus");
  expect((await call).status).toBe(200);
});

test("a step-up takes what it needs along", async () => {
  cloakroom.signIn();
  const call = openTab().fetch("/api/vault");
  await shown(1);
  expect(popups()).toEqual(["/bff/login?acr_values=2&provider=main&return_to=%2Fbff%2Fsigned-in"]);
  finish("ada", "2");
  expect((await call).status).toBe(200);
});

test("login() opens it within the click, and again if the user asks again", async () => {
  const tab = openTab();
  const first = tab.login({ popup: true, provider: "main" });
  expect(popups()).toEqual(["/bff/login?provider=main&return_to=%2Fbff%2Fsigned-in"]);
  const second = tab.login({ popup: true });
  expect(popups()).toHaveLength(2);
  finish();
  await Promise.all([first, second]);
});

test("a call after a click, when the popup is long closed, opens another", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const tab = openTab();
  browser.click(true);
  const first = tab.fetch("/api/orders");
  await shown(1);
  const second = tab.fetch("/api/orders"); // of the same click
  await settle();
  expect(popups()).toHaveLength(1);
  vi.advanceTimersByTime(6_000);
  browser.click(false);
  const third = tab.fetch("/api/orders"); // the app by itself
  await settle();
  expect(popups()).toHaveLength(1);
  browser.click(true);
  const fourth = tab.fetch("/api/orders");
  await shown(2);
  finish();
  await Promise.all([first, second, third, fourth]);
});

test("a click in another tab opens one there", async () => {
  const first = openTab().fetch("/api/orders");
  await shown(1);
  browser.click(true);
  const second = openTab().fetch("/api/orders");
  await shown(2);
  finish();
  await Promise.all([first, second]);
});

test("blocked: a redirect, back to the page", async () => {
  browser.open.mockReturnValue(null);
  browser.go("/orders");
  const call = outcome(openTab().fetch("/api/orders"));
  await vi.waitFor(() => expect(browser.assign.mock.calls).toEqual([["/bff/login?return_to=%2Forders"]]));
  browser.event("pageshow", { persisted: true });
  expect(await call).toMatchObject({ code: "signed_out" });
  expect(browser.locks.held("cloakroom-login")).toBe(false);
});

test("nobody waits longer than a sign-in may take", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  const login = outcome(openTab().login({ popup: true }));
  await vi.advanceTimersByTimeAsync(599_999);
  expect(await Promise.race([login, Promise.resolve("waiting")])).toBe("waiting");
  await vi.advanceTimersByTimeAsync(1);
  expect(await login).toMatchObject({ code: "sign_in_abandoned", status: 0 });
});

test("a popup that comes back without anybody is no sign-in", async () => {
  const login = outcome(openTab().login({ popup: true, prompt: "none" }));
  page.postMessage({ type: "signed-in" });
  expect(await login).toMatchObject({ code: "sign_in_abandoned" });
});

test("a signal that was aborted before", async () => {
  const reason = new Error("before");
  expect(await outcome(openTab().login({ popup: true, signal: AbortSignal.abort(reason) }))).toBe(reason);
  expect(browser.open).not.toHaveBeenCalled();
});

test.each([
  ["Web Locks", "navigator", {}],
  ["BroadcastChannel", "BroadcastChannel", undefined],
  ["permission for locks", "navigator", { locks: { request: () => Promise.reject(new Error("no")) } }],
])("without %s", async (_, name, value) => {
  vi.stubGlobal(name, value);
  const tab = openTab();
  const calls = [tab.fetch("/api/orders"), tab.fetch("/api/orders")];
  await shown(1);
  finish();
  browser.event("focus");
  for (const response of await Promise.all(calls)) expect(response.status).toBe(200);
});

test("my devices ask for a step-up too", async () => {
  cloakroom.signIn();
  let asked = 0;
  cloakroom.answers.set("DELETE /bff/sessions", async () => {
    if (asked++) return Response.json({ ended: 2 });
    return problem(401, "step_up_required", { login_url: "/bff/login?max_age=300" });
  });
  const ended = openTab().endOtherSessions();
  await shown(1);
  expect(popups()).toEqual(["/bff/login?max_age=300&return_to=%2Fbff%2Fsigned-in"]);
  finish();
  expect(await ended).toBe(2);
});
