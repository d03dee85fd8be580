/**
 * Cloakroom's problem codes that an app decides by. There are more; all stand in
 * docs/operating.md of Cloakroom, under "Problem codes".
 */
export type ErrorCode =
  | "signed_out"
  | "step_up_required"
  | "not_permitted"
  | "cross_site"
  | "current_session"
  | "not_found"
  | "too_many_requests"
  | "too_many_streams"
  | "unavailable"
  | "upstream_unreachable"
  | "upstream_timeout"
  | "internal"
  /** Of the client itself, with status 0: the popup was given up. */
  | "sign_in_abandoned"
  /** Of the client itself, with status 0: another user signed in than was there before. */
  | "other_user"
  /** Of the client itself: something else than Cloakroom answered under its base path. */
  | "unexpected_answer"
  | (string & {});

/**
 * A refusal by Cloakroom (RFC 9457). An API's own errors never become
 * one: `client.fetch()` hands them on as responses.
 */
export class CloakroomError extends Error {
  override readonly name = "CloakroomError" as const;
  /** Stable: decide by it. */
  declare readonly code: ErrorCode;
  /** The HTTP status. */
  declare readonly status: number;
  /** One sentence for a person; the same as `message`. */
  declare readonly title: string;
  /** There when a sign-in helps: a path of this origin. */
  declare readonly loginUrl: string | undefined;
  /** Stands in Cloakroom's log too: show it to the user who asks for help. */
  declare readonly reference: string | undefined;
  /** Seconds to wait before the call is made again. */
  declare readonly retryAfter: number | undefined;

  /** Made by the client; public for the tests of apps. */
  constructor(fields: {
    code: ErrorCode;
    status: number;
    title: string;
    loginUrl?: string | undefined;
    reference?: string | undefined;
    retryAfter?: number | undefined;
  }) {
    super(fields.title);
    Object.assign(this, fields);
  }
}

/** The members of a problem that matter here. Anything may be missing. */
interface Problem {
  type?: unknown;
  title?: unknown;
  login_url?: unknown;
  reference?: unknown;
}

const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);

/**
 * Returns url if it leads to the sign-in under base on this origin. Nothing else
 * is followed: a forged problem must not choose where the user goes.
 */
export function loginPath(url: unknown, base: string): string | undefined {
  const path = text(url);
  const target = path?.startsWith("/") && ownURL(path);
  return target && target.pathname === `${base}/login` ? target.pathname + target.search : undefined;
}

/** Returns the URL that text names, if it is of this origin. */
export function ownURL(text: string): URL | undefined {
  try {
    const url = new URL(text, location.href);
    return url.origin === location.origin ? url : undefined;
  } catch {
    return undefined;
  }
}

/** Returns response's media type, without its parameters. */
export const mediaType = (response: Response): string | undefined => response.headers.get("Content-Type")?.split(";")[0];

/**
 * Returns Cloakroom's refusal if response is one. The response stays unread if
 * it isn't.
 */
export async function refusal(response: Response, base: string): Promise<CloakroomError | undefined> {
  // Whatever a redirect led to is not Cloakroom.
  if (!ownURL(response.url) || mediaType(response) !== "application/problem+json") return undefined;
  const problem: Problem = (await response.clone().json().catch(() => null)) ?? {};
  const type = text(problem.type);
  if (!type?.startsWith("urn:cloakroom:")) return undefined;
  return new CloakroomError({
    code: type.slice(14),
    status: response.status,
    title: text(problem.title) ?? type,
    loginUrl: loginPath(problem.login_url, base),
    reference: text(problem.reference),
    retryAfter: Number(response.headers.get("Retry-After")) || undefined,
  });
}
