/** The calls for sessions that run (`genesys.md` 3). */

import { VestibuleError } from "../../core/errors";
import type { Deactivated } from "./attached";

/** Where a session is. */
export interface FoundSession {
  readonly sessionToken: string;
  readonly sessionServerName: string;
  /** Missing where the servers have no addresses of their own. */
  readonly sessionServerUrl?: string;
}

const CODES: Readonly<Record<number, string>> = { 401: "authorization", 403: "authorization", 404: "notfound", 429: "ratelimited", 503: "unready" };

/** Calls an application below its root; rejected with the word for what is wrong. */
async function call<Answer>(root: string, method: string, path: string, token: string | undefined): Promise<Answer> {
  const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};
  // With cookies: the answer may set the one by which a balancer finds the session's server.
  const answer = await fetch(`${root}/rest/live/${path}`, { method, headers, credentials: "include" }).catch(() => {
    throw new VestibuleError("connection", "the server could not be reached");
  });
  const said = (await answer.json().catch(() => ({}))) as Answer & { readonly error?: string };
  if (answer.ok) return said;
  const retry = Number(answer.headers.get("Retry-After"));
  throw new VestibuleError(CODES[answer.status] ?? "internal", said.error, undefined, retry > 0 ? retry * 1000 : undefined);
}

/** The server that has the session with this token. */
export function findSession(root: string, sessionToken: string, token?: string): Promise<FoundSession> {
  return call(root, "GET", `sessions/${encodeURIComponent(sessionToken)}`, token);
}

/** Ends a session, without a connection of the controller's. */
export function stopSession(root: string, userToken: string): Promise<Deactivated> {
  return call(root, "GET", `users/${encodeURIComponent(userToken)}/session/stop`, undefined);
}

/** What the history says of a session to somebody who is in it; rejected when he is no more. */
export function readRecord(root: string, history: string, userToken: string): Promise<Deactivated> {
  return call(root, "GET", `../history/sessions/${encodeURIComponent(history)}?userToken=${encodeURIComponent(userToken)}`, undefined);
}

/** A ticket to an agent's seat in the session, as whoever bears the token; ours. */
export async function seatTicket(root: string, sessionToken: string, token: string): Promise<string> {
  const { ticket } = await call<{ readonly ticket: string }>(root, "POST", `sessions/${encodeURIComponent(sessionToken)}/seats`, token);
  return ticket;
}
