/** What a page knows of one live list: applies changes to its window. Pure; no socket, no clock. */

import type { VisitorRow, RowsFrame } from "./frames";

/** A live list as it is known now. */
export interface ListState {
  /** The window, in the order of the list. */
  readonly rows: readonly VisitorRow[];
  /** How many visitors pass the filter, in the window or not. */
  readonly count: number;
  /** How many visitors of the group are there. */
  readonly total: number;
  /** Whether the rest of the window is still to come. */
  readonly more: boolean;
}

export const emptyList: ListState = { rows: [], count: 0, total: 0, more: true };

/** The list after a change. Rows that did not change stay the same objects. */
export function applyRows(state: ListState, frame: RowsFrame): ListState {
  const { count, total, remove = [], put = [], more = false } = frame;
  const out = new Set(remove);
  for (const { row } of put) out.add(row.visitorid);
  const rows = frame.reset ? [] : state.rows.filter((row) => !out.has(row.visitorid));
  for (const { at, row } of put) rows.splice(at, 0, row);
  return { rows, count, total, more };
}
