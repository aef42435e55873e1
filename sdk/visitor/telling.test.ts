import { expect, test } from "vitest";
import { type FakeSocket, settle } from "../core/testing";
import type { PresenceData } from "../core/limits";
import { events, names, page, server, visitor } from "./testing";
import type { Visitor } from "./visitor";

/** A visitor whose presence the server knows. */
async function known(): Promise<{ readonly made: Visitor; readonly socket: FakeSocket }> {
  const made = visitor({ visitorid: "ada" });
  const told = made.presence();
  const socket = await server.welcome();
  await told;
  return { made, socket };
}

/** What the server was told of what the site gave, and where the page was. */
const told = (socket: FakeSocket): unknown[] =>
  socket.all("presence").map((frame) => {
    const { url, cart, name } = frame["data"] as PresenceData;
    return { path: new URL(url as string).pathname, cart, name };
  });

/** The page goes elsewhere, and the site tells. */
async function goes(made: Visitor, path: string, data: PresenceData = {}): Promise<{ readonly end: Promise<unknown> }> {
  page.window.history.pushState({}, "", path);
  const end = made.presence(data).then(
    () => "told",
    (error: { readonly code: string }) => error.code,
  );
  await settle();
  return { end };
}

test("what was refused while the server was away is told when it can be, as it is by then, though nobody asks again", async () => {
  const { made, socket } = await known();
  const first = await goes(made, "/basket", { cart: 1 });
  await socket.refuse("presence", "unready", { degraded: true, retry_ms: 1_000 });
  expect(await first.end).toBe("unready");
  page.window.history.pushState({}, "", "/pay");
  await server.clock.pass(999);
  expect(told(socket)).toHaveLength(1);
  await server.clock.pass(1);
  expect(told(socket).slice(1)).toEqual([{ path: "/pay", cart: 1, name: undefined }]);
  await socket.ok("presence");
  await server.clock.pass(120_000);
  expect(told(socket)).toHaveLength(2);
  expect(names()).not.toContain("error");
});

test("what comes behind a refusal carries along what was refused", async () => {
  const { made, socket } = await known();
  await goes(made, "/basket", { cart: 1 });
  await socket.refuse("presence", "unready", { retry_ms: 1_000 });
  const second = await goes(made, "/pay", { name: "Ada" });
  expect(told(socket)[1]).toEqual({ path: "/pay", cart: 1, name: "Ada" });
  await socket.ok("presence");
  expect(await second.end).toBe("told");
  await server.clock.pass(120_000);
  expect(told(socket)).toHaveLength(2);
});

test("what was not answered is told at the next look at the page", async () => {
  const { made, socket } = await known();
  const lost = await goes(made, "/basket", { cart: 1 });
  await server.clock.pass(10_000);
  expect(await lost.end).toBe("timeout");
  await server.clock.pass(60_000);
  expect(told(socket)[1]).toEqual({ path: "/basket", cart: 1, name: undefined });
});

test("however often the page goes elsewhere, a server that refuses is told once in the time that it said", async () => {
  const { socket } = await known();
  const refuse = (): Promise<void> => socket.refuse("presence", "unready", { retry_ms: 1_000 });
  for (let second = 0; second < 20; second += 1) {
    for (let way = 0; way < 3; way += 1) {
      page.window.history.pushState({}, "", `/${second}-${way}`);
      page.fire("click");
      await server.clock.pass(300);
      if (told(socket).length > second) await refuse();
    }
    await server.clock.pass(100);
  }
  expect(told(socket).length).toBeLessThanOrEqual(21);
  expect(server.clock.delays.filter((delay) => delay <= 1_000).length).toBeLessThanOrEqual(1);
  await server.clock.pass(1_000);
  await socket.ok("presence");
  const { length } = told(socket);
  await server.clock.pass(120_000);
  expect(told(socket)).toHaveLength(length);
});

test("data that the server refuses leaves the record, whatever was told since, and the page is told without it", async () => {
  const { made, socket } = await known();
  const first = await goes(made, "/basket", { cart: 1, name: "Ada" });
  const { request } = socket.last("presence");
  await goes(made, "/pay", { name: "Eva" });
  await socket.ok("presence");
  await socket.say({ type: "error", request, code: "toolarge" });
  expect(await first.end).toBe("toolarge");
  await server.clock.pass(60_000);
  expect(told(socket)[2]).toEqual({ path: "/pay", cart: undefined, name: "Eva" });
  await socket.ok("presence");
  await server.clock.pass(120_000);
  expect(told(socket)).toHaveLength(3);
});

test("a record that the server has no room for is not told again before it changes", async () => {
  const { made, socket } = await known();
  await goes(made, "/basket", { cart: 1 });
  await socket.refuse("presence", "unready", { retry_ms: 1_000 });
  await server.clock.pass(1_000);
  await socket.refuse("presence", "toolarge", { field: "data.cart" });
  await server.clock.pass(300_000);
  expect(told(socket)).toHaveLength(2);
  expect(events.filter(([name]) => name === "error")).toEqual([["error", expect.objectContaining({ code: "toolarge" })]]);
});

test("a hello tells what was refused, and after a disconnect nobody does", async () => {
  const { made, socket } = await known();
  await goes(made, "/basket", { cart: 1 });
  await socket.refuse("presence", "unready", { retry_ms: 1_000 });
  await socket.drop();
  await server.clock.pass(500);
  const next = await server.welcome();
  expect(next.last("hello")["data"]).toMatchObject({ cart: 1, url: "http://shop.test/basket" });
  await server.clock.pass(120_000);
  expect(told(next)).toEqual([]);
  await goes(made, "/pay");
  await next.refuse("presence", "unready", { retry_ms: 1_000 });
  made.disconnect();
  expect(server.clock.delays).toEqual([]);
});
