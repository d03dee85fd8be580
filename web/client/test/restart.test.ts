// The event stream over a real connection: through the server's close and restart.

import { EventSource } from "eventsource";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { createClient, type SessionEvent } from "../src/index.js";
import { openBrowser } from "./browser.js";
import { Cloakroom, Listening } from "./cloakroom.js";

let cloakroom: Cloakroom;
let server: Listening;
let events: SessionEvent[];
let stop: () => void;
let knocks = 0; // in vain

beforeEach(async () => {
  cloakroom = new Cloakroom();
  server = new Listening(cloakroom);
  await server.start();
  openBrowser(server.origin);
  // Addresses are the page's.
  vi.stubGlobal("EventSource", class extends EventSource {
    constructor(url: string) {
      super(new URL(url, location.origin));
      this.addEventListener("error", () => knocks++);
    }
  });
  events = [];
  cloakroom.signIn();
  const client = createClient({ fetch: (input, init) => fetch(new URL(String(input), location.href), init) });
  stop = client.onSession((event) => events.push(event));
});

afterEach(async () => {
  stop();
  await server.stop();
  vi.unstubAllGlobals();
});

const types = (): string[] => events.map((e) => e.type);
const streams = (n: number): Promise<void> => vi.waitFor(() => expect(server.streams.size).toBe(n), { timeout: 5_000 });

test("events arrive, also after the server closed the stream", async () => {
  await streams(1);
  server.send("expiring", { limit: "idle", expires_in: 60 });
  await vi.waitFor(() => expect(events).toContainEqual({ type: "expiring", limit: "idle", expires_in: 60 }));
  server.end();
  await vi.waitFor(() => expect(cloakroom.count("GET /bff/events")).toBe(2));
  await streams(1);
  server.send("renewed", cloakroom.times() ?? {});
  await vi.waitFor(() => expect(types()).toContain("renewed"));
  expect(types()).not.toContain("ended");
});

test("a restart signs nobody out, and an end that was missed is noticed", async () => {
  for (let i = 0; i < 2; i++) {
    await streams(1);
    await server.stop();
    const before = knocks;
    await vi.waitFor(() => expect(knocks).toBeGreaterThan(before + 1));
    expect(types()).not.toContain("ended");
    if (i === 1) cloakroom.session = null;
    await server.start();
  }
  await vi.waitFor(() => expect(types().at(-1)).toBe("ended"), { timeout: 5_000 });
  await streams(0);
});
