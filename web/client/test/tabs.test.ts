// Several tabs: one stream per browser, whichever tab goes.

import { expect, test, vi } from "vitest";

import type { Session } from "../src/index.js";
import { FakeEventSource } from "./browser.js";
import { pass, quiet, useStand } from "./stand.js";

const stand = useStand();

test("share one stream, and all hear it", async () => {
  stand.cloakroom.signIn();
  const tabs = [await stand.openTab(), await stand.openTab(), await stand.openTab()];
  expect(FakeEventSource.all).toHaveLength(1);
  for (const tab of tabs) tab.told();
  FakeEventSource.last.send("renewed", stand.cloakroom.times() as Session);
  FakeEventSource.last.send("expiring", { limit: "absolute", expires_in: 60 });
  await quiet();
  for (const tab of tabs) expect(tab.told()).toEqual(["renewed", "expiring"]);
  stand.cloakroom.session = null;
  FakeEventSource.last.send("ended", { reason: "absolute", login_url: "/bff/login" });
  await quiet();
  for (const tab of tabs) expect(tab.events).toEqual([{ type: "ended", reason: "absolute", login_url: "/bff/login" }]);
  expect(stand.asked()).toBe(3); // each at its beginning
});

test("when the leader goes, another leads", async () => {
  stand.cloakroom.signIn();
  const tabs = [await stand.openTab(), await stand.openTab(), await stand.openTab()];
  for (const [i, tab] of tabs.slice(0, 2).entries()) {
    const stream = FakeEventSource.last;
    tab.close();
    await quiet();
    expect(stream.readyState).toBe(FakeEventSource.CLOSED);
    expect(FakeEventSource.live).toHaveLength(1);
    expect(FakeEventSource.all).toHaveLength(i + 2);
  }
  tabs[2]?.told();
  FakeEventSource.last.send("renewed", stand.cloakroom.times() as Session);
  await quiet();
  expect(tabs[2]?.told()).toEqual(["renewed"]);
});

test("who comes late hears the warning that holds, with the time that is left", async () => {
  stand.cloakroom.signIn();
  await stand.openTab();
  FakeEventSource.last.send("expiring", { limit: "idle", expires_in: 120 });
  await pass(30_000);
  const late = await stand.openTab();
  expect(late.events).toContainEqual({ type: "expiring", limit: "idle", expires_in: 90 });

  FakeEventSource.last.send("renewed", stand.cloakroom.times() as Session);
  await quiet();
  expect((await stand.openTab()).told()).toEqual(["state"]);

  FakeEventSource.last.send("expiring", { limit: "idle", expires_in: 120 });
  await pass(121_000); // it ought to be over
  expect((await stand.openTab()).told()).toEqual(["state"]);
});

test("a new tab after a sign-in by redirect wakes the others", async () => {
  const old = await stand.openTab();
  expect(old.told()).toEqual(["state"]);
  stand.cloakroom.signIn();
  await stand.openTab();
  expect(old.events).toEqual([{ type: "state", session: stand.cloakroom.times() }]);
  expect(FakeEventSource.live).toHaveLength(1);
});

test("a sign-in in a popup reaches all", async () => {
  const tabs = [await stand.openTab({ signIn: "popup" }), await stand.openTab()];
  for (const tab of tabs) tab.told();
  const call = tabs[0]?.client.fetch("/api/orders");
  await quiet();
  stand.cloakroom.signIn();
  const page = new BroadcastChannel("cloakroom");
  page.postMessage({ type: "signed-in" });
  page.close();
  await quiet();
  expect((await call)?.status).toBe(200);
  for (const tab of tabs) expect(new Set(tab.told())).toEqual(new Set(["state"]));
  expect(FakeEventSource.live).toHaveLength(1);
});

test("so does one that none of them began", async () => {
  const tabs = [await stand.openTab(), await stand.openTab()];
  for (const tab of tabs) tab.told();
  stand.cloakroom.signIn();
  const page = new BroadcastChannel("cloakroom");
  page.postMessage({ type: "signed-in" });
  page.close();
  await quiet();
  for (const tab of tabs) expect(tab.told()).toContain("state");
});

test("a call finds the session over, then the stream gives the reason", async () => {
  stand.cloakroom.signIn();
  const [leader, other] = [await stand.openTab(), await stand.openTab()];
  leader.told();
  other.told();
  stand.cloakroom.session = null;
  await other.client.fetch("/api/orders").catch(() => {});
  await vi.waitFor(() => expect(other.told()).toEqual(["ended"]));
  FakeEventSource.last.send("ended", { reason: "idle", login_url: "/bff/login" });
  await quiet();
  expect(leader.events.at(-1)).toMatchObject({ type: "ended", reason: "idle" });
  expect(other.events).toEqual([{ type: "ended", reason: "idle", login_url: "/bff/login" }]);
});

test("a sign-out in one ends all", async () => {
  stand.cloakroom.signIn();
  const [leader, other] = [await stand.openTab(), await stand.openTab()];
  leader.told();
  other.told();
  // The stream tells of it too, and faster.
  stand.cloakroom.answers.set("POST /bff/logout", () => {
    stand.cloakroom.session = null;
    FakeEventSource.last.send("ended", { reason: "logout", login_url: "/bff/login" });
    return Response.json({ logout_url: "/goodbye" });
  });
  void other.client.logout();
  await quiet();
  expect(stand.browser.assign.mock.calls).toEqual([["https://app.example/goodbye"]]);
  for (const tab of [leader, other]) expect(tab.events).toEqual([{ type: "ended", reason: "logout", login_url: "/bff/login" }]);
  expect(FakeEventSource.live).toEqual([]);
  stand.browser.event("pageshow", { persisted: true });
});

test("the other user is seen by all, after one stream", async () => {
  stand.cloakroom.signIn();
  const tabs = [await stand.openTab(), await stand.openTab()];
  await pass(10_000);
  for (const tab of tabs) tab.told();
  stand.cloakroom.signIn("bob");
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
  stand.cloakroom.signIn();
  const tabs = [await stand.openTab(), await stand.openTab()];
  expect(FakeEventSource.live).toHaveLength(2);
  for (const tab of tabs) tab.told();
  for (const source of FakeEventSource.all) source.send("renewed", stand.cloakroom.times() as Session);
  await quiet();
  for (const tab of tabs) expect(tab.told()).toEqual(["renewed"]);
});

test("messages of strangers on the channel do no harm", async () => {
  stand.cloakroom.signIn();
  const tab = await stand.openTab();
  const stranger = new BroadcastChannel("cloakroom");
  for (const message of [null, 7, "x", {}, { type: "other" }]) stranger.postMessage(message);
  stranger.close();
  await quiet();
  expect(tab.told()).toEqual(["state"]);
});
