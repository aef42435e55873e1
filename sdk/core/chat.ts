/** What visitor and agent know of a chat alike. */

export type ChatStatus = "invited" | "waiting" | "open" | "ended";
/** `left`: the visitor left the site. `unanswered`: nobody came, or the invitation was not answered in time. */
export type ChatEnd = "visitor" | "agent" | "declined" | "unanswered" | "left" | "idle" | "error";

export interface ChatMessage {
  /** Counts the messages of a chat from 1. */
  readonly n: number;
  /** Unix milliseconds on the server's clock. */
  readonly at: number;
  readonly from: "visitor" | "agent" | "system";
  /** What the agent is called, if he has a name. */
  readonly name?: string;
  /** The text, less what the server blotted out. */
  readonly text: string;
}

/** A chat as its visitor sees it. */
export interface ChatView {
  readonly chat: string;
  /** The button that it came by. */
  readonly button?: string;
  readonly status: ChatStatus;
  /** Who has it, or invites. */
  readonly agent?: { readonly name?: string };
  /** Why it ended. */
  readonly reason?: ChatEnd;
  /** The last ones. */
  readonly messages: readonly ChatMessage[];
}

/** Longest text of a message, in bytes. */
export const messageBytes = 4_000;

/** Digits of the code that an offer carries. */
export const offerDigits = 9;

const OFFER = /^\{start:([0-9]{9})\}$/;

/** The code of the co-browse session that a message offers to join; then it is not shown as text. */
export function offerOf(text: string): string | undefined {
  return OFFER.exec(text.trim())?.[1];
}

/** A message that offers to join the session with this code of nine digits. */
export const offer = (code: string): string => `{start:${code}}`;

/** The view with one message more; a message that it has already changes nothing. */
export function withMessage(view: ChatView, message: ChatMessage): ChatView {
  const last = view.messages[view.messages.length - 1];
  return last && last.n >= message.n ? view : { ...view, messages: [...view.messages, message] };
}
