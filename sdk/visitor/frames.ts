/** Frames of the visitor's socket. */

import type { ErrorFrame, Frame, HelpNews, OkFrame, TermsStatus, WelcomeFrame } from "../core/frames";

export interface VisitorWelcome extends WelcomeFrame {
  readonly visitorid: string;
  readonly epoch: number;
  readonly focus: boolean;
  readonly terms: TermsStatus | null;
  /** The co-browse session that the visitor is in. */
  readonly session?: string;
  /** His wish for help, while it waits or an agent has it. */
  readonly help?: HelpNews;
}

export interface HelpFrame extends Frame, HelpNews {
  readonly type: "help";
}

export interface HelpAnswer extends OkFrame, HelpNews {}

export interface SignalFrame extends Frame {
  readonly type: "signal";
  readonly id: string;
  /** Unix milliseconds on the server's clock. */
  readonly deadline: number;
  readonly data: unknown;
}

export interface InvokeFrame extends Frame {
  readonly type: "invoke";
  readonly id: string;
  readonly deadline: number;
  readonly func: string;
  readonly args?: unknown;
}

export interface FocusFrame extends Frame {
  readonly type: "focus" | "blur";
}

/** A session of this visitor began, or is over. */
export interface SessionFrame extends Frame {
  readonly type: "session";
  readonly session: string | null;
}

export type VisitorFrame = SignalFrame | InvokeFrame | FocusFrame | HelpFrame | ErrorFrame;

export interface SessionAnswer extends OkFrame {
  readonly session: string;
}

/** A code that an agent of the group can reach this visitor by. */
export interface UniqueId {
  readonly uniqueid: string;
  /** The life that is left. */
  readonly seconds: number;
}

export interface UniqueAnswer extends OkFrame, UniqueId {}
