import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FakeServer, settle, type FakeSocket } from "../core/testing";
import { Agent } from "./agent";
import type { AgentOptions } from "./options";
import type { Watch } from "./watch";

let server: FakeServer;
const made: Agent[] = [];

beforeEach(() => {
  server = new FakeServer();
});

afterEach(() => {
  for (const agent of made.splice(0)) agent.disconnect();
  vi.unstubAllGlobals();
});

function agent(options: Partial<AgentOptions> = {}): Agent {
  const one = new Agent({ server: "http://presence.test", group: 12345, token: "token", environment: server.environment, ...options });
  made.push(one);
  return one;
}

const at = (type: string, sequence: number, data: object, fields: object = {}) => ({
  type,
  visitorid: "ada",
  epoch: 10,
  sequence,
  time: 0,
  data,
  ...fields,
});

async function present(socket: FakeSocket, connected: boolean, sockets: number, sequence: number, fields: object = {}) {
  await socket.say(at("visitorconn", sequence, { connected }, { present: true, ...fields }));
  await socket.say(at("visitorsock", sequence, { connected: sockets > 0, sockets }, { present: true, ...fields }));
}

function recorded(watch: Watch): string[] {
  const told: string[] = [];
  watch.on("event", ({ type, data }) => told.push(`${type} ${JSON.stringify(data)}`));
  return told;
}

describe("the shared socket", () => {
  test("one for the same server, group and token; another for another token", async () => {
    const [first, second] = [agent(), agent()];
    void first.connect();
    void second.connect();
    const socket = await server.welcome();
    expect(socket.url).toBe("ws://presence.test/v1/agent?group=12345");
    expect(socket.last("hello")).toEqual({ type: "hello", token: "token" });
    expect(server.sockets).toHaveLength(1);
    agent({ token: "other" }).connect().catch(() => {});
    await settle();
    expect(server.sockets).toHaveLength(2);
    first.disconnect();
    expect(socket.closedByClient).toBe(false);
    second.disconnect();
    expect(socket.sent.pop()).toEqual({ type: "disconnect" });
    expect(socket.closedByClient).toBe(true);
  });

  test("two handles on one visitor are one watch; the second is told what is known", async () => {
    const told = recorded(agent().watch("ada"));
    const socket = await server.welcome();
    await socket.ok("watch", { visitorid: "ada" });
    await present(socket, true, 1, 3);
    const second = agent().watch({ visitorid: "ada" });
    const toldSecond = recorded(second);
    await settle();
    expect(socket.all("watch")).toHaveLength(1);
    expect(toldSecond).toEqual(told);
    await expect(second.ready).resolves.toBe("ada");
    made[0]?.disconnect();
    expect(socket.all("unwatch")).toHaveLength(0);
    second.close();
    expect(socket.all("unwatch")).toEqual([{ type: "unwatch", visitorid: "ada" }]);
  });
});

describe("watching", () => {
  test("over a reconnect: watched again, and a present state that is known is no news", async () => {
    const told = recorded(agent().watch("ada"));
    let socket = await server.welcome();
    await socket.ok("watch", { visitorid: "ada" });
    await present(socket, true, 1, 3);
    await socket.say(at("presence", 4, { cart: 1 }));
    await socket.say(at("presence", 4, { cart: 1 }));
    expect(told).toEqual([
      'visitorconn {"connected":true}',
      'visitorsock {"connected":true,"sockets":1}',
      'presence {"cart":1}',
    ]);
    await socket.drop();
    await server.clock.pass(500);
    socket = await server.welcome();
    expect(socket.all("watch")).toHaveLength(1);
    await present(socket, true, 1, 4);
    expect(told).toHaveLength(3);
    await present(socket, false, 0, 0, { epoch: 0 });
    expect(told.slice(3)).toEqual(['visitorconn {"connected":false}', 'visitorsock {"connected":false,"sockets":0}']);
  });

  test("over a reconnect: says the last event that is known, and is told the data that changed", async () => {
    const told = recorded(agent().watch("ada"));
    let socket = await server.welcome();
    expect(socket.last("watch")).not.toHaveProperty("since");
    await socket.ok("watch", { visitorid: "ada" });
    await present(socket, true, 1, 3);
    await socket.say(at("presence", 4, { cart: 1 }));
    await socket.drop();
    await server.clock.pass(500);
    socket = await server.welcome();
    expect(socket.last("watch")).toMatchObject({ visitorid: "ada", since: { epoch: 10, sequence: 4 } });
    await present(socket, true, 1, 6);
    await socket.say(at("presence", 6, { cart: 2, name: "Ada" }, { present: true }));
    expect(told.slice(3)).toEqual(['presence {"cart":2,"name":"Ada"}']);
  });

  test("a unique id is resolved once, and the visitor id is watched again", async () => {
    const watch = agent().watch({ uniqueid: "123456" });
    const told = recorded(watch);
    let socket = await server.welcome();
    expect(socket.last("watch").uniqueid).toBe("123456");
    await socket.ok("watch", { visitorid: "ada" });
    await present(socket, true, 1, 1);
    await expect(watch.ready).resolves.toBe("ada");
    expect(told).toHaveLength(2);
    await socket.drop();
    await server.clock.pass(500);
    socket = await server.welcome();
    expect(socket.last("watch")).toMatchObject({ visitorid: "ada" });
  });

  test("an anonymous visitor who becomes known is followed without a leave", async () => {
    const told = recorded(agent().watch("~1"));
    let socket = await server.welcome();
    await socket.ok("watch", { visitorid: "~1" });
    await present(socket, true, 1, 1, { visitorid: "~1" });
    await socket.say(at("visitorjoined", 2, { visitorid: "ada" }, { visitorid: "~1" }));
    await present(socket, true, 1, 1, { epoch: 5 });
    await socket.say(at("presence", 2, { name: "Ada" }, { epoch: 5 }));
    expect(told.slice(2)).toEqual(['visitorjoined {"visitorid":"ada"}', 'presence {"name":"Ada"}']);
    await socket.drop();
    await server.clock.pass(500);
    socket = await server.welcome();
    expect(socket.last("watch").visitorid).toBe("ada");
  });

  test("a refusal is told to the handle", async () => {
    const watch = agent().watch("ada");
    const errors: string[] = [];
    watch.on("error", ({ code }) => errors.push(code));
    const socket = await server.welcome();
    await socket.refuse("watch", "toomany");
    await expect(watch.ready).rejects.toMatchObject({ code: "toomany" });
    expect(errors).toEqual(["toomany"]);
  });
});

describe("signals", () => {
  test("accepted, then the outcome", async () => {
    const one = agent();
    const sent = one.signal("ada", { hello: 1 });
    const socket = await server.welcome();
    expect(socket.last("signal")).toMatchObject({ visitorid: "ada", data: { hello: 1 } });
    expect(socket.last("signal").key).toMatch(/^[0-9a-f]{32}$/);
    await socket.ok("signal", { id: "s1", visitorid: "ada", outcome: "held" });
    await expect(sent).resolves.toEqual({ id: "s1", visitorid: "ada", outcome: "held" });
    const outcome = one.outcome("s1");
    await socket.say({ type: "signaloutcome", visitorid: "ada", data: { id: "s1", outcome: "delivered" } });
    await expect(outcome).resolves.toEqual({ id: "s1", outcome: "delivered" });
    await expect(one.outcome("strange")).rejects.toMatchObject({ code: "notfound" });
  });

  test("asked again on the next socket under the same key", async () => {
    const one = agent();
    const sent = one.invoke({ uniqueid: "123456" }, "GLANCE.Shop.greet", { name: "Ada" }, { target: "all" });
    let socket = await server.welcome();
    const first = socket.last("invoke");
    await socket.drop();
    await server.clock.pass(500);
    socket = await server.welcome();
    expect(socket.last("invoke")).toEqual(first);
    await socket.refuse("invoke", "visitornotpresent");
    await expect(sent).rejects.toMatchObject({ code: "visitornotpresent" });
    await expect(one.invoke("ada", "alert")).rejects.toMatchObject({ code: "forbiddenfunction" });
  });

  test("an outcome that was told while there was no socket is asked for over REST", async () => {
    const fetched: string[] = [];
    const answers = ["held", "expired"];
    vi.stubGlobal("fetch", async (address: string) => {
      fetched.push(address);
      return { ok: true, json: async () => ({ id: "s1", outcome: answers.shift() }) };
    });
    const one = agent();
    void one.signal("ada", 1);
    const socket = await server.welcome();
    await socket.ok("signal", { id: "s1", visitorid: "ada", outcome: "held" });
    await socket.drop();
    await server.clock.pass(500);
    await server.welcome();
    const outcome = one.outcome("s1");
    await server.clock.pass(2_000);
    await expect(outcome).resolves.toMatchObject({ outcome: "expired" });
    expect(fetched[0]).toBe("http://presence.test/v1/groups/12345/visitors/ada/signals/s1");
    expect(fetched).toHaveLength(2);
  });

  test("an outcome that is never told is given up after a minute", async () => {
    const one = agent();
    void one.signal("ada", 1);
    const socket = await server.welcome();
    await socket.ok("signal", { id: "s1", visitorid: "ada", outcome: "held" });
    const outcome = expect(one.outcome("s1")).rejects.toMatchObject({ code: "timeout" });
    await server.clock.pass(60_000);
    await outcome;
  });

  test("lookup gives the record or null", async () => {
    const found = agent().lookup("ada");
    const socket = await server.welcome();
    await socket.ok("lookup", { visitor: null });
    await expect(found).resolves.toBeNull();
  });
});

describe("tokens", () => {
  test("the function is called at each connect, and in time for a renewal", async () => {
    let given = 0;
    const one = agent({ token: () => `token${(given += 1)}` });
    void one.connect();
    let socket = await server.welcome({ expires: server.clock.now() + 600_000 });
    await server.clock.pass(540_000);
    expect(socket.last("renew").token).toBe("token2");
    await socket.ok("renew", { expires: server.clock.now() + 600_000 });
    await server.clock.pass(540_000);
    expect(socket.last("renew").token).toBe("token3");
    await socket.drop();
    await server.clock.pass(500);
    socket = await server.welcome();
    expect(socket.last("hello").token).toBe("token4");
  });

  test("expired: a fresh token connects again, the same one ends", async () => {
    const tokens = ["one", "two", "two"];
    const errors: string[] = [];
    const one = agent({ token: async () => tokens.shift() ?? "" });
    one.on("error", ({ code }) => errors.push(code));
    void one.connect();
    let socket = await server.welcome();
    await socket.drop(4503);
    await server.clock.pass(500);
    socket = await server.welcome();
    expect(socket.last("hello").token).toBe("two");
    await socket.drop(4503);
    await server.clock.pass(500);
    expect(server.sockets).toHaveLength(2);
    expect(errors).toEqual(["authorization"]);
  });

  test("a renewal that brings nothing new is tried again, and a late one is taken", async () => {
    let token = "old";
    const one = agent({ token: () => token });
    void one.connect();
    const socket = await server.welcome({ expires: server.clock.now() + 600_000 });
    await server.clock.pass(545_000);
    expect(socket.all("renew")).toHaveLength(0);
    token = "new";
    void one.renewToken();
    await settle();
    expect(socket.last("renew").token).toBe("new");
    await socket.refuse("renew", "authorization");
    await server.clock.pass(20_000);
    expect(socket.all("renew").length).toBeGreaterThan(1);
  });

  test("revoked: the page is told, and a fresh token connects again", async () => {
    const tokens = ["one", "two"];
    const told: unknown[] = [];
    const one = agent({ token: () => tokens.shift() ?? "" });
    one.on("disconnected", (drop) => told.push(drop));
    void one.connect();
    const socket = await server.welcome();
    await socket.drop(4507, { code: "revoked" });
    expect(told).toEqual([{ code: "revoked", retrying: true }]);
    await server.clock.pass(500);
    expect((await server.welcome()).last("hello").token).toBe("two");
  });

  test("a string that was revoked is final, and the page is told why", async () => {
    const errors: string[] = [];
    const one = agent();
    one.on("error", ({ code }) => errors.push(code));
    void one.connect();
    await (await server.welcome()).drop(4507);
    await server.clock.pass(60_000);
    expect(errors).toEqual(["revoked"]);
    expect(server.sockets).toHaveLength(1);
  });

  test("a string that has expired is final", async () => {
    const one = agent();
    const refused = expect(one.connect()).rejects.toMatchObject({ code: "expired" });
    await settle();
    await server.socket.open().drop(4503);
    await refused;
  });
});

test("an outage is told once, and retried on", async () => {
  const one = agent();
  let outages = 0;
  one.on("outage", () => (outages += 1));
  void one.connect();
  const socket = await server.welcome();
  await server.clock.pass(10_000);
  await socket.drop();
  for (let second = 0; second < 60; second += 1) {
    if (server.socket.readyState !== 3) await server.socket.drop();
    await server.clock.pass(1_000);
  }
  expect(outages).toBe(1);
  await server.clock.pass(5_001);
  await server.welcome();
  await server.socket.drop();
  await server.clock.pass(14_000);
  expect(outages).toBe(1);
});

test("one agent takes a visitor's wish for help, another hears that it is taken", async () => {
  const one = agent();
  const claimed = one.claimHelp("ada", "h1");
  const socket = await server.welcome();
  expect(socket.last("claimhelp")).toMatchObject({ visitorid: "ada", help: "h1" });
  await socket.ok("claimhelp", { visitorid: "ada" });
  await claimed;
  const declined = one.declineHelp("ada", "h1");
  await settle();
  await socket.refuse("declinehelp", "taken");
  await expect(declined).rejects.toMatchObject({ code: "taken" });
});

describe("what the nodes share is away", () => {
  const told = async (one: Agent): Promise<{ heard: boolean[]; socket: FakeSocket }> => {
    const heard: boolean[] = [];
    one.on("degraded", (degraded) => heard.push(degraded));
    void one.connect();
    return { heard, socket: await server.welcome() };
  };

  test("told unasked, each change once, and known by every agent of the socket", async () => {
    const one = agent();
    const { heard, socket } = await told(one);
    await socket.say({ type: "degraded", degraded: true });
    await socket.say({ type: "degraded", degraded: true });
    const second = agent();
    void second.connect();
    await settle();
    expect([one.degraded, second.degraded, heard]).toEqual([true, true, [true]]);
    await socket.say({ type: "degraded", degraded: false });
    expect([one.degraded, second.degraded, heard]).toEqual([false, false, [true, false]]);
    expect(socket.sent.map((frame) => frame.type)).toEqual(["hello"]);
  });

  test("it is over with the socket, and the next one says how it is", async () => {
    const one = agent();
    const { heard, socket } = await told(one);
    await socket.say({ type: "degraded", degraded: true });
    await socket.drop();
    expect([one.degraded, heard]).toEqual([false, [true, false]]);
    await server.clock.pass(500);
    const next = await server.welcome();
    expect(heard).toEqual([true, false]);
    await next.say({ type: "degraded", degraded: true });
    expect([one.degraded, heard]).toEqual([true, [true, false, true]]);
    await next.drop(4507);
    expect([one.degraded, heard]).toEqual([false, [true, false, true, false]]);
  });
});
