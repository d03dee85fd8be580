import { channelName, keyOf, type Message } from "./channel.js";
import type { CloakroomError } from "./error.js";
import { createStream, type Stream } from "./stream.js";
import type { NoSession, Session, SessionEvent, SessionTimes } from "./types.js";

/** Held by the tab that has the event stream. */
const lockName = "cloakroom-events";

/** However long a server asks to wait, in ms. Timers take no more than 24 days. */
const longestWait = 600_000;

/** Without a stream the warning comes when less is left, in seconds. */
const warnAt = 120;

/** Follows the session of this browser. */
export interface Watch {
  /** Calls back with the state soon, and with every event from then on. Returns how to stop. */
  subscribe(callback: (event: SessionEvent) => void): () => void;
  /** Asks the server again, since something may have happened. */
  recheck(): void;
  /** Asks again if the session is thought to be alive: a call has found that it isn't. */
  doubt(): void;
  /** Tells all tabs what this one did. */
  tell(event: SessionEvent): void;
}

/** Makes a Watch, which does nothing while nobody has subscribed. load asks the server. */
export function createWatch(base: string, load: () => Promise<Session>): Watch {
  const callbacks = new Set<(event: SessionEvent) => void>();
  let known: Session | undefined;
  let endedBy: string | undefined; // the reason that was told, while signed out
  let warning: (SessionEvent & { type: "expiring" }) | undefined;
  let warned = 0; // when, in ms
  let news = 0; // counts what was learnt: an answer that was asked for before is stale
  let checking = false;
  let failures = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let channel: BroadcastChannel | undefined;
  let stream: Stream | undefined; // while this tab leads
  let stop: (() => void) | undefined; // while running
  let finish: (() => void) | undefined; // while somebody has subscribed

  const running = (): boolean => stop !== undefined;
  const post = (message: Message): void => channel?.postMessage(message);

  function later(ms: number | undefined): void {
    clearTimeout(timer);
    if (ms !== undefined) timer = setTimeout(check, ms);
  }

  function arrange(): void {
    if (known) later(stream?.arrange(known.authenticated));
  }

  /** Takes event for true and tells this tab. */
  function apply(event: SessionEvent): void {
    news++;
    if (event.type === "ended") {
      // The reason may come by the stream after a call has found the session over.
      if (known?.authenticated === false && (endedBy !== "unknown" || event.reason === endedBy)) return;
      known = { authenticated: false, login_url: event.login_url };
      endedBy = event.reason;
    } else if (event.type === "changed") {
      known = undefined;
    } else if (event.type !== "expiring") {
      known = event.session;
      if (known.authenticated) endedBy = undefined;
    }
    if (event.type === "expiring") {
      warning = event;
      warned = Date.now();
    } else if (event.type !== "state") {
      warning = undefined;
    }
    // In tasks of their own: a callback's error is not the next one's.
    for (const callback of callbacks) queueMicrotask(() => callbacks.has(callback) && callback(event));
  }

  function take(event: SessionEvent): void {
    apply(event);
    if (event.type === "changed") recheck();
    arrange();
  }

  function tell(event: SessionEvent): void {
    take(event);
    post({ type: "event", event });
  }

  /** Takes the server's answer, and tells what it means after what was known. */
  function learn(session: Session): void {
    const before = known && keyOf(known);
    const key = keyOf(session);
    if (before && !key) {
      apply({ type: "ended", reason: "unknown", login_url: (session as NoSession).login_url });
    } else {
      if (before && before !== key) apply({ type: "changed" });
      apply({ type: "state", session });
    }
    if (before !== key) post({ type: "state", key });
    arrange();
    if (session.authenticated && stream && !stream.open()) warn(session.session);
  }

  /** Warns as the stream would, were there one. */
  function warn({ idle_expires_in: idle, absolute_expires_in: absolute }: SessionTimes): void {
    const left = Math.min(idle, absolute);
    if (left > warnAt) warning = undefined;
    else if (!warning) tell({ type: "expiring", limit: idle < absolute ? "idle" : "absolute", expires_in: left });
  }

  async function check(): Promise<void> {
    if (checking || !running()) return;
    checking = true;
    try {
      let session: Session;
      let asked: number;
      do {
        asked = news;
        session = await load();
      } while (asked !== news);
      failures = 0;
      checking = false;
      if (running()) learn(session);
    } catch (error) {
      checking = false;
      // Not known now, which says nothing about the session.
      const backoff = Math.min(2_500 * 2 ** failures++, 30_000) * (1 + Math.random());
      const told = ((error as Partial<CloakroomError> | null)?.retryAfter ?? 0) * 1_000;
      if (running()) later(Math.min(Math.max(told, backoff), longestWait));
    }
  }

  function recheck(): void {
    news++;
    void check();
  }

  function hear({ data }: MessageEvent<Message | null>): void {
    if (data?.type === "event") take(data.event);
    else if (data?.type === "signed-in") recheck();
    else if (data?.type === "state") {
      if (known && keyOf(known) !== data.key) recheck();
      const left = warning && Math.round(warning.expires_in - (Date.now() - warned) / 1_000);
      if (stream && warning && left && left > 0) post({ type: "event", event: { ...warning, expires_in: left } });
    }
  }

  function start(): void {
    if (stop) return;
    const over = new AbortController();
    const { signal } = over;
    if (globalThis.BroadcastChannel) {
      channel = new BroadcastChannel(channelName);
      channel.onmessage = hear;
    }
    stop = () => {
      stop = undefined;
      over.abort();
      later(undefined);
      stream?.close();
      channel?.close();
      stream = channel = undefined;
    };
    const lead = (heard: (event: SessionEvent) => void): void => {
      stream = createStream(base, heard, recheck);
      arrange();
    };
    const { locks } = navigator;
    if (channel && locks) {
      const held = new Promise<void>((release) => signal.addEventListener("abort", () => release()));
      locks
        .request(lockName, { signal }, () => (lead(tell), held))
        .catch(() => signal.aborted || stream || lead(take));
    } else {
      lead(take);
    }
    void check();
  }

  /** Follows the page's life. One that is asleep must not lead: the others would hear nothing. */
  function begin(): () => void {
    const over = new AbortController();
    const on = (target: EventTarget, type: string, then: () => void) =>
      target.addEventListener(type, then, { signal: over.signal });
    const sleep = (): void => stop?.();
    on(window, "pagehide", sleep);
    on(window, "pageshow", start);
    on(document, "freeze", sleep);
    on(document, "resume", start);
    on(window, "online", recheck);
    on(document, "visibilitychange", () => document.visibilityState === "visible" && recheck());
    start();
    return () => {
      over.abort();
      sleep();
      known = endedBy = warning = undefined;
    };
  }

  return {
    recheck,
    tell,
    doubt() {
      if (known?.authenticated) recheck();
    },
    subscribe(callback) {
      const own = (event: SessionEvent): void => callback(event);
      callbacks.add(own);
      if (callbacks.size === 1) finish = begin();
      else void check();
      return () => {
        if (callbacks.delete(own) && !callbacks.size) finish?.();
      };
    },
  };
}
