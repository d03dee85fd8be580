import { channelName, keyOf } from "./channel.js";
import { ownURL } from "./error.js";
import type { LoginOptions, Session } from "./types.js";

/** Held by the tab that has a popup open. */
const lockName = "cloakroom-login";

/** A sign-in is good for ten minutes at Cloakroom: nobody waits longer for its end, in ms. */
const patience = 600_000;

/** Nobody can have gone away, or closed a popup, and want it again so soon, in ms. */
const haste = 5_000;

/** Two redirects to the sign-in within so long are a loop, in ms. */
const loop = 10_000;

/** Cloakroom takes no longer return_to, in bytes. */
const longest = 1_024;

/** The current place as a return_to: without its fragment or its query, if it is too long. */
function here(): string {
  const { pathname, search, hash } = location;
  const fits = (path: string): boolean =>
    new TextEncoder().encode(path).length <= longest && ownURL(path)?.pathname === pathname;
  return [pathname + search + hash, pathname + search, pathname].find(fits) ?? "/";
}

/** Returns where to sign in: at, which Cloakroom named or is its login, with what options add. */
export function loginURL(at: string, options: LoginOptions, returnTo: string): string {
  const url = new URL(at, location.origin);
  const { provider, prompt, acrValues, maxAge, loginHint, uiLocales } = options;
  const parameters = {
    provider,
    prompt,
    acr_values: acrValues,
    max_age: maxAge,
    login_hint: loginHint,
    ui_locales: uiLocales,
    return_to: returnTo,
  };
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url.pathname + url.search;
}

/** Returns where the sign-in is to end. Throws a TypeError if that is elsewhere. */
export function returnPlace({ returnTo }: LoginOptions): string {
  if (returnTo === undefined) return here();
  const url = ownURL(returnTo);
  if (!url) throw new TypeError(`returnTo: ${JSON.stringify(returnTo)} is no path of this origin`);
  return url.pathname + url.search + url.hash;
}

let left = 0; // when, in ms

const isLeaving = (): boolean => Date.now() - left < haste;

/**
 * Leaves the page for url. The first call wins, so that a sign-out is not
 * overtaken by a call that finds nobody signed in; but a sign-out, which is final,
 * overtakes all. The promise settles only if the user comes back to the page as it was:
 * then it rejects with error.
 */
export function leave(url: string, error?: unknown, final = false): Promise<never> {
  if (final || !isLeaving()) {
    left = Date.now();
    location.assign(url);
  }
  return new Promise((_, reject) => {
    window.addEventListener("pageshow", ({ persisted }) => {
      if (!persisted) return; // the end of loading
      left = 0;
      reject(error);
    });
  });
}

/** Leaves the page for a sign-in that the user did not ask for; fails with error instead if that would be a loop. */
export function redirect(url: string, error: unknown): Promise<never> {
  if (!isLeaving()) {
    try {
      const last = Number(sessionStorage.getItem(lockName));
      if (Date.now() - last < loop) return Promise.reject(error);
      sessionStorage.setItem(lockName, String(Date.now()));
    } catch {
      // The browser keeps nothing for this origin: there is no guard then.
    }
  }
  return leave(url, error);
}

/** A sign-in in a popup. */
export interface Wanted {
  /** Where to sign in: a path. */
  at: string;
  options: LoginOptions;
  /** Whether the session that is there already doesn't do. */
  anew: boolean;
  /** Whether the user asked for it with a click just now. */
  asked: boolean;
  /** What to fail with if nobody signs in. */
  error: unknown;
}

/** One sign-in under way, and all who wait for it in this tab. */
interface Run {
  done: Promise<void>;
  waiting: number;
  show(wanted: Wanted): void;
  giveUp(): void;
}

const clicked = (): boolean | undefined => navigator.userActivation?.isActive;

/**
 * Returns what signs in with a popup, one at a time in all tabs. session asks
 * the server.
 *
 * Cloakroom's pages and many providers' cut the tie between a popup and the page
 * that opened it (Cross-Origin-Opener-Policy): the end of the sign-in comes by the
 * channel, and whether the user has closed the window can't be seen.
 */
export function createPopups(base: string, session: () => Promise<Session>): (wanted: Wanted) => Promise<void> {
  let current: Run | undefined;
  let shown = 0; // when, in ms

  function begin(wanted: Wanted): Run {
    const over = new AbortController();
    const { signal } = over;
    let resolve!: () => void;
    let reject!: () => void;
    const done = new Promise<void>((yes, no) => {
      resolve = yes;
      reject = no;
    });
    const run: Run = {
      done,
      waiting: 0,
      giveUp: reject,
      show({ at, options, asked, error }) {
        shown = Date.now();
        if (window.open(loginURL(at, options, `${base}/signed-in`), lockName, "popup,width=480,height=680")) return;
        const url = loginURL(at, options, returnPlace(options));
        (asked ? leave(url, error) : redirect(url, error)).catch(reject);
      },
    };

    let before = wanted.anew ? undefined : "";
    const look = (): Promise<void> =>
      session().then(
        (found) => {
          const now = keyOf(found);
          if (before === undefined) before = now;
          else if (now && now !== before) resolve();
        },
        () => {}, // not known now: the next look tells
      );

    const channel = globalThis.BroadcastChannel && new BroadcastChannel(channelName);
    if (channel) channel.onmessage = ({ data }) => data?.type === "signed-in" && resolve();
    window.addEventListener("focus", look, { signal });
    const timer = setTimeout(reject, patience);
    const settled = done
      .catch(() => {})
      .then(() => {
        if (current === run) current = undefined;
        clearTimeout(timer);
        channel?.close();
        over.abort();
      });

    const { locks } = navigator;
    if (wanted.asked || !locks) run.show(wanted);
    locks?.request(lockName, { ifAvailable: true }, (lock) => {
      if (!wanted.asked && (lock || clicked())) run.show(wanted);
      else if (!wanted.asked) {
        // Another tab has a popup open. If that comes to nothing, so does this: a
        // window that opens later would surprise the user, and be blocked.
        locks.request(lockName, { signal }, () => look().then(reject)).catch(() => {});
      }
      return lock ? settled : undefined;
    }).catch(() => wanted.asked || run.show(wanted)); // no locks for this page
    void look();
    return run;
  }

  return (wanted) => {
    const { signal } = wanted.options;
    signal?.throwIfAborted();
    // Whoever clicks again has closed the popup, or lost sight of it.
    if (current && (wanted.asked || (clicked() && Date.now() - shown > haste))) current.show(wanted);
    const run = (current ??= begin(wanted));
    run.waiting++;
    let aborted = (): void => {};
    return new Promise<void>((resolve, reject) => {
      aborted = () => reject(signal?.reason);
      signal?.addEventListener("abort", aborted);
      run.done.then(resolve, () => reject(wanted.error));
    }).finally(() => {
      signal?.removeEventListener("abort", aborted);
      if (!--run.waiting) run.giveUp();
    });
  };
}
