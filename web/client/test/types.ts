// Checked by tsc alone: what the types allow, and what they refuse.

import { CloakroomError, createClient, type SessionEvent } from "../src/index.js";
import { CloakroomProvider, useSession } from "../src/react.js";

interface MyClaims {
  name: string;
  roles: string[];
}

const client = createClient<MyClaims>({ base: "/bff", signIn: "popup" });

export async function calls(): Promise<void> {
  const user = await client.user();
  // @ts-expect-error null, when nobody is signed in
  user.sub;
  if (user) {
    const roles: string[] = user.roles;
    const acr: string | undefined = user.bff.acr;
    // @ts-expect-error no such claim
    user.email;
    void [roles, acr];
  }
  const plain = await createClient().user();
  const claim: unknown = plain?.["department"];
  const name: string | undefined = plain?.name;
  void [claim, name];

  const session = await client.session();
  // @ts-expect-error there only when signed in
  session.token;
  // @ts-expect-error there only when signed out
  session.login_url;
  const left: number = session.authenticated ? session.token.expires_in : 0;
  const ended: number = await client.endOtherSessions();
  void [left, ended];

  void client.fetch("/api", { method: "POST", background: true, signIn: "throw" });
  // @ts-expect-error not a way to sign in
  void client.fetch("/api", { signIn: "iframe" });
  void client.login({ popup: true, prompt: "create", signal: new AbortController().signal });
  // @ts-expect-error not a prompt
  void client.login({ prompt: "please" });
  // @ts-expect-error a number of seconds
  void client.login({ maxAge: "5m" });
  // @ts-expect-error not an option
  createClient({ basePath: "/bff" });
}

/** Every kind of event, each with its own fields. */
export function hear(event: SessionEvent): string | number {
  switch (event.type) {
    case "state":
      return event.session.authenticated ? event.session.provider : event.session.login_url;
    case "renewed":
      return event.session.token.expires_in;
    case "expiring":
      // @ts-expect-error only when it ended
      event.reason;
      return event.expires_in;
    case "changed":
      return "";
    case "ended":
      return event.reason;
    default: {
      const none: never = event;
      return none;
    }
  }
}

export function refused(error: unknown): string | undefined {
  if (!(error instanceof CloakroomError)) return undefined;
  // @ts-expect-error not to be changed
  error.code = "x";
  const wait: number | undefined = error.retryAfter;
  void wait;
  return error.code === "signed_out" ? error.loginUrl : error.reference;
}

export function Component(): string {
  const s = useSession<MyClaims>();
  // @ts-expect-error null, unless signed in
  s.user.name;
  if (s.status === "signed-in") {
    const end: number | undefined = s.expiring?.at;
    void end;
    return s.user.roles.join();
  }
  // @ts-expect-error not a status
  if (s.status === "expired") return "";
  void s.login({ popup: true });
  return s.status === "signed-out" ? (s.endReason ?? "") : String(s.error);
}

/** As the README has it: what was taken apart is narrowed too. */
export function Header(): string | undefined {
  const { status, user, expiring, login, logout, renew } = useSession();
  void [login, logout, renew];
  if (status === "loading") return "";
  if (status === "signed-out") return "Sign in";
  return expiring?.limit === "idle" ? "Stay" : user.name;
}

void CloakroomProvider({ client });
// @ts-expect-error there is no session without a client
void CloakroomProvider({});
