/** Frames of the agent's socket, and what they tell of a visitor. */

import type { Frame, HelpNews, OkFrame, SessionEndReason, TermsStatus, Visibility, VisitorProblem, WelcomeFrame } from "../core/frames";
import type { PresenceData } from "../core/limits";

export interface AgentWelcome extends WelcomeFrame {
  readonly group: string;
  readonly subject: string;
  readonly name?: string;
  readonly scope: string | readonly string[];
  /** When the token expires, Unix milliseconds. */
  readonly expires: number;
}

/** What is told of a watched visitor, by event name. */
export interface VisitorEventData {
  /** The visitor became connected or stopped being so; never for a page change. */
  visitorconn: { readonly connected: boolean };
  /** A socket opened or closed; `sockets` are left. */
  visitorsock: { readonly connected: boolean; readonly sockets: number };
  /** An update as the visitor's page sent it. */
  presence: PresenceData;
  terms: { readonly status: TermsStatus };
  /** The visitor came to have, or no longer has, a visible page. */
  visibility: { readonly visibility: Visibility };
  visitorsessionstart: PresenceData | undefined;
  visitorsessionend: { readonly reason: SessionEndReason };
  visitorerror: VisitorProblem;
  /** The anonymous visitor is known from now on under this id; the watch goes on there. */
  visitorjoined: { readonly visitorid: string };
  /** The visitor asks for help, or it stands otherwise with that. */
  helprequest: HelpNews & { readonly text?: string };
}

/** A wish for help that waits, or that an agent has. */
export interface HelpWish extends HelpNews {
  /** When he asked, Unix milliseconds. */
  readonly asked: number;
  /** His words; may be empty. */
  readonly text: string;
}

export type VisitorEventName = keyof VisitorEventData;

export interface VisitorEvent extends Frame {
  readonly type: VisitorEventName;
  readonly visitorid: string;
  /** Epoch, then sequence, order a visitor's events; both are missing where there is no order. */
  readonly epoch?: number;
  readonly sequence?: number;
  /** Unix milliseconds on the server's clock. */
  readonly time?: number;
  /** The state that a watcher gets when it attaches, at the position of the latest event. */
  readonly present?: boolean;
  readonly data: VisitorEventData[VisitorEventName];
}

/** A place in the order of one visitor's events. */
export interface EventPosition {
  readonly epoch: number;
  readonly sequence: number;
}

/** A connected visitor as live lists show him; times are Unix milliseconds. */
export interface VisitorRow {
  readonly visitorid: string;
  readonly anonymous: boolean;
  readonly epoch: number;
  readonly sequence: number;
  /** When he became connected. */
  readonly since: number;
  /** When the server last heard of him. */
  readonly updated: number;
  /** 0 between two pages. */
  readonly sockets: number;
  readonly visibility: Visibility | null;
  readonly terms: TermsStatus | null;
  /** His wish for help, while it waits or an agent has it. */
  readonly help: HelpWish | null;
  readonly data: PresenceData;
}

/** What changed in a live list. */
export interface RowsFrame extends Frame {
  readonly type: "rows";
  readonly list: number;
  /** What is known of the window counts no more. */
  readonly reset?: boolean;
  readonly count: number;
  readonly total: number;
  readonly remove?: readonly string[];
  /** By ascending position. */
  readonly put?: readonly { readonly at: number; readonly row: VisitorRow }[];
  readonly more?: boolean;
}

/** `held` until one of the other three is final. */
export type Outcome = "held" | "delivered" | "expired" | "refused";

export interface SignalOutcome {
  readonly id: string;
  readonly outcome: Outcome;
  /** An error code, when the signal was refused. */
  readonly error?: string;
}

/** The service took a signal. */
export interface Accepted extends SignalOutcome {
  readonly visitorid: string;
}

export interface AcceptedAnswer extends OkFrame, Accepted {}

export interface WatchAnswer extends OkFrame {
  readonly visitorid: string;
}

export interface RenewAnswer extends OkFrame {
  readonly expires: number;
}

/** The record of a visitor; times are Unix milliseconds. */
export interface VisitorRecord {
  readonly visitorid: string;
  readonly group: string;
  readonly anonymous: boolean;
  readonly connected: boolean;
  readonly epoch: number;
  readonly sequence: number;
  readonly since: number;
  readonly updated: number;
  readonly sockets: number;
  readonly visibility: Visibility;
  readonly terms: TermsStatus | null;
  readonly help: HelpWish | null;
  readonly data: PresenceData;
  readonly tabs: readonly {
    readonly tab: string;
    readonly page: string;
    readonly visible: boolean;
    readonly focus: boolean;
    readonly listening: boolean;
  }[];
  /** Signals that wait for the visitor. */
  readonly held: number;
}

export interface LookupAnswer extends OkFrame {
  readonly visitor: VisitorRecord | null;
}

export interface OutcomeFrame extends Frame {
  readonly type: "signaloutcome";
  readonly data: SignalOutcome;
}

/** Another agent hands this one his seat in a session. */
export interface SessionOffer {
  readonly visitorid: string;
  readonly session: string;
  /** What that agent is called. */
  readonly from: string;
  /** Until when it can be taken: Unix milliseconds on the server's clock. */
  readonly until: number;
}

export interface OfferFrame extends Frame {
  readonly type: "sessionoffer";
  readonly visitorid: string;
  readonly data: Omit<SessionOffer, "visitorid">;
}
