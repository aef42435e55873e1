/** The recorder's events, as far as they are let through: numbers and fields of rrweb 2. */

import type { Treatment } from "./secrecy";

export const EventKind = { FullSnapshot: 2, Incremental: 3, Meta: 4 } as const;

export const NodeKind = { Document: 0, DocumentType: 1, Element: 2, Text: 3, CharacterData: 4, Comment: 5 } as const;

export const Source = {
  Mutation: 0,
  MouseMove: 1,
  MouseInteraction: 2,
  Scroll: 3,
  ViewportResize: 4,
  Input: 5,
  TouchMove: 6,
  MediaInteraction: 7,
  StyleSheetRule: 8,
  Drag: 12,
  StyleDeclaration: 13,
  Selection: 14,
  AdoptedStyleSheet: 15,
  CustomElement: 16,
} as const;

/** What the recorder hands over; its fields are looked at one by one. */
export interface RecordedEvent {
  readonly type: number;
  readonly timestamp: number;
  readonly data: any;
}

/** What may leave the page. */
export type MaskedEvent = RecordedEvent;

export interface RecordedNode {
  readonly type: number;
  readonly id: number;
  readonly tagName?: string;
  readonly isSVG?: boolean;
  readonly attributes?: Readonly<Record<string, unknown>>;
  readonly textContent?: string;
  readonly childNodes?: readonly RecordedNode[];
}

export interface StyleRule {
  readonly rule: string;
  readonly index?: number | number[];
}

/** Where a text stands. */
export interface TextContext {
  /** The element around it. */
  readonly tag: string;
  readonly treatment: Treatment;
}
