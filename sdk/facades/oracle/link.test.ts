// @vitest-environment happy-dom

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Entrance, Member } from "../../cobrowse/frames";
import { memoryStore } from "../../core/storage";
import { FakePage, FakeServer, settle } from "../../core/testing";
import { Visitor } from "../../visitor/visitor";
import { Events } from "./events";
import { Link, START_MS, STOP_MS } from "./link";
import { Machine } from "./machine";

const SESSION = "0123456789abcdef0123456789abcdef";
const ann: Member = { user: 2, role: "agent", name: "Ann", connected: true };
const entrance: Entrance = { session: SESSION, code: "204816", graceMs: 30_000, origins: ["https://shop.example"], members: [{ user: 1, role: "customer", name: "", connected: true }, ann] };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A page with its link, connected; `told` is the story so far. */
async function linked(store = memoryStore(), welcome: object = {}) {
  const server = new FakeServer();
  const page = new FakePage();
  const core = new Visitor({ server: "https://help.test", group: "12345", environment: server.environment, page: page.window, identity: page.identity });
  const machine = new Machine("S");
  const events = new Events();
  const told: string[] = [];
  events.sources.StateChanged.listen(({ state }) => told.push(state));
  events.sources.SessionEnded.listen(({ reason }) => told.push(`ended ${reason}`));
  events.sources.AgentConnected.listen(({ name }) => told.push(`connected ${name}`));
  const link = new Link({ core, machine, events, clock: server.clock, store, onChange: () => vi.runAllTimers() });
  core.presence().catch(() => {});
  const socket = await server.welcome(welcome);
  const emit = (name: string, data: unknown): void => (core as any).events.emit(name, data);
  return { server, socket, link, machine, told, emit, core };
}

/** A page that is in a session. */
async function shared() {
  const all = await linked();
  all.link.start({});
  await settle();
  await all.socket.ok("startsession", { session: SESSION, code: "204816" });
  all.emit("sessionentered", entrance);
  all.told.length = 0;
  return all;
}

test("a start tells the server what is wanted, and waits for the page to come in", async () => {
  const { socket, link, machine, told, emit } = await linked();
  link.start({ reportingId: "visit-7" });
  await settle();
  expect(socket.last("startsession")).toMatchObject({ agreed: true, withcode: true, reportingid: "visit-7" });
  expect(socket.last("startsession")).not.toHaveProperty("reference");
  await socket.ok("startsession", { session: SESSION, code: "204816" });
  expect(told).toEqual(["READY", "STARTING"]);
  emit("sessionentered", entrance);
  expect(told).toEqual(["READY", "STARTING", "ACTIVE", "connected Ann", "ACTIVE:ACTIVE"]);
  expect(machine.agents.map(({ id }) => id)).toEqual([`${SESSION}-2`]);
});

test("a start with a name from outside wants no code", async () => {
  const { socket, link } = await linked();
  link.start({ SID: "chat-7" });
  await settle();
  expect(socket.last("startsession")).toMatchObject({ withcode: false, reference: "chat-7" });
});

test("a start that has no answer in time ends without an error, and so does one that is refused", async () => {
  const { server, socket, link, told } = await linked();
  link.start({});
  await server.clock.pass(START_MS - 1);
  expect(told).toEqual(["READY", "STARTING"]);
  expect(socket.all("startsession").length).toBeGreaterThan(1);
  await server.clock.pass(1 + STOP_MS);
  expect(told.slice(2)).toEqual(["DISCONNECTING", "ended NETWORK_TIMEOUT", "READY"]);
  link.start({});
  await settle();
  await socket.refuse("startsession", "ratelimited");
  expect(told.slice(5)).toEqual(["STARTING", "DISCONNECTING", "ended START_FAILED", "READY"]);
  await server.clock.pass(START_MS);
  expect(told).toHaveLength(9);
});

test("what was stopped before it began is ended when it begins", async () => {
  const { socket, link, told } = await linked();
  link.start({});
  await settle();
  link.stop("changed my mind");
  expect(told).toEqual(["READY", "STARTING", "DISCONNECTING"]);
  expect(socket.all("endsession")).toHaveLength(0);
  await socket.ok("startsession", { session: SESSION, code: "204816" });
  await socket.ok("endsession");
  expect(told.slice(3)).toEqual(["ended changed my mind", "READY"]);
});

test("a stop waits for the server, but not for long", async () => {
  const { server, socket, link, told, emit } = await shared();
  link.stop("done");
  await settle();
  expect(socket.last("endsession")).toMatchObject({ text: "done" });
  expect(told).toEqual(["DISCONNECTING"]);
  await server.clock.pass(STOP_MS);
  expect(told).toEqual(["DISCONNECTING", "ended done", "READY"]);
  // What the server says of it later is old.
  emit("sessionend", { session: SESSION });
  expect(told).toHaveLength(3);
});

test.each([
  ["visitor", "USER_INITIATED"],
  ["declined", "USER_INITIATED"],
  ["agent", "AGENT_INITIATED"],
  ["controller", "AGENT_INITIATED"],
  ["neverjoined", "USER_TIMEOUT"],
  ["usertimeout", "USER_TIMEOUT"],
  ["networktimeout", "NETWORK_TIMEOUT"],
  ["toolong", "TIME_LIMIT"],
])("an end by %s is told as %s", async (reason, expected) => {
  const { told, emit, socket } = await shared();
  emit("sessionevent", { what: "ended", reason, members: entrance.members });
  await socket.say({ type: "session", session: null });
  expect(told).toEqual(["DISCONNECTING", `ended ${expected}`, "READY"]);
});

test("another page's reason is told, an agent's words are not taken for one", async () => {
  const ended = async (reason: string): Promise<string[]> => {
    const { told, emit } = await shared();
    emit("sessionevent", { what: "ended", reason, text: "some words", members: [] });
    emit("sessionend", { session: SESSION });
    return told;
  };
  expect(await ended("visitor")).toContain("ended some words");
  expect(await ended("agent")).toContain("ended AGENT_INITIATED");
});

test("a connection that does not come back ends the session on this page, one that does goes on", async () => {
  const { server, socket, told } = await shared();
  await socket.drop();
  await server.clock.pass(29_000);
  await server.welcome({ session: SESSION });
  await server.clock.pass(5_000);
  expect(told).toEqual([]);
  await server.socket.drop();
  await server.clock.pass(30_000);
  expect(told).toEqual(["DISCONNECTING", "ended NETWORK_TIMEOUT", "READY"]);
});

test("a session that ended while the connection was away was lost", async () => {
  const { server, socket, told } = await shared();
  await socket.drop();
  await server.clock.pass(2_000);
  await server.welcome();
  expect(told).toEqual(["DISCONNECTING", "ended NETWORK_TIMEOUT", "READY"]);
});

test("the next page of the tab tells nobody twice, and who is new", async () => {
  const store = memoryStore();
  const first = await linked(store, { session: SESSION });
  first.emit("sessionentered", entrance);
  expect(first.told).toEqual(["ACTIVE:ACTIVE"]);
  const second = await linked(store, { session: SESSION });
  second.emit("sessionentered", { ...entrance, members: [...entrance.members, { ...ann, user: 3, name: "Bea" }] });
  expect(second.told).toEqual(["connected Bea", "ACTIVE:ACTIVE"]);
  store.write("vestibule.launcher.agents", "not JSON");
  const third = await linked(store, { session: SESSION });
  third.emit("sessionentered", entrance);
  expect(third.told).toEqual(["ACTIVE:ACTIVE"]);
});

test("a service that refuses the page is an error", async () => {
  const { socket, told, machine } = await shared();
  await socket.drop(4500, { code: "origin" });
  expect(told).toEqual(["DISCONNECTING", "ended NETWORK_TIMEOUT", "READY", "ERROR"]);
  expect(machine.hasSession).toBe(false);
});
