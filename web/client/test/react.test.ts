// @vitest-environment happy-dom

import { act, createElement, StrictMode, type ReactNode } from "react";
import { createRoot, hydrateRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { createClient, type Client } from "../src/index.js";
import { CloakroomProvider, useSession, type UseSession } from "../src/react.js";
import { FakeEventSource, Locks } from "./browser.js";
import { Cloakroom, problem } from "./cloakroom.js";

let cloakroom: Cloakroom;
let client: Client;
let root: Root | undefined;
let box: HTMLElement;
let seen: string[];
let last: UseSession;

beforeEach(() => {
  vi.stubGlobal("IS_REACT_ACT_ENVIRONMENT", true);
  vi.stubGlobal("EventSource", FakeEventSource);
  Object.defineProperty(navigator, "locks", { value: new Locks(), configurable: true });
  FakeEventSource.all = [];
  cloakroom = new Cloakroom();
  client = createClient({ fetch: cloakroom.fetch });
  box = document.createElement("div");
  seen = [];
});

afterEach(async () => {
  await act(async () => root?.unmount());
  root = undefined;
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** A component that says what it sees. */
function Greeting(): ReactNode {
  const s = useSession();
  last = s;
  const text = s.status === "signed-in" ? `Hello ${s.user.sub}${s.expiring ? ` (${s.expiring.limit})` : ""}` : s.status;
  if (seen.at(-1) !== text) seen.push(text);
  return text;
}

const app = (): ReactNode =>
  createElement(StrictMode, null, createElement(CloakroomProvider<{ name?: string }>, { client, children: createElement(Greeting) }));

async function show(): Promise<void> {
  root = createRoot(box);
  await act(async () => root?.render(app()));
}

/** Waits until check holds, with React at work. */
async function until(check: () => void): Promise<void> {
  for (const start = Date.now(); ; ) {
    try {
      return check();
    } catch (error) {
      if (Date.now() - start > 5_000) throw error;
      await act(async () => void (await new Promise((resolve) => setTimeout(resolve, 5))));
    }
  }
}

const says = (text: string): Promise<void> => until(() => expect(box.textContent).toBe(text));

describe("useSession", () => {
  test("signed out", async () => {
    await show();
    await says("signed-out");
    expect(seen).toEqual(["loading", "signed-out"]);
    expect(last.endReason).toBeNull();
  });

  test("signed in, without a flicker on the way", async () => {
    cloakroom.signIn();
    await show();
    await says("Hello ada");
    expect(seen).toEqual(["loading", "Hello ada"]);
    expect(last.client).toBe(client);
    expect(last.session?.session.idle_expires_in).toBe(1800);
  });

  test("the whole story", async () => {
    cloakroom.signIn();
    await show();
    await says("Hello ada");
    const stream = FakeEventSource.last;
    await act(async () => stream.send("expiring", { limit: "idle", expires_in: 90 }));
    await says("Hello ada (idle)");
    expect(last.expiring?.at).toBeGreaterThan(Date.now() + 80_000);
    await act(async () => void (await last.renew()));
    await says("Hello ada");

    cloakroom.signIn("bob");
    await act(async () => stream.send("changed", {}));
    await says("Hello bob");

    cloakroom.session = null;
    await act(async () => window.dispatchEvent(new Event("online")));
    await says("signed-out");
    expect(last.endReason).toBe("unknown");
    expect(seen).toEqual(["loading", "Hello ada", "Hello ada (idle)", "Hello ada", "Hello bob", "signed-out"]);
  });

  test("a warning holds until there is more time", async () => {
    const session = cloakroom.signIn();
    await show();
    await says("Hello ada");
    await act(async () => FakeEventSource.last.send("expiring", { limit: "idle", expires_in: 90 }));
    session.idle = 80;
    await act(async () => window.dispatchEvent(new Event("online")));
    await until(() => expect(last.session?.session.idle_expires_in).toBe(80));
    expect(last.expiring?.limit).toBe("idle");
    session.idle = 1800;
    await act(async () => window.dispatchEvent(new Event("online")));
    await says("Hello ada");
  });

  test("a step-up shows, though the session began when it did", async () => {
    const session = cloakroom.signIn();
    await show();
    await says("Hello ada");
    session.acr = "2";
    await act(async () => FakeEventSource.last.send("changed", {}));
    await until(() => expect(last.user?.bff.acr).toBe("2"));
    expect(seen).toEqual(["loading", "Hello ada"]);
  });

  test("an answer about the user before comes too late", async () => {
    const before = cloakroom.signIn();
    let answer = (_: Response): void => {};
    cloakroom.answers.set("GET /bff/user", () => new Promise<Response>((resolve) => (answer = resolve)));
    await show();
    await until(() => expect(cloakroom.count("GET /bff/user")).toBeGreaterThan(0));
    cloakroom.answers.clear();
    cloakroom.signIn("bob");
    await act(async () => window.dispatchEvent(new Event("online")));
    await says("Hello bob");
    await act(async () => answer(Response.json(cloakroom.user(before))));
    await until(() => expect(seen).toEqual(["loading", "Hello bob"]));
    expect(box.textContent).toBe("Hello bob");
  });

  test("a server that can't tell now is loading, not signed out", async () => {
    cloakroom.signIn();
    cloakroom.answers.set("GET /bff/user", () => problem(503, "unavailable", {}, { "Retry-After": "1" }));
    await show();
    await until(() => expect(last.status === "loading" && last.error).toMatchObject({ code: "unavailable" }));
    cloakroom.answers.clear();
    await says("Hello ada");
    expect(seen).toEqual(["loading", "Hello ada"]);
  });

  test("another client is another session", async () => {
    cloakroom.signIn();
    await show();
    await says("Hello ada");
    const other = new Cloakroom();
    other.signIn("eve");
    client = createClient({ fetch: other.fetch });
    await act(async () => root?.render(app()));
    await says("Hello eve");
  });

  test("gone with the component, nothing is left", async () => {
    cloakroom.signIn();
    await show();
    await says("Hello ada");
    await act(async () => root?.unmount());
    expect(FakeEventSource.live).toEqual([]);
  });

  test("on a server it is loading, and the browser takes over", async () => {
    const html = renderToString(app());
    expect(html).toContain("loading");
    expect(cloakroom.calls).toEqual([]);
    cloakroom.signIn();
    box.innerHTML = html;
    const complaints = vi.spyOn(console, "error").mockImplementation(() => {});
    await act(async () => void (root = hydrateRoot(box, app())));
    await says("Hello ada");
    expect(complaints).not.toHaveBeenCalled();
    complaints.mockRestore();
  });

  test("outside of a provider it says so", () => {
    expect(() => renderToString(createElement(Greeting))).toThrow("CloakroomProvider");
  });
});
