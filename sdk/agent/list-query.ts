/** What a live list shows: who, in which order, and which part. */

import type { TermsStatus, Visibility } from "../core/frames";

/** A text that a field equals, or operators; `contains` ignores case. All of them have to hold. */
export type TextClause = string | number | { readonly eq?: string; readonly prefix?: string; readonly contains?: string };

/** A value of the presence data: as a text, as a number, or whether there is one. */
export type DataClause =
  | TextClause
  | {
      readonly eq?: string | number;
      readonly prefix?: string;
      readonly contains?: string;
      readonly exists?: boolean;
      readonly lt?: number;
      readonly lte?: number;
      readonly gt?: number;
      readonly gte?: number;
    };

/** A time, Unix milliseconds. */
export interface TimeClause {
  readonly before?: number;
  readonly after?: number;
}

/** Who is in a list: visitors for whom every clause holds. At most 32 clauses, texts of at most 256 characters. */
export interface ListFilter {
  readonly visitorid?: TextClause;
  readonly url?: TextClause;
  /** In the visitor id or in any value of the presence data, in any case. */
  readonly text?: string;
  readonly anonymous?: boolean;
  /** Whether the visitor is between two pages. */
  readonly transit?: boolean;
  readonly visibility?: Visibility;
  readonly terms?: TermsStatus | "none";
  /** How it stands with the visitor's wish for help. */
  readonly help?: "none" | "pending" | "accepted";
  /** When the visitor became connected. */
  readonly since?: TimeClause;
  /** When the visitor was last heard of. */
  readonly updated?: TimeClause;
  /** Any key of the presence data. */
  readonly [key: `data.${string}`]: DataClause;
}

type SortField = "visitorid" | "since" | "updated" | "help" | `data.${string}`;

/** The order; with `-` the greatest come first. Visitors without a value come last. */
export type ListSort = SortField | `-${SortField}`;

/** The part that is looked at. */
export interface ListWindow {
  /** Rows before it; 0 by default. */
  readonly offset?: number;
  /** Rows in it, 1 to 200; 50 by default. */
  readonly size?: number;
}

export interface ListQuery {
  /** Everybody by default. */
  readonly filter?: ListFilter;
  /** `-since`, who came last, by default. */
  readonly sort?: ListSort;
  readonly window?: ListWindow;
}
