/** The states that a page can read, and the names of what it is told. */

export const States = {
  INIT: "INIT",
  READY: "READY",
  STARTING: "STARTING",
  ACTIVE: "ACTIVE",
  ACTIVE_WAIT: "ACTIVE:WAIT",
  ACTIVE_ACTIVE: "ACTIVE:ACTIVE",
  ACTIVE_ESCALATING: "ACTIVE:ESCALATING",
  ACTIVE_ESCALATED: "ACTIVE:ESCALATED",
  DISCONNECTING: "DISCONNECTING",
  ERROR: "ERROR",
} as const;

export type State = (typeof States)[keyof typeof States];

export const isActive = (state: State): boolean => state.startsWith(States.ACTIVE);

/** Why a session ended, in the words that pages know; a text that the page gave to `stop` goes before all. */
export const Reasons = {
  /** The visitor ended it, or did not agree. */
  user: "USER_INITIATED",
  /** No agent came, or the visitor did nothing, for too long. */
  waited: "USER_TIMEOUT",
  /** The connection was lost and did not come back. */
  network: "NETWORK_TIMEOUT",
  /** An agent or a back end ended it. Ours. */
  agent: "AGENT_INITIATED",
  /** It lasted as long as a session may. Ours. */
  tooLong: "TIME_LIMIT",
  /** The service did not let it begin. Ours. */
  refused: "START_FAILED",
} as const;

/** What every payload carries; `undefined` for what does not apply. */
interface Common {
  readonly accessCode: string | undefined;
  readonly SID: string | undefined;
  readonly siteCode: string;
}

interface OfAgent extends Common {
  readonly name: string;
  readonly id: string;
}

export interface Payloads {
  SessionStarting: { readonly SID: string | undefined; readonly siteCode: string };
  SessionStarted: Common & { readonly mode: "ICB" };
  SessionEnded: Common & { readonly reason: string; readonly agentCount: number };
  AgentConnected: OfAgent;
  AgentDisconnected: OfAgent;
  StateChanged: Common & { readonly state: State; readonly previousState: State };
  NavigatingAway: Common & { readonly url: string };
}

export type EventName = keyof Payloads;

/** One event, with its payload. */
export type Told = { [Name in EventName]: { readonly name: Name; readonly data: Payloads[Name] } }[EventName];
