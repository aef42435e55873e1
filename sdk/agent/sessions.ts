/** Co-browse sessions, as an agent begins and ends them. */

import { callRest, type RestHost } from "./rest";
import { targetFields, type VisitorTarget } from "./watch";

export interface SessionOptions {
  /** What whoever holds the link may do; everything by default. */
  readonly permissions?: { readonly point?: boolean; readonly draw?: boolean; readonly control?: boolean };
}

export interface StartedSession {
  readonly session: string;
  /** The page that shows the visitor's page. It opens within five minutes, and then in that one tab. */
  readonly watchUrl: string;
}

interface TicketAnswer {
  readonly session: string;
  readonly watch_url: string;
}

/** Begins a session with the visitor, who is asked first; or gives a link to the one that he has. */
export async function startSession(host: RestHost, visitor: VisitorTarget, options: SessionOptions = {}): Promise<StartedSession> {
  const { permissions } = options;
  const whole = permissions && { point: true, draw: true, control: true, ...permissions };
  const body = { ...targetFields(visitor), ...(whole && { permissions: whole }) };
  const { session, watch_url } = await callRest<TicketAnswer>(host, "POST", ["sessions"], body);
  return { session, watchUrl: new URL(watch_url, host.origin).href };
}

export async function endSession(host: RestHost, session: string): Promise<void> {
  await callRest(host, "DELETE", ["sessions", session]);
}
