// Sign-ins that leave the page.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { CloakroomError, createClient, type Client, type LoginOptions, type Options } from "../src/index.js";
import { openBrowser, type Browser } from "./browser.js";
import { Cloakroom } from "./cloakroom.js";

let cloakroom: Cloakroom;
let browser: Browser;

beforeEach(() => {
  cloakroom = new Cloakroom();
  browser = openBrowser();
});

afterEach(() => {
  browser.event("pageshow", { persisted: true }); // so that the next test may leave the page
  vi.unstubAllGlobals();
});

/** A tab: a client of its own in the same browser. */
const openTab = (options: Options = {}): Client => createClient({ fetch: cloakroom.fetch, signIn: "popup", ...options });

const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));
const outcome = (call: Promise<unknown>): Promise<unknown> => call.catch((error: unknown) => error);

describe("login by redirect", () => {
  const target = async (options?: LoginOptions): Promise<URLSearchParams> => {
    void openTab().login(options);
    const [[url]] = browser.assign.mock.calls as [[string]];
    expect(url.startsWith("/bff/login?")).toBe(true);
    return new URL(url, location.origin).searchParams;
  };

  test("comes back to the current place", async () => {
    browser.go("/orders?page=2#row-7");
    expect((await target()).get("return_to")).toBe("/orders?page=2#row-7");
  });

  test("passes everything on", async () => {
    const parameters = await target({
      returnTo: "/a?b=c&d#e",
      provider: "main",
      prompt: "login",
      acrValues: "1 2",
      maxAge: 0,
      loginHint: "ada@example.com",
      uiLocales: "de en",
    });
    expect(Object.fromEntries(parameters)).toEqual({
      return_to: "/a?b=c&d#e",
      provider: "main",
      prompt: "login",
      acr_values: "1 2",
      max_age: "0",
      login_hint: "ada@example.com",
      ui_locales: "de en",
    });
  });

  test("adds to a step-up's address", async () => {
    const parameters = await target({ loginUrl: "/bff/login?acr_values=2&provider=main", returnTo: "/x" });
    expect(Object.fromEntries(parameters)).toEqual({ acr_values: "2", provider: "main", return_to: "/x" });
  });

  test.each([
    ["as long as may be", `/p?${"q".repeat(1_021)}`, `/p?${"q".repeat(1_021)}`],
    ["a fragment too long", `/p?q#${"f".repeat(1_020)}`, "/p?q"],
    ["a query too long", `/p?${"q".repeat(1_022)}`, "/p"],
    ["a path too long", `/${"p".repeat(1_024)}`, "/"],
    ["a path that reads as a host", "//evil.example/x", "/"],
  ])("%s", async (_, place, want) => {
    vi.stubGlobal("location", Object.assign(new URL(`https://app.example${place}`), { assign: browser.assign }));
    expect((await target()).get("return_to")).toBe(want);
  });

  test.each(["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])("not to %s", async (returnTo) => {
    await expect(openTab().login({ returnTo })).rejects.toThrow(TypeError);
    await expect(openTab().login({ returnTo, popup: true })).rejects.toThrow(TypeError);
    expect(browser.assign).not.toHaveBeenCalled();
  });

  test.each(["https://evil.example/bff/login", "/bff/logout", ""])("not by way of %j", async (loginUrl) => {
    await expect(openTab().login({ loginUrl })).rejects.toThrow(TypeError);
  });

  test("settles when the user comes back", async () => {
    const login = openTab().login();
    browser.event("pageshow", { persisted: false }); // the end of loading
    const early = await Promise.race([login.then(() => "settled"), settle()]);
    expect(early).toBeUndefined();
    browser.event("pageshow", { persisted: true });
    await login;
  });
});

describe("a call that finds nobody signed in", () => {
  test("throws by default", async () => {
    const error = await outcome(createClient({ fetch: cloakroom.fetch }).fetch("/api/orders"));
    expect(error).toBeInstanceOf(CloakroomError);
    expect(browser.open).not.toHaveBeenCalled();
    expect(browser.assign).not.toHaveBeenCalled();
  });

  test("redirects, once for ten calls, and not into a loop", async () => {
    const tab = openTab({ signIn: "redirect" });
    browser.go("/orders?page=2");
    const calls = Array.from({ length: 10 }, () => outcome(tab.fetch("/api/orders")));
    await settle();
    expect(browser.assign.mock.calls).toEqual([["/bff/login?return_to=%2Forders%3Fpage%3D2"]]);

    // Back with the browser's Back: the calls fail, and nothing waits for ever.
    browser.event("pageshow", { persisted: true });
    for (const error of await Promise.all(calls)) expect(error).toBeInstanceOf(CloakroomError);

    // Signed in, and still refused: the user must see something else than this.
    expect(await outcome(tab.fetch("/api/orders"))).toBeInstanceOf(CloakroomError);
    expect(browser.assign).toHaveBeenCalledTimes(1);
    browser.storage.set("cloakroom-login", String(Date.now() - 11_000));
    void outcome(tab.fetch("/api/orders"));
    await vi.waitFor(() => expect(browser.assign).toHaveBeenCalledTimes(2));
  });

  test("redirects although the browser keeps nothing", async () => {
    vi.stubGlobal("sessionStorage", undefined);
    void outcome(openTab().fetch("/api/orders", { signIn: "redirect" }));
    await vi.waitFor(() => expect(browser.assign).toHaveBeenCalledTimes(1));
  });

  test("doesn't overtake a sign-out", async () => {
    const tab = openTab({ signIn: "redirect" });
    cloakroom.signIn();
    void tab.logout();
    await vi.waitFor(() => expect(browser.assign).toHaveBeenCalledTimes(1));
    void outcome(tab.fetch("/api/orders"));
    await settle();
    expect(browser.assign.mock.calls).toEqual([["https://id.example/logout?x=1"]]);
  });

  test("is overtaken by a sign-out: single sign-on would bring the user straight back", async () => {
    const tab = openTab({ signIn: "redirect" });
    void outcome(tab.fetch("/api/orders"));
    await vi.waitFor(() => expect(browser.assign).toHaveBeenCalledTimes(1));
    cloakroom.signIn();
    void tab.logout();
    await vi.waitFor(() => expect(browser.assign).toHaveBeenCalledTimes(2));
    expect(browser.assign.mock.calls[1]).toEqual(["https://id.example/logout?x=1"]);
  });

  test("in the background it does nothing", async () => {
    const error = await outcome(openTab().fetch("/api/orders", { background: true }));
    expect(error).toBeInstanceOf(CloakroomError);
    expect(browser.open).not.toHaveBeenCalled();
  });
});
