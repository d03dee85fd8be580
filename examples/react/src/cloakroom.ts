import { createClient } from "@cloakroom/client";

/** The claims of the user that this app shows. */
export interface Claims {
  name?: string;
  email?: string;
}

/**
 * The one client of this app. A call that needs a sign-in opens a window for it and
 * is made again afterwards, so that the page keeps what the user has typed.
 */
export const cloakroom = createClient<Claims>({ signIn: "popup" });

/** json calls the API and returns what it answers, or throws what went wrong. */
export async function json<T>(path: string, init?: Parameters<typeof cloakroom.fetch>[1]): Promise<T> {
  const response = await cloakroom.fetch(path, init);
  if (!response.ok) {
    const { why = "" } = (await response.json().catch(() => ({}))) as { why?: string };
    throw new Error(`The API answered ${response.status}${why && `: ${why}`}.`);
  }
  return (await response.json()) as T;
}
