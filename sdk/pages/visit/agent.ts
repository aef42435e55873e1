/** Who the agent is: a token of the server in development mode, else one that he bought with a key and this tab keeps. */

export interface SignedIn {
  readonly group: string;
  readonly token: string;
}

interface KeptToken extends SignedIn {
  readonly until: number;
}

const KEY = "vestibule.visit.agent";
/** How long a token lives, in minutes. */
const MINUTES = 60;

export const codeOf = (error: unknown): string => (error instanceof Error ? error.message : "error");

/** Rejected with the word of the error, or `connection`. */
export async function ask<T>(path: string, { agent, body, post = body !== undefined }: { agent?: SignedIn; body?: object; post?: boolean } = {}): Promise<T> {
  const headers = { ...(agent && { Authorization: `Bearer ${agent.token}` }), ...(body && { "Content-Type": "application/json" }) };
  const request = { method: post ? "POST" : "GET", headers, cache: "no-store" as const, ...(body && { body: JSON.stringify(body) }) };
  const answer = await fetch(path, request).catch(() => undefined);
  if (!answer) throw new Error("connection");
  const said = (await answer.json().catch(() => ({}))) as T & { code?: string };
  if (!answer.ok) throw new Error(said.code ?? "error");
  return said;
}

/** Undefined when nobody is signed in. */
export async function signedIn(): Promise<SignedIn | undefined> {
  const { mode } = await ask<{ mode: string }>("/demo/config.json");
  if (mode !== "configured") return ask<SignedIn>("/demo/token", { post: true });
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as KeptToken | null;
    return kept && kept.until > Date.now() ? kept : undefined;
  } catch {
    return undefined;
  }
}

export async function signIn(subject: string, key: string): Promise<SignedIn> {
  const { group } = await ask<{ group: string }>("/demo/config.json");
  const body = { group, subject, name: subject, scope: "read session", minutes: MINUTES };
  // The key stands where a token would: it is one of the group's own.
  const { token } = await ask<{ token: string }>("/v1/tokens", { agent: { group, token: key }, body });
  const kept: KeptToken = { group, token, until: Date.now() + MINUTES * 60_000 };
  try {
    sessionStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    // The next page asks again.
  }
  return kept;
}

export function signOut(): void {
  try {
    sessionStorage.removeItem(KEY);
  } catch {
    // Nothing was kept.
  }
}
