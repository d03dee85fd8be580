// The pages that the tests of events open, and their clock.

import { afterEach, beforeEach, vi } from "vitest";

import { createClient, type Client, type Options, type SessionEvent } from "../src/index.js";
import "../src/watch.js"; // is there before the first subscription, whose import then takes no time
import { FakeEventSource, openBrowser, type Browser } from "./browser.js";
import { Cloakroom } from "./cloakroom.js";

/** The server and the browser of one test. */
export interface Stand {
  cloakroom: Cloakroom;
  browser: Browser;
  /** Opens a tab: a client of its own, subscribed. */
  openTab(options?: Options): Promise<Tab>;
  /** Has stop called at the end. */
  atEnd(stop: () => void): void;
  /** How often the server was asked for the session. */
  asked(): number;
}

/** One page. */
export interface Tab {
  client: Client;
  events: SessionEvent[];
  /** The types of the events, and forgets them. */
  told(): string[];
  close(): void;
}

/** Gives each test of the file a new stand, whose clock moves by pass alone. */
export function useStand(): Stand {
  let stops: (() => void)[] = [];
  const stand = {} as Stand;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date"] });
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    stand.cloakroom = new Cloakroom();
    stand.browser = openBrowser();
    FakeEventSource.all = [];
    vi.stubGlobal("EventSource", FakeEventSource);
  });
  afterEach(() => {
    for (const stop of stops) stop();
    stops = [];
    stand.browser.event("pageshow", { persisted: true }); // so that the next test may leave the page
    vi.restoreAllMocks();
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
  stand.atEnd = (stop) => void stops.push(stop);
  stand.asked = () => stand.cloakroom.count("GET /bff/session");
  stand.openTab = async (options = {}) => {
    const client = createClient({ fetch: stand.cloakroom.fetch, ...options });
    const events: SessionEvent[] = [];
    const close = client.onSession((event) => events.push(event));
    stand.atEnd(close);
    await quiet();
    return { client, events, close, told: () => events.splice(0).map((e) => e.type) };
  };
  return stand;
}

/** Waits until messages between tabs and answers have arrived. They take no time by the clock. */
export async function quiet(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets ms go by. */
export async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  await quiet();
}
