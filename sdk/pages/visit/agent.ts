/** Who the agent is: a token of the server in development mode, else one that he bought with a key and this tab keeps. */

import { knownGroup, type PageConfig } from "../shared/group";

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

/** Whether the last answer was marked: what several nodes share is away, and who is there may not be known. */
export let isAway = false;

/** Rejected with the word of the error, or `connection`. */
export async function ask<T>(path: string, { agent, body, post = body !== undefined }: { agent?: SignedIn; body?: object; post?: boolean } = {}): Promise<T> {
  const headers = { ...(agent && { Authorization: `Bearer ${agent.token}` }), ...(body && { "Content-Type": "application/json" }) };
  const request = { method: post ? "POST" : "GET", headers, cache: "no-store" as const, ...(body && { body: JSON.stringify(body) }) };
  const answer = await fetch(path, request).catch(() => undefined);
  isAway = answer?.headers.get("Vestibule-Degraded") === "true";
  if (!answer) throw new Error("connection");
  const said = (await answer.json().catch(() => ({}))) as T & { code?: string };
  if (!answer.ok) throw new Error(said.code ?? "error");
  return said;
}

/** Who is signed in; else the group that is signed in to, empty where somebody has to say it. */
export async function signedIn(): Promise<SignedIn | { readonly token?: undefined; readonly group: string }> {
  const config = await ask<PageConfig>("/demo/config.json");
  if (config.mode !== "configured") return ask<SignedIn>("/demo/token", { post: true });
  const group = knownGroup(config);
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as KeptToken | null;
    const isGood = kept && kept.until > Date.now() && (!group || kept.group === group);
    return isGood ? kept : { group };
  } catch {
    return { group };
  }
}

export async function signIn(group: string, subject: string, key: string): Promise<SignedIn> {
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
