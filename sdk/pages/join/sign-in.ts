/** Who the agent is: a token of the server in development mode, else one for the login key of the address. */

import { agentLibrary } from "../shared/facade";

export interface SignedIn {
  readonly group: string;
  readonly token: string;
}

/** Why nobody is signed in. */
export type NotSignedIn = "nobody" | "refused" | "connection";

/** How long the token lives, in minutes: long enough to wait for a visitor. */
const MINUTES = 60;

/** Rejected with {@link NotSignedIn} as message. */
export async function signIn(credentials: Readonly<Record<string, string>> | undefined): Promise<SignedIn> {
  const { mode, group } = await ask<{ mode: string; group: string }>("/demo/config.json");
  if (mode !== "configured") {
    const given = await ask<{ token: string; group: string }>("/demo/token", { method: "POST" });
    return { group: given.group, token: given.token };
  }
  if (!credentials) throw new Error("nobody");
  const { Authorization } = await agentLibrary();
  return new Promise((resolve, reject) => {
    Authorization.authorize({
      service: "presence",
      // Where the server serves several groups, the partner says which.
      ...(group && { groupid: group }),
      credentials: { ...(group && { partnerid: group }), ...credentials },
      duration: MINUTES,
      onsuccess: (answer) => resolve({ group: group || String(answer.groupId), token: answer.authToken }),
      // All else may be better at the next try.
      onfail: (reason) => reject(new Error(reason === "authorization" || reason === "badrequest" ? "refused" : "connection")),
    });
  });
}

async function ask<T>(path: string, init: RequestInit = {}): Promise<T> {
  const answer = await fetch(path, { cache: "no-store", ...init }).catch(() => undefined);
  if (!answer?.ok) throw new Error("connection");
  return (await answer.json()) as T;
}
