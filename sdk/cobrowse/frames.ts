/** Messages of a session, as a visitor's page and an agent's page meet them. */

import type { Frame, OkFrame } from "../core/frames";
import type { CobrowseSettings } from "./settings";

export type Role = "customer" | "agent" | "controller";
export type ViewState = "off" | "on" | "paused";
export type ConsentTo = "view" | "control";
export type ConsentState = "unasked" | "asked" | "given" | "declined" | "withdrawn";
export type EndReason =
  | "visitor"
  | "declined"
  | "agent"
  | "controller"
  | "usertimeout"
  | "networktimeout"
  | "neverjoined"
  | "toolong";

export interface Permissions {
  readonly point: boolean;
  readonly draw: boolean;
  readonly control: boolean;
}

/** Somebody in a session. */
export interface Member {
  /** His number within the session. */
  readonly user: number;
  readonly role: Role;
  /** Empty when he has none. */
  readonly name: string;
  /** Whether his connection is there; if not, he is waited for. */
  readonly connected: boolean;
  readonly permissions?: Permissions;
}

/** A page of the visitor that is in the session. */
export interface SessionPage {
  /** Numbers the visitor's pages within the session. */
  readonly epoch: number;
  readonly tab: string;
  readonly url: string;
  readonly title: string;
  /** Whether it is the one that agents see. */
  readonly shown: boolean;
}

export type SessionEvent =
  | { readonly what: "joined"; readonly member: Member }
  | { readonly what: "connection"; readonly user: number; readonly connected: boolean }
  | { readonly what: "left"; readonly user: number; readonly reason: "left" | "lost" | "transferred" }
  | { readonly what: "activated" }
  | { readonly what: "view"; readonly state: ViewState }
  | { readonly what: "consent"; readonly to: ConsentTo; readonly state: ConsentState; readonly user?: number }
  | { readonly what: "pages"; readonly pages: readonly SessionPage[] }
  | { readonly what: "message"; readonly data: unknown }
  | { readonly what: "ended"; readonly reason: EndReason; readonly text?: string };

/** What happened, and who is in the session now. */
export type SessionNews = SessionEvent & { readonly members: readonly Member[] };

export interface SessionEventFrame extends Frame {
  readonly type: "sessionevent";
  readonly session: string;
  readonly sequence: number;
  readonly time: number;
  readonly event: SessionEvent;
}

/** What a page comes into. */
export interface EnterAnswer extends OkFrame {
  readonly user: number;
  readonly epoch: number;
  readonly view: ViewState;
  readonly members: readonly Member[];
  readonly settings: CobrowseSettings;
  /** Leads agents here. */
  readonly code?: string;
  /** What the session is called elsewhere. */
  readonly reference?: string;
  /** How long the visitor is waited for when he is lost, in milliseconds. */
  readonly grace_ms: number;
}

/** A page came into a session: how that stands. */
export interface Entrance {
  readonly session: string;
  readonly code?: string | undefined;
  readonly reference?: string | undefined;
  /** How long the visitor is waited for when he is lost. */
  readonly graceMs: number;
  /** Of the group's pages. */
  readonly origins: readonly string[];
  readonly members: readonly Member[];
}

export interface RecordFrame extends Frame {
  readonly type: "record";
  readonly epoch: number;
  readonly on: boolean;
  readonly ticket?: string;
}

export interface AskFrame extends Frame {
  readonly type: "ask";
  readonly to: ConsentTo;
  readonly agent?: Member;
}

/** The members after `event`. */
export function membersAfter(members: readonly Member[], event: SessionEvent): readonly Member[] {
  switch (event.what) {
    case "joined":
      return [...members.filter(({ user }) => user !== event.member.user), event.member];
    case "connection":
      return members.map((member) => (member.user === event.user ? { ...member, connected: event.connected } : member));
    case "left":
      return members.filter(({ user }) => user !== event.user);
    default:
      return members;
  }
}
