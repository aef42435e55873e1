import { afterEach, beforeEach, expect, test } from "vitest";
import { FakeServer, settle, type FakeSocket } from "../core/testing";
import { Agent } from "./agent";
import type { VisitorList } from "./list";

let server: FakeServer;
let agent: Agent;

beforeEach(() => {
  server = new FakeServer();
  agent = new Agent({ server: "http://presence.test", group: 12345, token: "token", environment: server.environment });
});

afterEach(() => agent.disconnect());

const rows = (fields: object) => ({ type: "rows", list: 1, count: 1, total: 1, ...fields });
const ada = { visitorid: "ada", sockets: 1, data: {} };
const put = [{ at: 0, row: ada }];

function recorded(list: VisitorList): string[] {
  const told: string[] = [];
  list.on("change", (state) => told.push(`${state.rows.map(({ visitorid }) => visitorid).join(" ")} (${state.count} of ${state.total})`));
  list.on("error", ({ code }) => told.push(code));
  return told;
}

async function reconnected(socket: FakeSocket): Promise<FakeSocket> {
  await socket.drop();
  await server.clock.pass(500);
  return server.welcome();
}

test("the first window, then changes", async () => {
  const list = agent.watch({ filter: { "data.cart": { gte: 3 } }, sort: "-data.cart", window: { size: 10 } });
  const told = recorded(list);
  const socket = await server.welcome();
  expect(socket.last("list")).toMatchObject({
    list: 1,
    filter: { "data.cart": { gte: 3 } },
    sort: "-data.cart",
    window: { size: 10 },
  });
  await socket.ok("list");
  await socket.say(rows({ reset: true, put, count: 2, total: 5, more: true }));
  expect(told).toEqual([]);
  await socket.say(rows({ put: [{ at: 1, row: { ...ada, visitorid: "bob" } }], count: 2, total: 5 }));
  await expect(list.ready).resolves.toBeUndefined();
  await socket.say(rows({ remove: ["ada"], count: 1, total: 4 }));
  expect(told).toEqual(["ada bob (2 of 5)", "bob (1 of 4)"]);
  expect(list.state).toMatchObject({ count: 1, total: 4, more: false });
  list.close();
  expect(socket.last("unlist").list).toBe(1);
  await socket.say(rows({ count: 0 }));
  expect(told).toHaveLength(2);
});

test("over a reconnect the list begins anew, and what is known stays until it has", async () => {
  const list = agent.watch({});
  const told = recorded(list);
  let socket = await server.welcome();
  await socket.ok("list");
  await socket.say(rows({ reset: true, put }));
  socket = await reconnected(socket);
  expect(socket.all("list")).toHaveLength(1);
  expect(list.state.rows).toHaveLength(1);
  await socket.ok("list");
  await socket.say(rows({ reset: true, count: 0, total: 0 }));
  expect(told).toEqual(["ada (1 of 1)", " (0 of 0)"]);
});

test("another window: what was on its way for the one before is dropped", async () => {
  const list = agent.watch({});
  const told = recorded(list);
  const socket = await server.welcome();
  await socket.ok("list");
  await socket.say(rows({ reset: true, put }));
  list.show({ window: { offset: 50 } });
  list.show({ window: { offset: 100 } });
  const [, second, third] = socket.all("list");
  expect(third).toMatchObject({ list: 1, window: { offset: 100 } });
  await socket.say(rows({ remove: ["ada"] }));
  await socket.say({ type: "ok", request: second?.request });
  await socket.say(rows({ reset: true, put: [{ at: 0, row: { ...ada, visitorid: "eve" } }] }));
  expect(told).toHaveLength(1);
  await socket.say({ type: "ok", request: third?.request });
  await socket.say(rows({ reset: true, put: [{ at: 0, row: { ...ada, visitorid: "zoe" } }] }));
  expect(told[1]).toBe("zoe (1 of 1)");
  expect(list.query).toEqual({ window: { offset: 100 } });
});

test("a refusal ends the list, an outage does not", async () => {
  const list = agent.watch({ sort: "data.cart" });
  const told = recorded(list);
  let socket = await server.welcome();
  socket = await reconnected(socket);
  await socket.refuse("list", "toomany");
  await expect(list.ready).rejects.toMatchObject({ code: "toomany" });
  expect(told).toEqual(["toomany"]);
  socket = await reconnected(socket);
  expect(socket.all("list")).toHaveLength(0);
});

test("two lists have numbers of their own, and the agent's end closes them", async () => {
  const [first, second] = [agent.watch({}), agent.watch({ filter: { url: { prefix: "https://" } } })];
  const [toldFirst, toldSecond] = [recorded(first), recorded(second)];
  const socket = await server.welcome();
  for (const { request } of socket.all("list")) await socket.say({ type: "ok", request });
  await socket.say(rows({ list: 2, reset: true, put }));
  expect([toldFirst.length, toldSecond.length]).toEqual([0, 1]);
  agent.disconnect();
  await settle();
  expect(socket.all("unlist").map(({ list }) => list)).toEqual([1, 2]);
});
