/** Co-browse sessions, as an agent begins and ends them. */

import type { SessionOffer } from "./frames";
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

/** Takes a seat in a session that runs; one that was handed to this agent takes the place of the other's. */
export async function joinSession(host: RestHost, session: string): Promise<StartedSession> {
  const { watch_url } = await callRest<TicketAnswer>(host, "POST", ["sessions", session, "tickets"], {});
  return { session, watchUrl: new URL(watch_url, host.origin).href };
}

/** The code that leads agents to a session; drawn with so many digits where there is none. */
export async function sessionCode(host: RestHost, session: string, digits?: number): Promise<string> {
  const query = digits === undefined ? "" : `digits=${digits}`;
  const { code } = await callRest<{ readonly code: string }>(host, "POST", ["sessions", session, "code"], undefined, query);
  return code;
}

interface RunningAnswer {
  readonly session: string;
  readonly visitorid: string;
  readonly transfer: { readonly from: number; readonly until: number } | null;
  readonly members: readonly { readonly user: number; readonly name: string }[];
}

/** The seats that wait for this agent, at most a hundred. */
export async function waitingOffers(host: RestHost): Promise<SessionOffer[]> {
  const { sessions } = await callRest<{ sessions: readonly RunningAnswer[] }>(host, "GET", ["sessions"], undefined, "offered=true");
  return sessions.flatMap(({ session, visitorid, transfer, members }) => {
    if (!transfer) return [];
    const { name } = members.find(({ user }) => user === transfer.from) ?? { name: "" };
    return [{ visitorid, session, from: name, until: transfer.until }];
  });
}

export async function endSession(host: RestHost, session: string): Promise<void> {
  await callRest(host, "DELETE", ["sessions", session]);
}
