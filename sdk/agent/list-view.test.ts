import { expect, test } from "vitest";
import type { RowsFrame, VisitorRow } from "./frames";
import { applyRows, emptyList } from "./list-view";

const row = (visitorid: string, sockets = 1) => ({ visitorid, sockets }) as VisitorRow;
const frame = (fields: Partial<RowsFrame>): RowsFrame => ({ type: "rows", list: 1, count: 0, total: 0, ...fields });
const ids = (rows: readonly VisitorRow[]) => rows.map(({ visitorid }) => visitorid).join("");

test("removed rows go first, then rows are put at their places one after the other", () => {
  let state = applyRows(emptyList, frame({ reset: true, count: 4, total: 9, put: [..."abcd"].map((id, at) => ({ at, row: row(id) })) }));
  expect(ids(state.rows)).toBe("abcd");
  expect(state).toMatchObject({ count: 4, total: 9, more: false });
  const [a, , c] = state.rows;
  state = applyRows(state, frame({ remove: ["b"], put: [{ at: 0, row: row("d", 2) }, { at: 3, row: row("e") }] }));
  expect(ids(state.rows)).toBe("dace");
  expect(state.rows[0]?.sockets).toBe(2);
  expect(state.rows[1]).toBe(a);
  expect(state.rows[2]).toBe(c);
});

test("counts alone leave the window as it is, and a reset forgets it", () => {
  const state = applyRows(emptyList, frame({ put: [{ at: 0, row: row("a") }], more: true }));
  expect(state.more).toBe(true);
  expect(applyRows(state, frame({ count: 3, total: 5 }))).toEqual({ rows: state.rows, count: 3, total: 5, more: false });
  expect(applyRows(state, frame({ reset: true })).rows).toEqual([]);
});

test("whatever moves, the window is the server's in the end", () => {
  // The server's rule for `remove` and `put`, for any two windows.
  const change = (before: VisitorRow[], after: VisitorRow[]): RowsFrame => {
    const stays = new Set(after.map(({ visitorid }) => visitorid));
    const remove = before.filter(({ visitorid }) => !stays.has(visitorid)).map(({ visitorid }) => visitorid);
    const put = after.flatMap((row, at) => (before.includes(row) ? [] : [{ at, row }]));
    return frame({ remove, put });
  };
  let seed = 7;
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  let window: VisitorRow[] = [];
  let state = emptyList;
  for (let round = 0; round < 500; round += 1) {
    // Rows that did not change keep their order; the others come, go and move.
    const after = window.filter(() => random(4) > 0);
    for (let number = random(5); number > 0; number -= 1) {
      const id = String.fromCharCode(97 + random(26));
      const known = after.findIndex(({ visitorid }) => visitorid === id);
      if (known >= 0) after.splice(known, 1);
      after.splice(random(after.length + 1), 0, row(id, round));
    }
    state = applyRows(state, change(window, after));
    expect(state.rows).toEqual(after);
    window = after;
  }
});
