import type { Client } from "./client.js";
import { CloakroomError } from "./error.js";
import type { ActiveSession, EndReason, SessionEvent, User } from "./types.js";

/** Who is signed in, as far as it is known. */
export type SessionState<C extends object> =
  | Loading
  | { status: "signed-in"; user: User<C>; session: ActiveSession; expiring: Expiring | null; endReason: null; error: null }
  /** `endReason` says why the session ended, if it was alive on this page. */
  | { status: "signed-out"; user: null; session: null; expiring: null; endReason: EndReason | null; error: null };

/** Not known yet. `error` says why, if asking for the user has failed; it is asked again. */
export interface Loading {
  status: "loading";
  user: null;
  session: null;
  expiring: null;
  endReason: null;
  error: unknown;
}

/** The session is about to end. */
export interface Expiring {
  /** `idle`: `renew()`, or anything the user does, prevents it. */
  limit: "idle" | "absolute";
  /** When it ends, by this browser's clock: ms since 1970. */
  at: number;
}

/** What React's useSyncExternalStore wants. */
export interface Store<C extends object> {
  subscribe(changed: () => void): () => void;
  getSnapshot(): SessionState<C>;
}

/** What is known before anything is: also on a server. */
export const loading: Loading = {
  status: "loading",
  user: null,
  session: null,
  expiring: null,
  endReason: null,
  error: null,
};

const known = { status: "signed-in", endReason: null, error: null } as const;

/** Makes a store of what client says. It is alive while somebody has subscribed. */
export function createStore<C extends object>(client: Client<C>): Store<C> {
  const listeners = new Set<() => void>();
  let state: SessionState<C> = loading;
  let user: { key: string; value: User<C> } | undefined;
  let turn = 0; // counts what was learnt: a user who was asked for before is another session's
  let failures = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let stop: (() => void) | undefined;

  function set(next: SessionState<C>): void {
    state = next;
    for (const listener of [...listeners]) listener();
  }

  function signedIn(session: ActiveSession): void {
    const mine = ++turn;
    const { expiring } = state;
    clearTimeout(timer);
    if (user?.key === session.session.started_at) {
      // The warning holds until there is more time than it spoke of.
      const later = expiring && Date.now() + session.session[`${expiring.limit}_expires_in`] * 1_000 > expiring.at + 5_000;
      return set({ ...known, user: user.value, session, expiring: later ? null : expiring });
    }
    client.user().then(
      (value) => {
        failures = 0;
        if (mine !== turn || !value) return; // signed out meanwhile: the client tells
        user = { key: session.session.started_at, value };
        set({ ...known, user: value, session, expiring: null });
      },
      (error: unknown) => {
        if (mine !== turn) return;
        if (state.status === "loading") set({ ...loading, error });
        const wait = error instanceof CloakroomError ? (error.retryAfter ?? 0) : 0;
        timer = setTimeout(() => signedIn(session), Math.max(wait, Math.min(2 ** failures++, 30) * (1 + Math.random())) * 1_000);
      },
    );
  }

  function signedOut(endReason: EndReason | null): void {
    turn++;
    clearTimeout(timer);
    user = undefined;
    set({ status: "signed-out", user: null, session: null, expiring: null, endReason, error: null });
  }

  function hear(event: SessionEvent): void {
    switch (event.type) {
      case "state":
        if (event.session.authenticated) signedIn(event.session);
        else if (state.status !== "signed-out") signedOut(null);
        break;
      case "renewed":
        signedIn(event.session);
        break;
      case "expiring":
        if (state.status === "signed-in") {
          set({ ...state, expiring: { limit: event.limit, at: Date.now() + event.expires_in * 1_000 } });
        }
        break;
      case "changed":
        // What is shown stays until the other user is known: no flicker after a step-up.
        user = undefined;
        break;
      case "ended":
        signedOut(event.reason);
    }
  }

  return {
    getSnapshot: () => state,
    subscribe(changed) {
      listeners.add(changed);
      stop ??= client.onSession(hear);
      return () => {
        listeners.delete(changed);
        if (listeners.size) return;
        clearTimeout(timer);
        turn++;
        stop?.();
        stop = undefined;
      };
    },
  };
}
