/**
 * The claims that the provider's `claims` setting lets through. Name those of
 * your app with `createClient<MyClaims>()`.
 */
export interface Claims {
  [claim: string]: unknown;
  name?: string;
  email?: string;
  picture?: string;
}

/** Who is signed in: the answer of `GET /bff/user`. */
export type User<C extends object = Claims> = C & {
  /** The user's identifier at the provider: stable, and unique there. */
  sub: string;
  /** What Cloakroom knows about the sign-in. */
  bff: {
    /** The provider's name in Cloakroom's configuration. */
    provider: string;
    /** The scopes that were granted, separated by spaces. */
    scope?: string;
    /** How the user proved who they are (OpenID Connect Core, 2). */
    acr?: string;
    /** When they did: seconds since 1970. */
    auth_time?: number;
    session: SessionTimes;
  };
};

/** The times of a session. Durations are seconds from the moment of the answer. */
export interface SessionTimes {
  /** When the session began, RFC 3339. Another value is another session. */
  started_at: string;
  /** The session ends after so long without activity. */
  idle_expires_in: number;
  /** The session ends after so long in any case. */
  absolute_expires_in: number;
}

/** A session that is alive. */
export interface ActiveSession {
  authenticated: true;
  provider: string;
  session: SessionTimes;
  token: {
    /** Seconds until the access token on the server expires. */
    expires_in: number;
    /** Whether Cloakroom renews it without the user. */
    renewable: boolean;
  };
}

/** Nobody is signed in. */
export interface NoSession {
  authenticated: false;
  /** Where `client.login()` leads. */
  login_url: string;
}

/** The answer of `GET /bff/session`. Asking never extends the session. */
export type Session = ActiveSession | NoSession;

/** One of the user's sessions, this browser's or another's: "my devices". */
export interface DeviceSession {
  /** Names the session to `client.endSession()`. Opens nothing. */
  id: string;
  /** Whether it is this browser's. */
  current: boolean;
  /** Browser and system in words, such as "Firefox on Windows". */
  label: string;
  /** The network it signed in from, such as "192.0.2.0/24", if it is known. */
  network?: string;
  /** RFC 3339. */
  first_seen: string;
  /** RFC 3339. */
  last_seen: string;
  provider: string;
}

/** Why a session ended. `unknown`: it was found to be over. */
export type EndReason =
  | "logout"
  | "idle"
  | "absolute"
  | "replaced"
  | "provider_logout"
  | "ended_elsewhere"
  | "operator"
  | "security"
  | "renewal_failed"
  | "other"
  | "unknown"
  | (string & {});

/** What `client.onSession()` tells. */
export type SessionEvent =
  /** What the server says now: at first, and whenever it was asked again. */
  | { type: "state"; session: Session }
  /** The access token was renewed, or the idle time began anew after a warning. */
  | { type: "renewed"; session: ActiveSession }
  /**
   * The session ends in `expires_in` seconds. With `idle`, whatever the user
   * does, or `client.renew()`, prevents that; `absolute` comes in any case.
   */
  | { type: "expiring"; limit: "idle" | "absolute"; expires_in: number }
  /** Somebody signed in anew in this browser: ask for the user again. A `state` follows. */
  | { type: "changed" }
  /** The session is over, in all tabs. */
  | { type: "ended"; reason: EndReason; login_url: string };

/**
 * What to do when a call needs a sign-in, or a stronger or newer one:
 * - `throw`: the call fails with a `CloakroomError`;
 * - `redirect`: the page goes to the sign-in and comes back to where it is now.
 *   Twice within ten seconds is a loop: then the call fails instead;
 * - `popup`: the sign-in opens in a window of its own, and the call is made again
 *   once it is done, so that the page keeps all it holds.
 */
export type SignIn = "throw" | "redirect" | "popup";

/** What `client.fetch()` takes besides what `fetch()` does. */
export interface CallInit extends RequestInit {
  /** What to do when a sign-in is needed. Default: the client's. */
  signIn?: SignIn | undefined;
  /**
   * The app asks by itself, not for the user: the call doesn't keep the session
   * from idling out, and never starts a sign-in.
   */
  background?: boolean | undefined;
}

/** How to sign in. */
export interface LoginOptions {
  /** `loginUrl` of a `CloakroomError`, which knows what a step-up needs. */
  loginUrl?: string | undefined;
  /**
   * Where to go afterwards: a path of this origin, with query and fragment, at
   * most 1024 bytes. Default: the current place. A popup needs none.
   */
  returnTo?: string | undefined;
  /** The provider's name. Default: the only one, or the user chooses. */
  provider?: string | undefined;
  /** `none` asks without showing anything. */
  prompt?: "none" | "login" | "consent" | "select_account" | "create" | undefined;
  /** Acceptable ways to sign in, best first, separated by spaces. */
  acrValues?: string | undefined;
  /** Sign in again if that was longer ago: seconds. */
  maxAge?: number | undefined;
  /** Whom to suggest: often an e-mail address. */
  loginHint?: string | undefined;
  /** Languages for the provider's pages, best first, separated by spaces. */
  uiLocales?: string | undefined;
  /** Sign in with a window of its own. Call it straight from a click: browsers block others. */
  popup?: boolean | undefined;
  /** Stops waiting for the popup. */
  signal?: AbortSignal | undefined;
}

/** How to make a client. */
export interface Options {
  /** `base_path` of Cloakroom's configuration. Default: `/bff`. */
  base?: string | undefined;
  /** Default: the global one, as it is at the time of the call. */
  fetch?: typeof globalThis.fetch | undefined;
  /** What calls do that need a sign-in. Default: `throw`. */
  signIn?: SignIn | undefined;
}
