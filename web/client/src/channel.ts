import type { Session, SessionEvent } from "./types.js";

/** The channel of Cloakroom's own pages. */
export const channelName = "cloakroom";

/** What the tabs of one browser tell each other. */
export type Message =
  /** A sign-in is done: so says Cloakroom's page at the end of a popup. */
  | { type: "signed-in" }
  /** A tab asked the server, and what it heard was new to it. */
  | { type: "state"; key: string }
  /** What the event stream said, or a tab did. */
  | { type: "event"; event: SessionEvent };

/** Tells sessions apart. Empty: signed out. */
export const keyOf = (session: Session): string => (session.authenticated ? session.session.started_at : "");
