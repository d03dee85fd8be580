import { CloakroomError, type ErrorCode, loginPath, mediaType, ownURL, refusal } from "./error.js";
import { createPopups, leave, loginURL, redirect, returnPlace } from "./signin.js";
import type {
  ActiveSession,
  CallInit,
  Claims,
  DeviceSession,
  LoginOptions,
  Options,
  Session,
  SessionEvent,
  User,
} from "./types.js";
import type { Watch } from "./watch.js";

/**
 * Speaks with Cloakroom for one page. Every method may be called at any time and
 * in parallel, and none needs `this`.
 *
 * All of them fail with a `CloakroomError` when Cloakroom refuses, and with what
 * `fetch()` throws (a `TypeError`) when the server can't be reached. Of the errors only
 * those with the code `signed_out` say that the user is signed out.
 */
export interface Client<C extends object = Claims> {
  /** Who is signed in, or null. */
  user(): Promise<User<C> | null>;

  /** How long the session and its token live. Asking never extends them. */
  session(): Promise<Session>;

  /**
   * Calls back with the session's state soon, and then with what becomes of it, in
   * this tab or another. Returns how to stop. Only in the browser.
   */
  onSession(callback: (event: SessionEvent) => void): () => void;

  /**
   * Signs in. The page goes away, and the promise settles only if the user comes
   * back to it with the browser's Back; with `popup` the page stays, and the promise is
   * resolved when the user is signed in, and rejected when `signal` is aborted, and with
   * `sign_in_abandoned` after ten minutes. A popup that the browser blocks becomes a redirect.
   */
  login(options?: LoginOptions): Promise<void>;

  /** Signs out here, then goes to the provider's sign-out. When it fails, the user is still signed in. */
  logout(): Promise<void>;

  /** Says that the user is there: the idle time begins anew, and the token is renewed if that is due. */
  renew(): Promise<ActiveSession>;

  /** The user's sessions, in this browser and others. */
  sessions(): Promise<DeviceSession[]>;

  /** Ends one of them. The current one is ended by `logout()`. */
  endSession(id: string): Promise<void>;

  /** Ends all but the current one. Returns how many there were. */
  endOtherSessions(): Promise<number>;

  /**
   * `fetch()` for the app's own origin. Answers are handed on as they are, whatever
   * their status; Cloakroom's own refusals become errors, or the sign-in that `signIn`
   * wants. With `popup` the call is made again, once, unless its body is a stream.
   */
  fetch(input: RequestInfo | URL, init?: CallInit): Promise<Response>;
}

const failed = (code: ErrorCode, status: number, title: string): CloakroomError => new CloakroomError({ code, status, title });

/** Makes a Client. It does nothing by itself, so it may be made on a server too. */
export function createClient<C extends object = Claims>(options: Options = {}): Client<C> {
  const { base = "/bff", signIn = "throw" } = options;
  if (!/^(\/[\w.~-]+)+$/.test(base)) throw new TypeError(`base: ${JSON.stringify(base)} is no path such as "/bff"`);
  const send: typeof globalThis.fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  const login = `${base}/login`;
  const session = (): Promise<Session> => ask<Session>("/session");
  // Loaded when somebody first wants to know: not all apps do, and none at once.
  let watch: Promise<Watch> | undefined;
  const popup = createPopups(base, session);
  let known: string | undefined; // who user() told of last: iss is the provider's

  let asked = false;

  async function call(input: RequestInfo | URL, init: RequestInit): Promise<Response> {
    const response = await send(input, { ...init, credentials: "same-origin" });
    const error = await refusal(response, base);
    if (!error) {
      // Whose page it is must be known before that user's session is over.
      if (!known && !asked && signIn === "popup") {
        asked = true;
        void user().catch(() => (asked = false));
      }
      return response;
    }
    if (error.code === "signed_out") void watch?.then((w) => w.doubt());
    throw error;
  }

  /** Calls an endpoint of Cloakroom. */
  async function ask<T>(path: string, method = "GET"): Promise<T> {
    // X-CSRF is for browsers without Fetch Metadata.
    const headers = { Accept: "application/json", "X-CSRF": "1" };
    const response = await call(base + path, { method, headers, cache: "no-store" });
    if (response.status === 204) return undefined as T;
    if (response.ok && mediaType(response) === "application/json") return response.json();
    throw failed("unexpected_answer", response.status, `${base + path}: not answered by Cloakroom; is it in front, with this base_path?`);
  }

  async function user(): Promise<User<C> | null> {
    try {
      const found = await ask<User<C>>("/user");
      known = `${found.bff.provider} ${found.sub}`;
      return found;
    } catch (error) {
      if ((error as CloakroomError | null)?.code === "signed_out") return null;
      throw error;
    }
  }

  /** Makes a call, and after the sign-in that it needs makes it again. */
  async function signedIn<T>(
    attempt: () => Promise<T>,
    mode = signIn,
    signal?: AbortSignal | null,
    again: (error: unknown) => Promise<T> = attempt,
  ): Promise<T> {
    try {
      return await attempt();
    } catch (error) {
      if (mode === "throw" || !(error instanceof CloakroomError)) throw error;
      const { code, loginUrl: at = login } = error;
      if (code !== "signed_out" && code !== "step_up_required") throw error;
      if (mode === "redirect") return redirect(loginURL(at, {}, returnPlace({})), error);
      const before = known;
      await popup({ at, options: { signal: signal ?? undefined }, anew: code !== "signed_out", asked: false, error });
      void watch?.then((w) => w.recheck());
      // What one user has typed is not sent in the name of another.
      await user();
      if (before && known !== before) throw failed("other_user", 0, "Somebody else has signed in. The call was not made.");
      return again(error);
    }
  }

  return {
    user,
    session,

    onSession(callback) {
      let stop: (() => void) | undefined;
      let stopped = false;
      watch ??= import("./watch.js").then(({ createWatch }) => createWatch(base, session));
      void watch.then((w) => {
        if (!stopped) stop = w.subscribe(callback);
      });
      return () => {
        stopped = true;
        stop?.();
      };
    },

    async login(options = {}) {
      const at = options.loginUrl === undefined ? login : loginPath(options.loginUrl, base);
      if (!at) throw new TypeError(`loginUrl: ${JSON.stringify(options.loginUrl)} does not lead to ${login}`);
      const place = returnPlace(options);
      if (!options.popup) return leave(loginURL(at, options, place)).catch(() => {});
      const error = failed("sign_in_abandoned", 0, "Nobody signed in.");
      await popup({ at, options, anew: true, asked: true, error });
      void watch?.then((w) => w.recheck());
      // With prompt "none" the popup closes in any case.
      if (!(await session()).authenticated) throw error;
    },

    async logout() {
      const { logout_url } = await ask<{ logout_url: string }>("/logout", "POST");
      const url = new URL(logout_url, location.origin);
      if (!/^https?:$/.test(url.protocol)) throw new TypeError("logout_url can't be followed");
      const gone = leave(url.href, undefined, true).catch(() => {});
      void watch?.then((w) => w.tell({ type: "ended", reason: "logout", login_url: login }));
      return gone;
    },

    async renew() {
      const session = await ask<ActiveSession>("/session/renew", "POST");
      void watch?.then((w) => w.tell({ type: "renewed", session }));
      return session;
    },

    sessions: async () => (await signedIn(() => ask<{ sessions: DeviceSession[] }>("/sessions"))).sessions,
    endSession: (id) => signedIn(() => ask<void>(`/sessions/${encodeURIComponent(id)}`, "DELETE")),
    endOtherSessions: async () => (await signedIn(() => ask<{ ended: number }>("/sessions", "DELETE"))).ended,

    async fetch(input, { signIn: mode = signIn, background, ...init } = {}) {
      const request = input instanceof Request ? input : undefined;
      const url = request?.url ?? String(input);
      if (!ownURL(url)) throw new TypeError(`client.fetch is for this origin; call fetch for ${url}`);
      if (background) {
        mode = "throw";
        init.headers = new Headers(init.headers ?? request?.headers);
        init.headers.set("X-Session-Activity", "none");
      }
      const copy = mode === "popup" ? request?.clone() : undefined;
      return signedIn(
        () => call(input, init),
        mode,
        init.signal ?? request?.signal,
        async (error) => {
          // A stream is used up. Whoever called may have another, and now has a session for it.
          if (init.body instanceof ReadableStream) throw error;
          return call(copy ?? input, init);
        },
      );
    },
  };
}
