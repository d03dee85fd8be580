// The session's events: one stream per browser, whichever tab goes.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { createClient, type Client, type Session, type SessionEvent } from "../src/index.js";
import "../src/watch.js"; // is there before the first subscription, whose import then takes no time
import { FakeEventSource, openBrowser, type Browser } from "./browser.js";
import { Cloakroom, problem } from "./cloakroom.js";

let cloakroom: Cloakroom;
let browser: Browser;
let open: (() => void)[] = [];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  cloakroom = new Cloakroom();
  browser = openBrowser();
  FakeEventSource.all = [];
  vi.stubGlobal("EventSource", FakeEventSource);
});

afterEach(() => {
  for (const close of open) close();
  open = [];
  vi.restoreAllMocks();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

interface Tab {
  client: Client;
  events: SessionEvent[];
  /** The types of the events, and forgets them. */
  told(): string[];
  close(): void;
}

async function openTab(options = {}): Promise<Tab> {
  const client = createClient({ fetch: cloakroom.fetch, ...options });
  const events: SessionEvent[] = [];
  const close = client.onSession((event) => events.push(event));
  open.push(close);
  await quiet();
  return { client, events, close, told: () => events.splice(0).map((e) => e.type) };
}

/** Waits until messages between tabs and answers have arrived. They take no time by the clock. */
async function quiet(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
}

async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  await quiet();
}

const asked = (): number => cloakroom.count("GET /bff/session");

describe("one tab", () => {
  test("signed out: the state, no stream, and silence", async () => {
    const tab = await openTab();
    expect(tab.events).toEqual([{ type: "state", session: { authenticated: false, login_url: "/bff/login" } }]);
    await pass(3_600_000);
    expect(FakeEventSource.all).toEqual([]);
    expect(asked()).toBe(1);
  });

  test("signed in: the state, and what the stream says", async () => {
    cloakroom.signIn();
    const tab = await openTab();
    expect(tab.events).toEqual([{ type: "state", session: cloakroom.times() }]);
    expect(FakeEventSource.all.map((s) => s.url)).toEqual(["/bff/events"]);
    tab.told();

    FakeEventSource.last.connect();
    FakeEventSource.last.send("expiring", { limit: "idle", expires_in: 120 });
    FakeEventSource.last.send("renewed", cloakroom.times() as Session);
    await quiet();
    expect(tab.events).toEqual([
      { type: "expiring", limit: "idle", expires_in: 120 },
      { type: "renewed", session: cloakroom.times() },
    ]);
    await pass(3_600_000);
    expect(asked()).toBe(1); // a stream that works needs no questions
  });

  test("ended: closed at once, and no knocking", async () => {
    cloakroom.signIn();
    const tab = await openTab();
    cloakroom.session = null;
    tab.told();
    FakeEventSource.last.send("ended", { reason: "operator", login_url: "/bff/login" });
    await pass(3_600_000);
    expect(tab.events).toEqual([{ type: "ended", reason: "operator", login_url: "/bff/login" }]);
    expect(FakeEventSource.live).toEqual([]);
    expect(FakeEventSource.all).toHaveLength(1);
    expect(asked()).toBe(1);
  });

  test("changed: the new state, and a new stream", async () => {
    cloakroom.signIn();
    const tab = await openTab();
    await pass(60_000);
    tab.told();
    cloakroom.signIn("bob");
    FakeEventSource.last.send("changed", {});
    await quiet();
    expect(tab.events).toEqual([{ type: "changed" }, { type: "state", session: cloakroom.times() }]);
    expect(FakeEventSource.live).toHaveLength(1);
    expect(FakeEventSource.all).toHaveLength(2);
  });

  test("a server that says changed each time is not asked faster than every 5 s", async () => {
    cloakroom.signIn();
    await openTab();
    for (let i = 0; i < 60; i++) {
      for (const source of FakeEventSource.live) source.send("changed", {});
      await pass(1_000);
    }
    expect(FakeEventSource.all.length).toBeLessThanOrEqual(13);
    expect(FakeEventSource.all.length).toBeGreaterThan(5);
  });

  test("a connection that is lost and found: what was missed is asked for", async () => {
    cloakroom.signIn();
    const tab = await openTab();
    FakeEventSource.last.connect();
    tab.told();
    FakeEventSource.last.lose();
    await pass(30_000);
    expect(tab.told()).toEqual([]);
    cloakroom.session = null;
    FakeEventSource.last.connect();
    await quiet();
    expect(tab.events).toEqual([{ type: "ended", reason: "unknown", login_url: "/bff/login" }]);
    expect(FakeEventSource.live).toEqual([]);
  });

  test("a stream that is refused: asking slowly, and the stream again", async () => {
    cloakroom.signIn();
    const tab = await openTab();
    for (let minute = 1; minute <= 10; minute++) {
      FakeEventSource.last.refuse();
      await pass(40_000);
      expect(FakeEventSource.all).toHaveLength(minute);
      await pass(20_000);
      expect(FakeEventSource.all).toHaveLength(minute + 1);
    }
    expect(asked()).toBeLessThanOrEqual(21);
    expect(new Set(tab.told())).toEqual(new Set(["state"]));
  });

  test("refused because it is over: no more streams", async () => {
    cloakroom.signIn();
    const tab = await openTab();
    cloakroom.session = null;
    FakeEventSource.last.refuse();
    await pass(3_600_000);
    expect(tab.told()).toEqual(["state", "ended"]);
    expect(FakeEventSource.all).toHaveLength(1);
    expect(asked()).toBe(2);
  });

  test("without EventSource: asks, warns, and sees the end and a change", async () => {
    vi.stubGlobal("EventSource", undefined);
    const session = cloakroom.signIn();
    const tab = await openTab();
    await pass(300_000);
    expect(asked()).toBe(6);
    expect(new Set(tab.told())).toEqual(new Set(["state"]));

    session.idle = 100;
    await pass(120_000);
    expect(tab.told()).toEqual(["state", "expiring", "state"]); // warned once
    cloakroom.signIn("bob");
    await pass(60_000);
    expect(tab.told()).toEqual(["changed", "state"]);
    cloakroom.session = null;
    await pass(60_000);
    expect(tab.told()).toEqual(["ended"]);
  });

  test("an outage says nothing about the session, and is not hammered", async () => {
    cloakroom.answers.set("GET /bff/session", () => problem(503, "unavailable", {}, { "Retry-After": "20" }));
    cloakroom.signIn();
    const tab = await openTab();
    await pass(19_000);
    expect(asked()).toBe(1);
    await pass(600_000);
    expect(tab.told()).toEqual([]);
    expect(asked()).toBeLessThan(30);
    cloakroom.answers.clear();
    await pass(60_000);
    expect(tab.told()).toEqual(["state"]);
  });

  test.each(["Infinity", "9999999999", "soon", "-1"])("a Retry-After of %s makes no hot loop", async (wait) => {
    cloakroom.answers.set("GET /bff/session", () => problem(503, "unavailable", {}, { "Retry-After": wait }));
    const tab = await openTab();
    await pass(599_000);
    expect(asked()).toBeLessThan(30);
    cloakroom.answers.clear();
    await pass(2_000 + 60_000);
    expect(tab.told()).toEqual(["state"]);
  });

  test("returning to the tab, or to the network, asks again", async () => {
    cloakroom.signIn();
    const tab = await openTab();
    browser.show("hidden");
    await quiet();
    expect(asked()).toBe(1);
    cloakroom.session = null;
    browser.show("visible");
    await quiet();
    expect(tab.told()).toEqual(["state", "ended"]);
    cloakroom.signIn();
    browser.event("online");
    await quiet();
    expect(tab.told()).toEqual(["state"]);
    await pass(5_000);
    expect(FakeEventSource.live).toHaveLength(1);
  });

  test("a call that finds the session over tells at once", async () => {
    cloakroom.signIn();
    const tab = await openTab();
    tab.told();
    const stream = FakeEventSource.last;
    cloakroom.session = null;
    await tab.client.fetch("/api/orders").catch(() => {});
    await quiet();
    expect(tab.events.splice(0)).toEqual([{ type: "ended", reason: "unknown", login_url: "/bff/login" }]);
    expect(stream.readyState).toBe(FakeEventSource.CLOSED);
  });

  test("an answer that was overtaken by an event is asked for again", async () => {
    cloakroom.signIn();
    const tab = await openTab();
    tab.told();
    const stale = Response.json(cloakroom.times());
    cloakroom.answers.set("GET /bff/session", async () => {
      cloakroom.answers.clear();
      cloakroom.session = null;
      FakeEventSource.last.send("ended", { reason: "idle", login_url: "/bff/login" });
      return stale;
    });
    browser.event("online");
    await quiet();
    expect(tab.events.at(-1)).toEqual({ type: "state", session: { authenticated: false, login_url: "/bff/login" } });
    expect(tab.told()).toEqual(["ended", "state"]);
    expect(FakeEventSource.live).toEqual([]);
  });

  test("renew and logout tell by themselves", async () => {
    cloakroom.signIn();
    const tab = await openTab();
    tab.told();
    await tab.client.renew();
    void tab.client.logout();
    await quiet();
    expect(tab.events.map((e) => [e.type, e.type === "ended" && e.reason])).toEqual([
      ["renewed", false],
      ["ended", "logout"],
    ]);
    browser.event("pageshow", { persisted: true });
  });

  test("asleep it holds nothing, and awake it asks", async () => {
    cloakroom.signIn();
    const tab = await openTab();
    for (const [down, up] of [
      ["pagehide", "pageshow"],
      ["freeze", "resume"],
    ] as const) {
      tab.told();
      browser.event(down);
      await quiet();
      expect(FakeEventSource.live).toEqual([]);
      expect(browser.locks.held("cloakroom-events")).toBe(false);
      cloakroom.signIn();
      browser.event(up, { persisted: true });
      await quiet();
      expect(tab.told()).toEqual(["changed", "state"]);
      await pass(5_000);
      expect(FakeEventSource.live).toHaveLength(1);
    }
  });

  test("stops when nobody listens, and begins again", async () => {
    cloakroom.signIn();
    const tab = await openTab();
    tab.told();
    FakeEventSource.last.send("renewed", cloakroom.times() as Session);
    tab.close();
    tab.close(); // twice is once
    await quiet();
    expect(tab.told()).toEqual([]);
    expect(FakeEventSource.live).toEqual([]);
    const heard: SessionEvent[] = [];
    const first = tab.client.onSession((e) => heard.push(e));
    first(); // before it has begun
    const second = tab.client.onSession((e) => heard.push(e));
    const third = tab.client.onSession(() => {});
    await quiet();
    expect(heard.map((e) => e.type)).toEqual(["state"]);
    const late: SessionEvent[] = [];
    const fourth = tab.client.onSession((e) => late.push(e));
    await quiet();
    expect(late.map((e) => e.type)).toEqual(["state"]);
    for (const stop of [third, second, fourth]) stop();
    expect(FakeEventSource.live).toEqual([]);
  });

  test("stops asking, too", async () => {
    vi.stubGlobal("EventSource", undefined);
    cloakroom.signIn();
    const tab = await openTab();
    expect(vi.getTimerCount()).toBe(1);
    tab.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("several tabs", () => {
  test("share one stream, and all hear it", async () => {
    cloakroom.signIn();
    const tabs = [await openTab(), await openTab(), await openTab()];
    expect(FakeEventSource.all).toHaveLength(1);
    for (const tab of tabs) tab.told();
    FakeEventSource.last.send("renewed", cloakroom.times() as Session);
    FakeEventSource.last.send("expiring", { limit: "absolute", expires_in: 60 });
    await quiet();
    for (const tab of tabs) expect(tab.told()).toEqual(["renewed", "expiring"]);
    cloakroom.session = null;
    FakeEventSource.last.send("ended", { reason: "absolute", login_url: "/bff/login" });
    await quiet();
    for (const tab of tabs) expect(tab.events).toEqual([{ type: "ended", reason: "absolute", login_url: "/bff/login" }]);
    expect(asked()).toBe(3); // each at its beginning
  });

  test("when the leader goes, another leads", async () => {
    cloakroom.signIn();
    const tabs = [await openTab(), await openTab(), await openTab()];
    for (const [i, tab] of tabs.slice(0, 2).entries()) {
      const stream = FakeEventSource.last;
      tab.close();
      await quiet();
      expect(stream.readyState).toBe(FakeEventSource.CLOSED);
      expect(FakeEventSource.live).toHaveLength(1);
      expect(FakeEventSource.all).toHaveLength(i + 2);
    }
    tabs[2]?.told();
    FakeEventSource.last.send("renewed", cloakroom.times() as Session);
    await quiet();
    expect(tabs[2]?.told()).toEqual(["renewed"]);
  });

  test("who comes late hears the warning that holds, with the time that is left", async () => {
    cloakroom.signIn();
    await openTab();
    FakeEventSource.last.send("expiring", { limit: "idle", expires_in: 120 });
    await pass(30_000);
    const late = await openTab();
    expect(late.events).toContainEqual({ type: "expiring", limit: "idle", expires_in: 90 });

    FakeEventSource.last.send("renewed", cloakroom.times() as Session);
    await quiet();
    expect((await openTab()).told()).toEqual(["state"]);

    FakeEventSource.last.send("expiring", { limit: "idle", expires_in: 120 });
    await pass(121_000); // it ought to be over
    expect((await openTab()).told()).toEqual(["state"]);
  });

  test("a new tab after a sign-in by redirect wakes the others", async () => {
    const old = await openTab();
    expect(old.told()).toEqual(["state"]);
    cloakroom.signIn();
    await openTab();
    expect(old.events).toEqual([{ type: "state", session: cloakroom.times() }]);
    expect(FakeEventSource.live).toHaveLength(1);
  });

  test("a sign-in in a popup reaches all", async () => {
    const tabs = [await openTab({ signIn: "popup" }), await openTab()];
    for (const tab of tabs) tab.told();
    const call = tabs[0]?.client.fetch("/api/orders");
    await quiet();
    cloakroom.signIn();
    const page = new BroadcastChannel("cloakroom");
    page.postMessage({ type: "signed-in" });
    page.close();
    await quiet();
    expect((await call)?.status).toBe(200);
    for (const tab of tabs) expect(new Set(tab.told())).toEqual(new Set(["state"]));
    expect(FakeEventSource.live).toHaveLength(1);
  });

  test("so does one that none of them began", async () => {
    const tabs = [await openTab(), await openTab()];
    for (const tab of tabs) tab.told();
    cloakroom.signIn();
    const page = new BroadcastChannel("cloakroom");
    page.postMessage({ type: "signed-in" });
    page.close();
    await quiet();
    for (const tab of tabs) expect(tab.told()).toContain("state");
  });

  test("a call finds the session over, then the stream gives the reason", async () => {
    cloakroom.signIn();
    const [leader, other] = [await openTab(), await openTab()];
    leader.told();
    other.told();
    cloakroom.session = null;
    await other.client.fetch("/api/orders").catch(() => {});
    await vi.waitFor(() => expect(other.told()).toEqual(["ended"]));
    FakeEventSource.last.send("ended", { reason: "idle", login_url: "/bff/login" });
    await quiet();
    expect(leader.events.at(-1)).toMatchObject({ type: "ended", reason: "idle" });
    expect(other.events).toEqual([{ type: "ended", reason: "idle", login_url: "/bff/login" }]);
  });

  test("a sign-out in one ends all", async () => {
    cloakroom.signIn();
    const [leader, other] = [await openTab(), await openTab()];
    leader.told();
    other.told();
    // The stream tells of it too, and faster.
    cloakroom.answers.set("POST /bff/logout", () => {
      cloakroom.session = null;
      FakeEventSource.last.send("ended", { reason: "logout", login_url: "/bff/login" });
      return Response.json({ logout_url: "/goodbye" });
    });
    void other.client.logout();
    await quiet();
    expect(browser.assign.mock.calls).toEqual([["https://app.example/goodbye"]]);
    for (const tab of [leader, other]) expect(tab.events).toEqual([{ type: "ended", reason: "logout", login_url: "/bff/login" }]);
    expect(FakeEventSource.live).toEqual([]);
    browser.event("pageshow", { persisted: true });
  });

  test("the other user is seen by all, after one stream", async () => {
    cloakroom.signIn();
    const tabs = [await openTab(), await openTab()];
    await pass(10_000);
    for (const tab of tabs) tab.told();
    cloakroom.signIn("bob");
    FakeEventSource.last.send("changed", {});
    await quiet();
    for (const tab of tabs) expect(tab.told()).toEqual(["changed", "state"]);
    expect(FakeEventSource.live).toHaveLength(1);
  });

  test.each([
    ["Web Locks", () => vi.stubGlobal("navigator", {})],
    ["BroadcastChannel", () => vi.stubGlobal("BroadcastChannel", undefined)],
    ["permission for locks", () => vi.stubGlobal("navigator", { locks: { request: () => Promise.reject(new Error("no")) } })],
  ])("without %s each has a stream of its own", async (_, take) => {
    take();
    cloakroom.signIn();
    const tabs = [await openTab(), await openTab()];
    expect(FakeEventSource.live).toHaveLength(2);
    for (const tab of tabs) tab.told();
    for (const source of FakeEventSource.all) source.send("renewed", cloakroom.times() as Session);
    await quiet();
    for (const tab of tabs) expect(tab.told()).toEqual(["renewed"]);
  });

  test("messages of strangers on the channel do no harm", async () => {
    cloakroom.signIn();
    const tab = await openTab();
    const stranger = new BroadcastChannel("cloakroom");
    for (const message of [null, 7, "x", {}, { type: "other" }]) stranger.postMessage(message);
    stranger.close();
    await quiet();
    expect(tab.told()).toEqual(["state"]);
  });
});

test("a callback that throws is not the next one's trouble", async () => {
  const thrown: unknown[] = [];
  const heard: string[] = [];
  const catchIt = (error: unknown): void => void thrown.push(error);
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", catchIt);
  const client = createClient({ fetch: cloakroom.fetch });
  open.push(client.onSession(() => {
    throw new Error("mine");
  }));
  open.push(client.onSession((e) => heard.push(e.type)));
  await quiet();
  process.off("uncaughtException", catchIt);
  for (const listener of others) process.on("uncaughtException", listener);
  expect(heard).toEqual(["state"]);
  expect(thrown).toEqual([new Error("mine")]);
});
