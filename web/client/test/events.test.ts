// What one tab is told of its session, and how often it asks.

import { expect, test, vi } from "vitest";

import { createClient, type Session, type SessionEvent } from "../src/index.js";
import { FakeEventSource } from "./browser.js";
import { problem } from "./cloakroom.js";
import { pass, quiet, useStand } from "./stand.js";

const stand = useStand();

test("signed out: the state, no stream, and silence", async () => {
  const tab = await stand.openTab();
  expect(tab.events).toEqual([{ type: "state", session: { authenticated: false, login_url: "/bff/login" } }]);
  await pass(3_600_000);
  expect(FakeEventSource.all).toEqual([]);
  expect(stand.asked()).toBe(1);
});

test("signed in: the state, and what the stream says", async () => {
  stand.cloakroom.signIn();
  const tab = await stand.openTab();
  expect(tab.events).toEqual([{ type: "state", session: stand.cloakroom.times() }]);
  expect(FakeEventSource.all.map((s) => s.url)).toEqual(["/bff/events"]);
  tab.told();

  FakeEventSource.last.connect();
  FakeEventSource.last.send("expiring", { limit: "idle", expires_in: 120 });
  FakeEventSource.last.send("renewed", stand.cloakroom.times() as Session);
  await quiet();
  expect(tab.events).toEqual([
    { type: "expiring", limit: "idle", expires_in: 120 },
    { type: "renewed", session: stand.cloakroom.times() },
  ]);
  await pass(3_600_000);
  expect(stand.asked()).toBe(1); // a stream that works needs no questions
});

test("ended: closed at once, and no knocking", async () => {
  stand.cloakroom.signIn();
  const tab = await stand.openTab();
  stand.cloakroom.session = null;
  tab.told();
  FakeEventSource.last.send("ended", { reason: "operator", login_url: "/bff/login" });
  await pass(3_600_000);
  expect(tab.events).toEqual([{ type: "ended", reason: "operator", login_url: "/bff/login" }]);
  expect(FakeEventSource.live).toEqual([]);
  expect(FakeEventSource.all).toHaveLength(1);
  expect(stand.asked()).toBe(1);
});

test("changed: the new state, and a new stream", async () => {
  stand.cloakroom.signIn();
  const tab = await stand.openTab();
  await pass(60_000);
  tab.told();
  stand.cloakroom.signIn("bob");
  FakeEventSource.last.send("changed", {});
  await quiet();
  expect(tab.events).toEqual([{ type: "changed" }, { type: "state", session: stand.cloakroom.times() }]);
  expect(FakeEventSource.live).toHaveLength(1);
  expect(FakeEventSource.all).toHaveLength(2);
});

test("a server that says changed each time is not asked faster than every 5 s", async () => {
  stand.cloakroom.signIn();
  await stand.openTab();
  for (let i = 0; i < 60; i++) {
    for (const source of FakeEventSource.live) source.send("changed", {});
    await pass(1_000);
  }
  expect(FakeEventSource.all.length).toBeLessThanOrEqual(13);
  expect(FakeEventSource.all.length).toBeGreaterThan(5);
});

test("a connection that is lost and found: what was missed is asked for", async () => {
  stand.cloakroom.signIn();
  const tab = await stand.openTab();
  FakeEventSource.last.connect();
  tab.told();
  FakeEventSource.last.lose();
  await pass(30_000);
  expect(tab.told()).toEqual([]);
  stand.cloakroom.session = null;
  FakeEventSource.last.connect();
  await quiet();
  expect(tab.events).toEqual([{ type: "ended", reason: "unknown", login_url: "/bff/login" }]);
  expect(FakeEventSource.live).toEqual([]);
});

test("a stream that is refused: asking slowly, and the stream again", async () => {
  stand.cloakroom.signIn();
  const tab = await stand.openTab();
  for (let minute = 1; minute <= 10; minute++) {
    FakeEventSource.last.refuse();
    await pass(40_000);
    expect(FakeEventSource.all).toHaveLength(minute);
    await pass(20_000);
    expect(FakeEventSource.all).toHaveLength(minute + 1);
  }
  expect(stand.asked()).toBeLessThanOrEqual(21);
  expect(new Set(tab.told())).toEqual(new Set(["state"]));
});

test("refused because it is over: no more streams", async () => {
  stand.cloakroom.signIn();
  const tab = await stand.openTab();
  stand.cloakroom.session = null;
  FakeEventSource.last.refuse();
  await pass(3_600_000);
  expect(tab.told()).toEqual(["state", "ended"]);
  expect(FakeEventSource.all).toHaveLength(1);
  expect(stand.asked()).toBe(2);
});

test("without EventSource: asks, warns, and sees the end and a change", async () => {
  vi.stubGlobal("EventSource", undefined);
  const session = stand.cloakroom.signIn();
  const tab = await stand.openTab();
  await pass(300_000);
  expect(stand.asked()).toBe(6);
  expect(new Set(tab.told())).toEqual(new Set(["state"]));

  session.idle = 100;
  await pass(120_000);
  expect(tab.told()).toEqual(["state", "expiring", "state"]); // warned once
  stand.cloakroom.signIn("bob");
  await pass(60_000);
  expect(tab.told()).toEqual(["changed", "state"]);
  stand.cloakroom.session = null;
  await pass(60_000);
  expect(tab.told()).toEqual(["ended"]);
});

test("an outage says nothing about the session, and is not hammered", async () => {
  stand.cloakroom.answers.set("GET /bff/session", () => problem(503, "unavailable", {}, { "Retry-After": "20" }));
  stand.cloakroom.signIn();
  const tab = await stand.openTab();
  await pass(19_000);
  expect(stand.asked()).toBe(1);
  await pass(600_000);
  expect(tab.told()).toEqual([]);
  expect(stand.asked()).toBeLessThan(30);
  stand.cloakroom.answers.clear();
  await pass(60_000);
  expect(tab.told()).toEqual(["state"]);
});

test.each(["Infinity", "9999999999", "soon", "-1"])("a Retry-After of %s makes no hot loop", async (wait) => {
  stand.cloakroom.answers.set("GET /bff/session", () => problem(503, "unavailable", {}, { "Retry-After": wait }));
  const tab = await stand.openTab();
  await pass(599_000);
  expect(stand.asked()).toBeLessThan(30);
  stand.cloakroom.answers.clear();
  await pass(2_000 + 60_000);
  expect(tab.told()).toEqual(["state"]);
});

test("returning to the tab, or to the network, asks again", async () => {
  stand.cloakroom.signIn();
  const tab = await stand.openTab();
  stand.browser.show("hidden");
  await quiet();
  expect(stand.asked()).toBe(1);
  stand.cloakroom.session = null;
  stand.browser.show("visible");
  await quiet();
  expect(tab.told()).toEqual(["state", "ended"]);
  stand.cloakroom.signIn();
  stand.browser.event("online");
  await quiet();
  expect(tab.told()).toEqual(["state"]);
  await pass(5_000);
  expect(FakeEventSource.live).toHaveLength(1);
});

test("a call that finds the session over tells at once", async () => {
  stand.cloakroom.signIn();
  const tab = await stand.openTab();
  tab.told();
  const stream = FakeEventSource.last;
  stand.cloakroom.session = null;
  await tab.client.fetch("/api/orders").catch(() => {});
  await quiet();
  expect(tab.events.splice(0)).toEqual([{ type: "ended", reason: "unknown", login_url: "/bff/login" }]);
  expect(stream.readyState).toBe(FakeEventSource.CLOSED);
});

test("an answer that was overtaken by an event is asked for again", async () => {
  stand.cloakroom.signIn();
  const tab = await stand.openTab();
  tab.told();
  const stale = Response.json(stand.cloakroom.times());
  stand.cloakroom.answers.set("GET /bff/session", async () => {
    stand.cloakroom.answers.clear();
    stand.cloakroom.session = null;
    FakeEventSource.last.send("ended", { reason: "idle", login_url: "/bff/login" });
    return stale;
  });
  stand.browser.event("online");
  await quiet();
  expect(tab.events.at(-1)).toEqual({ type: "state", session: { authenticated: false, login_url: "/bff/login" } });
  expect(tab.told()).toEqual(["ended", "state"]);
  expect(FakeEventSource.live).toEqual([]);
});

test("renew and logout tell by themselves", async () => {
  stand.cloakroom.signIn();
  const tab = await stand.openTab();
  tab.told();
  await tab.client.renew();
  void tab.client.logout();
  await quiet();
  expect(tab.events.map((e) => [e.type, e.type === "ended" && e.reason])).toEqual([
    ["renewed", false],
    ["ended", "logout"],
  ]);
  stand.browser.event("pageshow", { persisted: true });
});

test("asleep it holds nothing, and awake it asks", async () => {
  stand.cloakroom.signIn();
  const tab = await stand.openTab();
  for (const [down, up] of [
    ["pagehide", "pageshow"],
    ["freeze", "resume"],
  ] as const) {
    tab.told();
    stand.browser.event(down);
    await quiet();
    expect(FakeEventSource.live).toEqual([]);
    expect(stand.browser.locks.held("cloakroom-events")).toBe(false);
    stand.cloakroom.signIn();
    stand.browser.event(up, { persisted: true });
    await quiet();
    expect(tab.told()).toEqual(["changed", "state"]);
    await pass(5_000);
    expect(FakeEventSource.live).toHaveLength(1);
  }
});

test("stops when nobody listens, and begins again", async () => {
  stand.cloakroom.signIn();
  const tab = await stand.openTab();
  tab.told();
  FakeEventSource.last.send("renewed", stand.cloakroom.times() as Session);
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
  stand.browser.event("pageshow", { persisted: true });
  await quiet();
  expect(FakeEventSource.live).toEqual([]);
});

test("stops asking, too", async () => {
  vi.stubGlobal("EventSource", undefined);
  stand.cloakroom.signIn();
  const tab = await stand.openTab();
  expect(vi.getTimerCount()).toBe(1);
  tab.close();
  expect(vi.getTimerCount()).toBe(0);
});

test("a callback that throws is not the next one's trouble", async () => {
  const thrown: unknown[] = [];
  const heard: string[] = [];
  const catchIt = (error: unknown): void => void thrown.push(error);
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", catchIt);
  const client = createClient({ fetch: stand.cloakroom.fetch });
  stand.atEnd(client.onSession(() => {
    throw new Error("mine");
  }));
  stand.atEnd(client.onSession((e) => heard.push(e.type)));
  await quiet();
  process.off("uncaughtException", catchIt);
  for (const listener of others) process.on("uncaughtException", listener);
  expect(heard).toEqual(["state"]);
  expect(thrown).toEqual([new Error("mine")]);
});
