// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Emitter } from "../core/emitter";
import { VestibuleError } from "../core/errors";
import type { ClientFrame } from "../core/frames";
import { FakeServer, settle } from "../core/testing";
import type { VisitorEvents } from "../visitor/options";
import type { EnterAnswer, Member, SessionEvent } from "./frames";
import { Guest } from "./guest";
import { plainSettings, type CobrowseSettings } from "./settings";

const SESSION = "0123456789abcdef0123456789abcdef";
const ann: Member = { user: 2, role: "agent", name: "Ann", connected: true };

let server: FakeServer;
let asked: { frame: ClientFrame; answer(fields?: object): Promise<void>; refuse(code: string): Promise<void> }[];
let sent: ClientFrame[];
let problems: string[];
let guest: Guest;

beforeEach(() => {
  document.title = "";
  server = new FakeServer();
  // The stream's sockets carry bytes, too.
  const open = server.environment.open;
  Object.assign(server.environment, { open: (url: string) => Object.assign(open(url), { addEventListener: () => {}, bufferedAmount: 0 }) });
  asked = [];
  sent = [];
  problems = [];
  guest = new Guest(
    {
      page: window,
      environment: server.environment,
      origin: "https://help.test",
      group: "12345",
      tab: () => "tab",
      events: new Emitter<VisitorEvents>(),
      sharing: {},
      problem: (code) => problems.push(code),
      connection: {
        send: (frame) => sent.push(frame) > 0,
        request: (frame) =>
          new Promise((resolve, reject) => {
            asked.push({
              frame,
              answer: (fields = {}) => (resolve({ type: "ok", request: 1, ...fields } as never), settle()),
              refuse: (code) => (reject(new VestibuleError(code)), settle()),
            });
          }),
      },
    },
    SESSION,
  );
});
afterEach(async () => {
  guest.end();
  await server.clock.pass(60_000);
});

const last = (type: string) => {
  const found = asked.filter(({ frame }) => frame.type === type).pop();
  if (!found) throw new Error(`no ${type} was asked`);
  return found;
};
const entered = (settings: Partial<CobrowseSettings> = {}, fields: Partial<EnterAnswer> = {}): Promise<void> =>
  last("enter").answer({ user: 1, epoch: 3, view: "off", members: [ann], settings: { ...plainSettings, ...settings }, ...fields });
const happens = (event: SessionEvent): void => guest.receive({ type: "sessionevent", session: SESSION, sequence: 1, time: 0, event } as never);
const record = (on: boolean, epoch = 3): void => guest.receive({ type: "record", epoch, on, ...(on && { ticket: `t${epoch}` }) } as never);
const streams = () => server.sockets.filter(({ url }) => url.includes("/v1/stream"));

describe("coming in", () => {
  test("tells address and title without what is secret in them", async () => {
    await last("enter").refuse("connection");
    history.replaceState(null, "", "/account?token=secret#secret");
    document.title = "Account of Ada 4111 1111 1111 1111";
    guest.welcomed();
    expect(last("enter").frame).toMatchObject({ session: SESSION, title: "" });
    expect(String(last("enter").frame.url)).toMatch(/\/account$/);
    await entered({ patterns: ["Ada"] });
    expect(sent[0]).toMatchObject({ type: "navigate", title: "Account of ••• •••• •••• •••• ••••" });
  });

  test("in private mode says no word of the title", async () => {
    document.title = "Account of Ada";
    await entered({ private: true });
    expect(sent[0]).toMatchObject({ title: "••••••• •• •••" });
  });

  test("again after a reconnect, once at a time", async () => {
    guest.welcomed();
    expect(asked.filter(({ frame }) => frame.type === "enter")).toHaveLength(1);
    await entered();
    guest.welcomed();
    expect(asked.filter(({ frame }) => frame.type === "enter")).toHaveLength(2);
  });

  test("into a session that is over ends it here", async () => {
    await last("enter").refuse("notfound");
    record(true);
    await settle();
    expect(streams()).toHaveLength(0);
  });
});

describe("recording", () => {
  test("begins on order, once the settings are known, with the ticket that came", async () => {
    record(true);
    expect(streams()).toHaveLength(0);
    await entered();
    expect(streams()).toHaveLength(1);
    expect(streams()[0]!.open().last("hello")).toEqual({ type: "hello", ticket: "t3", tab: "tab" });
  });

  test("ends at once on order, on pause, on stop, and when the page is left", async () => {
    await entered();
    const ends: (() => void)[] = [() => record(false), () => guest.away(true), () => guest.receive({ type: "record", epoch: 4, on: false } as never)];
    for (const end of ends) {
      record(true);
      const stream = streams().pop()!;
      expect(stream.closedByClient).toBe(false);
      end();
      expect(stream.closedByClient).toBe(true);
    }
  });

  test("goes on while only the network of the visitor's socket is away", async () => {
    await entered();
    record(true);
    guest.away(false);
    expect(streams()[0]!.closedByClient).toBe(false);
  });

  test("does not begin when this browser cannot mask as the group wants", async () => {
    await entered({ mask: [":::"] });
    record(true);
    expect(streams()).toHaveLength(0);
    expect(problems).toEqual(["maskingerror"]);
  });

  test("of a page that is refused is asked for anew, without hurry", async () => {
    await entered();
    record(true);
    await streams()[0]!.open().drop(4502);
    expect(asked.filter(({ frame }) => frame.type === "enter")).toHaveLength(1);
    await server.clock.pass(5_000);
    expect(asked.filter(({ frame }) => frame.type === "enter")).toHaveLength(2);
  });
});

describe("the visitor's word", () => {
  test("is not asked for twice, and a question that was settled elsewhere is taken back", async () => {
    await entered();
    guest.receive({ type: "ask", to: "view", agent: ann } as never);
    guest.receive({ type: "ask", to: "view", agent: ann } as never);
    happens({ what: "consent", to: "view", state: "given" });
    await settle();
    expect(asked.some(({ frame }) => frame.type === "consent")).toBe(false);
  });

  test("the session's end ends all of it", async () => {
    await entered();
    record(true);
    happens({ what: "ended", reason: "agent" });
    expect(streams()[0]!.closedByClient).toBe(true);
    record(true, 9);
    expect(streams()).toHaveLength(1);
    expect(document.querySelector("[data-vestibule-session]")).not.toBeNull();
    await server.clock.pass(5_000);
    expect(document.querySelector("[data-vestibule-session]")).toBeNull();
  });
});
