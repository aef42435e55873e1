import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { changes, whenActivated, whenDeactivated, whenJoined } from "./attached";
import { isSlavePage, readAddress, sessionToken, writeAddress } from "./slave-address";
import { startOf } from "./start-message";

const HISTORY = "83d03970-c959-11e2-857d-082e5f12b9a1";

describe("attached data", () => {
  test("of one session, from its join to its end", () => {
    const joined = whenJoined({}, HISTORY);
    expect(joined).toEqual({ CoBrowseAssociated: "Yes", CoBrowseSessionsQuantity: 1, CoBrowseSessionId: HISTORY });
    const active = whenActivated(joined, 1_700_000_000_000);
    expect(changes(joined, active)).toEqual({ CoBrowseStartTime: "1700000000000" });
    const over = whenDeactivated(active, { activationTime: 1_700_000_000_000, deactivationTime: 1_700_000_061_500 });
    expect(changes(active, over)).toEqual({ CoBrowseAssociated: "No", CoBrowseDuration: 61_500 });
  });

  test("of a second session: counted, added up, and begun when the first one was", () => {
    const first = whenDeactivated(whenActivated(whenJoined({}, "one"), 1_000), { activationTime: 1_000, deactivationTime: 3_000 });
    const second = whenDeactivated(whenActivated(whenJoined(first, "two"), 9_000), { activationTime: 9_000, deactivationTime: 9_500 });
    expect(second).toEqual({ CoBrowseAssociated: "No", CoBrowseSessionsQuantity: 2, CoBrowseSessionId: "two", CoBrowseStartTime: "1000", CoBrowseDuration: 2_500 });
  });

  test("of a session that no agent joined has no times, and one whose activation was missed has them at its end", () => {
    expect(whenDeactivated(whenJoined({}, "one"), { activationTime: null, deactivationTime: 5 })).toEqual({ CoBrowseAssociated: "No", CoBrowseSessionsQuantity: 1, CoBrowseSessionId: "one" });
    expect(whenDeactivated(whenJoined({}, "one"), {}).CoBrowseDuration).toBeUndefined();
    expect(whenDeactivated(whenJoined({}, "one"), { activationTime: 7, deactivationTime: 9 })).toMatchObject({ CoBrowseStartTime: "7", CoBrowseDuration: 2 });
  });
});

test("a chat message asks for a session by the documented form alone", () => {
  expect(startOf("{start:012345678}")).toBe("012345678");
  for (const other of ["", "{start:12345678}", "{start:1234567890}", " {start:123456789}", "{start:123456789} please", "{Start:123456789}", "{start:12345678a}"]) {
    expect([other, startOf(other)]).toEqual([other, undefined]);
  }
});

describe("the address of slave.html", () => {
  test("has its three parameters behind #, in any order, and a ticket of ours", () => {
    expect(readAddress("#nosidinput=1&sid=123456789")).toEqual({ sid: "123456789", ticket: undefined, hasOwnField: true, debug: false });
    expect(readAddress("#debug=1")).toEqual({ sid: undefined, ticket: undefined, hasOwnField: false, debug: true });
    expect(readAddress("#ticket=a.b-_&sid=1&nosidinput=0")).toEqual({ sid: "1", ticket: "a.b-_", hasOwnField: false, debug: false });
    expect(readAddress("")).toEqual({ sid: undefined, ticket: undefined, hasOwnField: false, debug: false });
  });

  test("is written as it is read", () => {
    expect(writeAddress({})).toBe("");
    expect(writeAddress({ sid: "123456789", hasOwnField: true })).toBe("#nosidinput=1&sid=123456789");
    const whole = { sid: "123456789", ticket: "a.b", hasOwnField: true, debug: true };
    expect(readAddress(writeAddress(whole))).toEqual(whole);
  });

  test("keeps its name wherever a proxy puts it", () => {
    expect(["/cobrowse/slave.html", "/agents/slave.html", "/watch/", "/cobrowse/slave.html/x"].map((pathname) => isSlavePage({ pathname }))).toEqual([true, true, false, false]);
  });

  test("takes the nine digits however a person writes them", () => {
    expect(["123456789", " 123 456 789 ", "123-456-789", "12345678", "1234567890", "12345678x", ""].map(sessionToken)).toEqual(["123456789", "123456789", "123456789", undefined, undefined, undefined, undefined]);
  });
});

test("the table of compatibility has each key that is attached, and none besides works", () => {
  const all = readFileSync(new URL("../../../docs/compatibility.md", import.meta.url), "utf8").split("# Compatibility with Genesys Co-browse")[1]!.split("\n# ")[0]!;
  const told = [...all.matchAll(/^\| `((?:Is)?CoBrowse\w+)` \| (works|differs)/gm)].map(([, key]) => key);
  const attached = whenDeactivated(whenActivated(whenJoined({}, "one"), 1), { activationTime: 1, deactivationTime: 2 });
  expect(told.sort()).toEqual(Object.keys(attached).sort());
});
