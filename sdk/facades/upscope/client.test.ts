// @vitest-environment happy-dom
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Member } from "../../cobrowse/frames";
import { Client } from "./client";
import { Commands, MOST_EARLY } from "./commands";
import { merged, presenceOf, sharingOf, type Config } from "./config";
import { Idleness } from "./idle";
import { install } from "./install";
import { Observers } from "./observers";
import { filled } from "./prompt";

const ann: Member = { user: 2, role: "agent", name: "Ann", connected: true };

describe("the configuration", () => {
  test("of a later call goes over that of an earlier one, and keeps what is undefined", () => {
    const first = merged({}, { apiKey: "1", uniqueId: "a", tags: ["#A"], surprise: 1 });
    expect(first).toEqual({ apiKey: "1", uniqueId: "a", tags: ["#A"] });
    expect(merged(first, { uniqueId: null, tags: undefined })).toEqual({ apiKey: "1", uniqueId: null, tags: ["#A"] });
    for (const odd of [undefined, null, 7, "x"]) expect(merged(first, odd)).toBe(first);
  });

  test("tells of the visitor what is defined, and clears what is null", () => {
    expect(presenceOf({})).toEqual({});
    expect(presenceOf({ uniqueId: "7", identities: ["Ada"], tags: null })).toEqual({ uniqueId: "7", identities: `["Ada"]`, tags: "[]" });
    expect(presenceOf({ uniqueId: null })).toEqual({ uniqueId: "" });
  });

  test("fills placeholders, and falls back where a name is missing", () => {
    expect(filled("{%agentName%|An agent} asks on {%currentDomain%}", "Ann", "shop.test")).toBe("Ann asks on shop.test");
    expect(filled("{%agentName%|An agent}{%agentName%}{%other%|x}", "", "shop.test")).toBe("An agentx");
  });

  test("asks by default, refuses control as a whole, and masks by class always", async () => {
    let config: Config = {};
    const sharing = sharingOf(window, () => config);
    expect([sharing.agreed, sharing.control, sharing.mask]).toEqual([false, true, [".no-upscope"]]);
    expect(sharing.ask!("view", "Ann")).toBeUndefined();
    config = { requireAuthorizationForSession: false, allowRemoteType: false, maskedElements: ["#iban"], onSessionRequest: (answer, name) => answer(name === "Ann") };
    expect([sharing.agreed, sharing.control, sharing.mask]).toEqual([true, false, [".no-upscope", "#iban"]]);
    expect(sharing.block).toEqual([":is(.no-upscope):not(input,textarea,select)", ":is(#iban):not(input,textarea,select)"]);
    expect(await sharing.ask!("view", "Ann")).toBe(true);
    expect(await sharing.ask!("view", "Bob")).toBe(false);
    expect(sharing.ask!("control", "Ann")).toBeUndefined();
  });
});

test("observers come, change their names and go", () => {
  const observers = new Observers();
  const customer: Member = { user: 1, role: "customer", name: "", connected: true };
  const told = (members: Member[]): unknown[] => observers.follow(members).map(({ event, call }) => [event, ...call]);
  expect(told([customer, ann])).toEqual([["newObserver", "2", { id: "2", name: "Ann" }], ["observersCount", 1]]);
  expect(told([customer, { ...ann, connected: false }])).toEqual([]);
  expect(told([customer, { ...ann, name: "" }])).toEqual([["observerUpdate", "2", { name: null }]]);
  expect(told([customer])).toEqual([["observerGone", "2"], ["observersCount", 0]]);
});

describe("a visitor who does nothing", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("is noticed after the time, however often he moved before, and when he is back", () => {
    const told: boolean[] = [];
    const idleness = new Idleness(window, () => 1_000, (idle) => told.push(idle));
    vi.advanceTimersByTime(900);
    window.dispatchEvent(new Event("keydown"));
    vi.advanceTimersByTime(900);
    expect(told).toEqual([]);
    vi.advanceTimersByTime(100);
    expect(told).toEqual([true]);
    window.dispatchEvent(new Event("pointermove"));
    expect(told).toEqual([true, false]);
    vi.advanceTimersByTime(1_000);
    expect(told).toEqual([true, false, true]);
    idleness.stop();
    window.dispatchEvent(new Event("pointermove"));
    expect(told).toHaveLength(3);
  });

  test.each([1e9, Infinity])("is not noticed before %d seconds, which is more than a timer can", (seconds) => {
    const changed = vi.fn();
    const idleness = new Idleness(window, () => 1_000 * seconds, changed);
    const looks = vi.spyOn(globalThis, "setTimeout");
    vi.advanceTimersByTime(2 ** 31);
    // Once in 24 days it looks how long there is left.
    expect(looks.mock.calls.map(([, ms]) => ms)).toEqual([2 ** 31 - 1]);
    expect(changed).not.toHaveBeenCalled();
    looks.mockRestore();
    idleness.stop();
  });

  test("is never noticed without a limit", () => {
    const changed = vi.fn();
    new Idleness(window, () => 0, changed);
    vi.advanceTimersByTime(1e9);
    expect(changed).not.toHaveBeenCalled();
  });
});

test("an element for the code that is no selector is said aloud by its option, and the next calls are carried out", () => {
  const said = vi.spyOn(console, "warn").mockImplementation(() => {});
  const watches = vi.spyOn(MutationObserver.prototype, "observe");
  const client = new Client(window, "http://v.test", {});
  const stops = vi.spyOn(client, "stopSession");
  const commands = new Commands(client);
  commands.call(["stopSession"]);
  commands.call(["init", { apiKey: "1", autoconnect: false, lookupCodeElement: "#code[" }]);
  expect(said.mock.calls).toEqual([["Upscope: lookupCodeElement is no selector"]]);
  expect(watches).not.toHaveBeenCalled();
  expect(stops).toHaveBeenCalledOnce();
  commands.call(["init", { lookupCodeElement: "#code" }]);
  expect(watches).toHaveBeenCalledOnce();
  expect(said).toHaveBeenCalledOnce();
  said.mockRestore();
  watches.mockRestore();
});

describe("calls", () => {
  const client = (): Client => ({ init: vi.fn(), connect: vi.fn(), reset: vi.fn(), on: vi.fn(), identify: vi.fn(), shortId: "~1" }) as unknown as Client;

  test("wait for init, but for listening", () => {
    const fake = client();
    const commands = new Commands(fake);
    commands.call(["connect"]);
    commands.call(["on", "connection", "sessionStart", () => {}]);
    expect(fake.on).toHaveBeenCalledTimes(2);
    expect(fake.connect).not.toHaveBeenCalled();
    commands.call(["init", { apiKey: "1" }]);
    expect(fake.connect).toHaveBeenCalledOnce();
    commands.call(["reset"]);
    commands.call(["reset", false]);
    expect(vi.mocked(fake.reset).mock.calls).toEqual([[true], [false]]);
  });

  test("that wait for init are as many as may, and others are said to be lost", () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const fake = client();
    const commands = new Commands(fake);
    for (let call = 0; call < MOST_EARLY + 2; call += 1) commands.call(["connect"]);
    commands.call(["init", { apiKey: "1" }]);
    expect(fake.connect).toHaveBeenCalledTimes(MOST_EARLY);
    expect(warn.mock.calls).toEqual(Array(2).fill(["Upscope: connect: too many calls wait for init"]));
    warn.mockRestore();
  });

  test("that fail are said aloud, and break nothing", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const fake = client();
    vi.mocked(fake.init).mockImplementationOnce(() => {
      throw new Error("the configuration has no apiKey");
    });
    const commands = new Commands(fake);
    for (const call of [["init"], ["getShortId", () => {}], ["init", { apiKey: "1" }], ["toString"], ["on", "nothing", () => {}], ["on"], ["getShortId"]]) commands.call(call);
    expect(warn.mock.calls.map(([text]) => text)).toEqual([
      "Upscope: init: the configuration has no apiKey",
      "Upscope: there is no command toString",
      "Upscope: there is no event nothing",
      "Upscope: on: the last argument of on must be a function",
    ]);
    warn.mockRestore();
  });

  test("of a stub are carried out, and a second script changes nothing", () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const globals = window as unknown as { Upscope?: any };
    const early: unknown[] = [];
    globals.Upscope = Object.assign(() => {}, { q: [["on", "connection", () => {}], ["dance"]] });
    install(window, null);
    const { Upscope } = globals;
    install(window, null);
    expect(globals.Upscope).toBe(Upscope);
    Upscope("init", { autoconnect: false });
    expect(warn.mock.calls.map(([text]) => text)).toEqual(["Upscope: init: the configuration has no apiKey"]);
    Upscope("init", { apiKey: 12345, autoconnect: false });
    Upscope("getShortId", (id: string) => early.push(id));
    return vi.waitFor(() => expect(early).toEqual([expect.stringMatching(/^~[0-9a-f]{32}$/)])).finally(() => warn.mockRestore());
  });
});
