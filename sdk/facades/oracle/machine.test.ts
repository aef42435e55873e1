import { describe, expect, test } from "vitest";
import { Machine, type Agent, type Input } from "./machine";
import type { Told } from "./states";

const ann: Agent = { id: "s-2", name: "Ann", connected: true };
const bea: Agent = { id: "s-3", name: "Bea", connected: true };
const SITE = "SC12345678:US:1";
const CODE = "012345";
const of = { accessCode: CODE, SID: undefined, siteCode: SITE };

const entered = (agents: readonly Agent[] = [], known?: readonly Agent[]): Input => ({ what: "entered", accessCode: CODE, SID: undefined, agents, known });

/** What a machine tells of these inputs, one after another. */
function life(...inputs: Input[]): { machine: Machine; told: Told[] } {
  const machine = new Machine(SITE);
  return { machine, told: inputs.flatMap((input) => machine.apply(input)) };
}

/** The same in short: states as they are, other events by name. */
function short(...inputs: Input[]): string[] {
  return life(...inputs).told.map(({ name, data }) => (name === "StateChanged" ? data.state : name));
}

const ready: Input = { what: "vacant" };
const starts: Input = { what: "starts" };
const over: Input = { what: "over", reason: "AGENT_INITIATED" };

describe("a session's life", () => {
  test("goes through all states, each change told after what it is about", () => {
    expect(short(ready, starts, entered(), { what: "agents", agents: [ann] }, { what: "agents", agents: [] }, { what: "stops", reason: "USER_INITIATED" }, over)).toEqual([
      "READY",
      "SessionStarting",
      "STARTING",
      "SessionStarted",
      "ACTIVE",
      "ACTIVE:WAIT",
      "AgentConnected",
      "ACTIVE:ACTIVE",
      "AgentDisconnected",
      "ACTIVE:WAIT",
      "DISCONNECTING",
      "SessionEnded",
      "READY",
    ]);
  });

  test("every payload has exactly its properties", () => {
    const { told } = life(ready, starts, entered([ann]), { what: "leaves", url: "https://other.example/" }, { what: "agents", agents: [] }, over);
    expect(told).toStrictEqual([
      { name: "StateChanged", data: { state: "READY", previousState: "INIT", accessCode: undefined, SID: undefined, siteCode: SITE } },
      { name: "SessionStarting", data: { SID: undefined, siteCode: SITE } },
      { name: "StateChanged", data: { state: "STARTING", previousState: "READY", accessCode: undefined, SID: undefined, siteCode: SITE } },
      { name: "SessionStarted", data: { ...of, mode: "ICB" } },
      { name: "StateChanged", data: { state: "ACTIVE", previousState: "STARTING", ...of } },
      { name: "AgentConnected", data: { name: "Ann", id: "s-2", ...of } },
      { name: "StateChanged", data: { state: "ACTIVE:ACTIVE", previousState: "ACTIVE", ...of } },
      { name: "NavigatingAway", data: { url: "https://other.example/", ...of } },
      { name: "AgentDisconnected", data: { name: "Ann", id: "s-2", ...of } },
      { name: "StateChanged", data: { state: "ACTIVE:WAIT", previousState: "ACTIVE:ACTIVE", ...of } },
      { name: "StateChanged", data: { state: "DISCONNECTING", previousState: "ACTIVE:WAIT", ...of } },
      { name: "SessionEnded", data: { reason: "AGENT_INITIATED", ...of, agentCount: 0 } },
      { name: "StateChanged", data: { state: "READY", previousState: "DISCONNECTING", accessCode: undefined, SID: undefined, siteCode: SITE } },
    ]);
  });

  test("an identifier from outside stands in every payload, and no code", () => {
    const { told, machine } = life(ready, { what: "starts", SID: "chat7" }, { what: "entered", accessCode: undefined, SID: "chat7", agents: [] });
    expect(told.slice(1).map(({ data }) => data.SID)).toEqual(["chat7", "chat7", "chat7", "chat7", "chat7"]);
    expect([machine.accessCode, machine.SID]).toEqual([undefined, "chat7"]);
  });

  test("the reason that the page gave goes before the server's", () => {
    const ended = (...inputs: Input[]) => life(ready, starts, entered([ann, { ...bea, connected: false }]), ...inputs).told.find(({ name }) => name === "SessionEnded")?.data;
    expect(ended({ what: "stops", reason: "cart is empty" }, over)).toMatchObject({ reason: "cart is empty", agentCount: 1 });
    expect(ended(over)).toMatchObject({ reason: "AGENT_INITIATED" });
    const again = life(ready, starts, { what: "stops", reason: "mine" }, over, starts, entered(), over).told.filter(({ name }) => name === "SessionEnded");
    expect(again.map(({ data }) => (data as { reason: string }).reason)).toEqual(["mine", "AGENT_INITIATED"]);
  });

  test("a start that comes to nothing ends without an error", () => {
    expect(short(ready, starts, { what: "over", reason: "NETWORK_TIMEOUT" })).toEqual(["READY", "SessionStarting", "STARTING", "DISCONNECTING", "SessionEnded", "READY"]);
  });
});

describe("what does not fit the state changes nothing", () => {
  test.each<[string, Input[], Input]>([
    ["start before it is known whether a session runs", [], starts],
    ["start twice", [ready, starts], starts],
    ["start in a session", [ready, starts, entered()], starts],
    ["stop without a session", [ready], { what: "stops", reason: "x" }],
    ["an end where there is none", [ready], over],
    ["agents before the page is in", [ready, starts], { what: "agents", agents: [ann] }],
    ["a link before the page is in", [ready], { what: "leaves", url: "https://other.example/" }],
    ["an entrance while it ends", [ready, starts, { what: "stops", reason: "x" }], entered([ann])],
    ["anything after an error", [{ what: "fails" }], ready],
    ["the same agents again", [ready, starts, entered([ann])], entered([ann])],
  ])("%s", (_, before, input) => {
    const { machine } = life(...before);
    const { state, previousState } = machine;
    expect(machine.apply(input)).toEqual([]);
    expect([machine.state, machine.previousState]).toEqual([state, previousState]);
  });
});

describe("resumption", () => {
  test("a session that outlived the page load is told by the state alone", () => {
    expect(short(entered())).toEqual(["ACTIVE:WAIT"]);
    expect(short(entered([ann]))).toEqual(["ACTIVE:ACTIVE"]);
    expect(short(entered([ann], [ann]))).toEqual(["ACTIVE:ACTIVE"]);
  });

  test("who came and went while no page was there is told", () => {
    const { told } = life(entered([bea], [ann]));
    expect(told.map(({ name, data }) => `${name} ${"id" in data ? data.id : ""}`)).toEqual(["AgentDisconnected s-2", "AgentConnected s-3", "StateChanged "]);
  });

  test("a session that ended meanwhile was none of this page's", () => {
    expect(short(over)).toEqual(["READY"]);
  });

  test("a session that begins elsewhere begins here", () => {
    expect(short(ready, entered([ann]))).toEqual(["READY", "SessionStarting", "STARTING", "SessionStarted", "ACTIVE", "AgentConnected", "ACTIVE:ACTIVE"]);
  });
});

test("an error ends the session that there is, and is the last thing", () => {
  expect(short({ what: "fails" })).toEqual(["ERROR"]);
  const { told, machine } = life(ready, starts, entered([ann]), { what: "fails" });
  expect(told.slice(-2)).toStrictEqual([
    { name: "SessionEnded", data: { reason: "NETWORK_TIMEOUT", ...of, agentCount: 1 } },
    { name: "StateChanged", data: { state: "ERROR", previousState: "ACTIVE:ACTIVE", accessCode: undefined, SID: undefined, siteCode: SITE } },
  ]);
  expect(machine.hasSession).toBe(false);
});
