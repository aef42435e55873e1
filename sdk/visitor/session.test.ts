import { beforeEach, describe, expect, test, vi } from "vitest";
import { Emitter } from "../core/emitter";
import { settle } from "../core/testing";
import type { VisitorEvents } from "./options";
import { Session } from "./session";
import type { SessionGuest } from "./session-host";

/** What the page loads in place of the recorder; it tells what is done with it. */
const BUNDLE = `data:text/javascript,export const join = (host, session) => globalThis.joined(host, session);//`;
const [one, other] = ["1".repeat(32), "2".repeat(32)];

let did: string[];
let told: string[];
let problems: string[];
let session: Session;

function make(origin = BUNDLE): Session {
  const events = new Emitter<VisitorEvents>();
  events.on("sessionstart", ({ session: id, continued }) => told.push(`start ${id[0]}${continued ? " continued" : ""}`));
  events.on("sessionend", ({ session: id }) => told.push(`end ${id[0]}`));
  return new Session({ origin, events, problem: (code: string) => problems.push(code) } as never);
}

/** Loading takes real turns. */
const loaded = () => vi.waitFor(() => expect(did.length + problems.length).toBeGreaterThan(0));

beforeEach(() => {
  did = [];
  told = [];
  problems = [];
  vi.stubGlobal("joined", (_: unknown, id: string): SessionGuest => {
    did.push(`join ${id[0]}`);
    return {
      welcomed: () => did.push("welcomed"),
      away: (paged) => did.push(paged ? "left" : "away"),
      receive: ({ type }) => did.push(type),
      end: () => did.push(`end ${id[0]}`),
    };
  });
  session = make();
});

describe("a page", () => {
  test("without a session loads nothing", async () => {
    session.welcomed(undefined);
    session.receive({ type: "session", session: null } as never);
    await settle();
    expect([did, told, session.id]).toEqual([[], [], undefined]);
  });

  test("loads what it needs when its welcome names a session, and comes in again after a reconnect", async () => {
    session.welcomed(one);
    await loaded();
    expect(session.receive({ type: "record" })).toBe(true);
    session.away(false);
    session.welcomed(one);
    expect(did).toEqual(["join 1", "record", "away", "welcomed"]);
    expect(told).toEqual(["start 1 continued"]);
  });

  test("follows sessions that begin, change and end while it is there", async () => {
    session.receive({ type: "session", session: one } as never);
    await loaded();
    session.receive({ type: "session", session: other } as never);
    await vi.waitFor(() => expect(did).toContain("join 2"));
    session.receive({ type: "session", session: null } as never);
    expect(did).toEqual(["join 1", "end 1", "join 2", "end 2"]);
    expect(told).toEqual(["start 1", "end 1", "start 2", "end 2"]);
  });

  test("does not come into a session that ended while it was loading", async () => {
    session.runs(one);
    session.runs(undefined);
    await import(/* @vite-ignore */ `${BUNDLE}/sdk/cobrowse.js`);
    await settle();
    expect(did).toEqual([]);
  });

  test("tells when it cannot load, and leaves other messages to others", async () => {
    const broken = make("data:text/javascript,throw 1;//");
    broken.runs(one);
    await loaded();
    expect(problems).toEqual(["SCRIPT_NOT_LOADED"]);
    expect(broken.receive({ type: "signal" })).toBe(false);
  });
});
