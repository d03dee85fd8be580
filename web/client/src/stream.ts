import type { ActiveSession, SessionEvent } from "./types.js";

/** The shortest time between two streams, in ms: whatever goes wrong, no hot loop. */
const breath = 5_000;

/** Until the next question without a stream, in ms: 45 to 75 s, not all browsers at once. */
const pause = (): number => 45_000 + Math.random() * 30_000;

/** The browser's one event stream, held by the tab that leads. */
export interface Stream {
  /**
   * Opens or closes the stream as befits. Returns in how many ms the server is to
   * be asked instead, if there is no stream to wait for.
   */
  arrange(signedIn: boolean): number | undefined;
  /** Whether events would come. */
  open(): boolean;
  close(): void;
}

/**
 * Makes a Stream over GET /bff/events, which hands on events to heard, and calls
 * missed when some may be lost.
 */
export function createStream(base: string, heard: (event: SessionEvent) => void, missed: () => void): Stream {
  let source: EventSource | undefined;
  let notBefore = 0;

  function close(wait = 0): void {
    source?.close();
    source = undefined;
    notBefore = Math.max(notBefore, Date.now() + wait);
  }

  function open(): void {
    const opened = (source = new EventSource(`${base}/events`));
    let broken = false;
    notBefore = Date.now() + breath;
    opened.onopen = () => {
      if (broken) missed();
      broken = false;
    };
    opened.onerror = () => {
      broken = true;
      // The browser connects again by itself, unless the answer was a refusal: 401,
      // 204 or 503.
      if (opened.readyState !== EventSource.CLOSED || opened !== source) return;
      close(pause());
      missed();
    };
    for (const type of ["expiring", "renewed", "changed", "ended"] as const) {
      opened.addEventListener(`session.${type}`, ({ data }: MessageEvent<string>) => {
        // The server closes the stream now; the browser would knock at once.
        if (type === "changed" || type === "ended") close();
        const fields = JSON.parse(data);
        heard(type === "renewed" ? { type, session: fields as ActiveSession } : { ...fields, type });
      });
    }
  }

  return {
    close,
    open: () => source !== undefined,
    arrange(signedIn) {
      if (!signedIn) close();
      if (!signedIn || source) return undefined;
      const wait = notBefore - Date.now();
      if (wait > 0) return wait;
      if (!globalThis.EventSource) return pause();
      open();
      return undefined;
    },
  };
}
