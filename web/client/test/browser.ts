import { setMaxListeners } from "node:events";

import { vi, type Mock } from "vitest";

/** Web Locks, as all tabs of one browser share them. */
export class Locks {
  #held = new Map<string, number>();
  #waiting: { name: string; begin: () => void }[] = [];

  /** How many tabs wait for name. */
  waiting(name: string): number {
    return this.#waiting.filter((w) => w.name === name).length;
  }

  held(name: string): boolean {
    return this.#held.has(name);
  }

  async request(name: string, options: LockOptions, callback: (lock: Lock | null) => unknown): Promise<unknown> {
    options.signal?.throwIfAborted();
    await null; // never at once
    options.signal?.throwIfAborted();
    if (this.#held.has(name)) {
      if (options.ifAvailable) return callback(null);
      await this.#turn(name, options.signal);
    }
    this.#held.set(name, 1);
    try {
      return await callback({ name, mode: "exclusive" });
    } finally {
      this.#held.delete(name);
      const next = this.#waiting.findIndex((w) => w.name === name);
      if (next >= 0) this.#waiting.splice(next, 1)[0]?.begin();
    }
  }

  #turn(name: string, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const entry = { name, begin: resolve };
      this.#waiting.push(entry);
      signal?.addEventListener("abort", () => {
        const place = this.#waiting.indexOf(entry);
        if (place < 0) return; // it has its turn: the signal is no longer of interest
        this.#waiting.splice(place, 1);
        reject(signal.reason);
      });
    });
  }
}

/**
 * Forgets listeners when their signal is aborted, as browsers do. Node's own holds
 * weakly what would do that, and may lose it.
 */
class Target extends EventTarget {
  override addEventListener(type: string, listener: EventListener | null, options: AddEventListenerOptions = {}): void {
    const { signal, ...rest } = options;
    super.addEventListener(type, listener, rest);
    signal?.addEventListener("abort", () => this.removeEventListener(type, listener));
  }
}

/** What a page sees of its browser, as far as the client looks. */
export interface Browser {
  locks: Locks;
  open: Mock<(url: string, target: string, features: string) => object | null>;
  assign: Mock<(url: string) => void>;
  storage: Map<string, string>;
  /** Whether the user has just clicked. */
  click(active: boolean): void;
  /** Dispatches an event on window, or on document for what belongs there. */
  event(type: string, fields?: object): void;
  show(state: "visible" | "hidden"): void;
  go(path: string): void;
}

/**
 * Gives the test the globals of a page at origin. Clients share them as tabs share
 * a browser; channels are Node's own.
 */
export function openBrowser(origin = "https://app.example"): Browser {
  const onDocument = ["visibilitychange", "freeze", "resume"];
  const windowTarget = new Target();
  setMaxListeners(100, windowTarget);
  const documentTarget = new Target();
  const open: Browser["open"] = vi.fn(() => ({}));
  const assign: Browser["assign"] = vi.fn();
  const storage = new Map<string, string>();
  const locks = new Locks();
  const activation = { isActive: false };

  vi.stubGlobal("window", Object.assign(windowTarget, { open }));
  vi.stubGlobal("document", Object.assign(documentTarget, { visibilityState: "visible" }));
  vi.stubGlobal("navigator", { locks, userActivation: activation });
  vi.stubGlobal("sessionStorage", {
    getItem: (key: string) => storage.get(key) ?? null,
    setItem: (key: string, value: string) => storage.set(key, value),
  });
  const browser: Browser = {
    locks,
    open,
    assign,
    storage,
    click: (active) => void (activation.isActive = active),
    event(type, fields = {}) {
      const target = onDocument.includes(type) ? documentTarget : windowTarget;
      target.dispatchEvent(Object.assign(new Event(type), fields));
    },
    show(state) {
      Object.assign(documentTarget, { visibilityState: state });
      browser.event("visibilitychange");
    },
    go(path) {
      const { href, pathname, search, hash } = new URL(path, origin);
      vi.stubGlobal("location", { origin, href, pathname, search, hash, assign });
    },
  };
  browser.go("/");
  return browser;
}

/** An EventSource that the test answers for. */
export class FakeEventSource extends EventTarget {
  static readonly CLOSED = 2;
  /** All that were opened, the oldest first. */
  static all: FakeEventSource[] = [];
  static get live(): FakeEventSource[] {
    return FakeEventSource.all.filter((s) => s.readyState !== FakeEventSource.CLOSED);
  }
  static get last(): FakeEventSource {
    const last = FakeEventSource.all.at(-1);
    if (!last) throw new Error("no stream was opened");
    return last;
  }

  readyState = 0;
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  constructor(readonly url: string) {
    super();
    FakeEventSource.all.push(this);
  }

  close(): void {
    this.readyState = FakeEventSource.CLOSED;
  }

  /** The server answers, or the connection is there again. */
  connect(): void {
    this.readyState = 1;
    this.onopen?.();
  }

  /** The connection is lost: the browser tries again. */
  lose(): void {
    this.readyState = 0;
    this.onerror?.();
  }

  /** The server refuses: the browser gives up. */
  refuse(): void {
    this.readyState = FakeEventSource.CLOSED;
    this.onerror?.();
  }

  send(type: string, data: object): void {
    this.dispatchEvent(new MessageEvent(`session.${type}`, { data: JSON.stringify(data) }));
  }
}
