/** Frames of the wire protocol (`docs/protocol.md`), parsed once at the socket. */

export interface Frame {
  readonly type: string;
}

/** A client's frame; the connection adds `request` where an answer is wanted. */
export interface ClientFrame extends Frame {
  readonly [field: string]: unknown;
}

export interface OkFrame extends Frame {
  readonly type: "ok";
  readonly request: number;
  /** The server that the nodes share is away: what is told may be old. */
  readonly degraded?: boolean;
}

export interface ErrorFrame extends Frame {
  readonly type: "error";
  readonly request?: number;
  readonly code: string;
  readonly field?: string;
  readonly msg?: string;
  readonly retry_ms?: number;
  /** It was refused because the server that the nodes share is away. */
  readonly degraded?: boolean;
}

/** The server that several nodes share is away, or is back; told unasked, to agents and viewers. */
export interface DegradedFrame extends Frame {
  readonly type: "degraded";
  readonly degraded: boolean;
}

export interface GoAwayFrame extends Frame {
  readonly type: "goaway";
  readonly retry_ms?: number;
}

export interface WelcomeFrame extends Frame {
  readonly type: "welcome";
  readonly socket: string;
  /** The server's clock, Unix milliseconds. */
  readonly now: number;
}

/** What the connection itself handles. */
export type ControlFrame = OkFrame | ErrorFrame | GoAwayFrame | WelcomeFrame;

export type TermsStatus = "displayed" | "accepted" | "declined";
export type SessionEndReason = "agent" | "visitor" | "error";
export type Visibility = "visible" | "hidden";

/** What went wrong in a visitor's page. */
export interface VisitorProblem {
  readonly code: string;
  readonly msg: string;
  readonly params?: unknown;
}

/** The JSON object of a text frame, or nothing when it is not one with a `type`. */
export function parseFrame(data: unknown): Frame | undefined {
  if (typeof data !== "string") return undefined;
  try {
    const frame = JSON.parse(data) as Frame | null;
    return frame && typeof frame.type === "string" ? frame : undefined;
  } catch {
    return undefined;
  }
}

/** How it stands with the visitor's wish for help. */
export interface HelpNews {
  /** Names the wish. */
  readonly help: string;
  /** `unavailable`: an agent said so, or nobody came in time. */
  readonly status: "pending" | "accepted" | "unavailable" | "canceled";
  /** The agent who comes, if he has a name. */
  readonly agent?: string;
}
