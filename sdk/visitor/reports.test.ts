import { expect, test } from "vitest";
import { type FakeSocket, settle } from "../core/testing";
import { connected, names, server, visitor } from "./testing";

const codes = (socket: FakeSocket): string[] => socket.all("visitorerror").map((frame) => (frame["data"] as { code: string }).code);
const problem = (number: number) => ({ code: String(number), msg: "" });
const numbers = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, index) => String(from + index));

/** The server refuses what it was sent of these. */
async function refuses(socket: FakeSocket, from: number, code: string, retryMs: number): Promise<void> {
  for (const { request } of socket.all("visitorerror").slice(from)) await socket.say({ type: "error", request, code, retry_ms: retryMs });
}

async function takes(socket: FakeSocket, from: number): Promise<void> {
  for (const { request } of socket.all("visitorerror").slice(from)) await socket.say({ type: "ok", request });
}

test("what was refused is reported in its order when the server can take it, by one timer", async () => {
  const made = visitor({ visitorid: "ada" });
  const socket = await connected(made);
  const idle = server.clock.delays.length;
  for (let number = 0; number < 5; number += 1) made.reportError(problem(number));
  await refuses(socket, 0, "unready", 1_000);
  made.reportError(problem(5));
  expect(codes(socket)).toEqual(numbers(0, 5));
  expect(server.clock.delays).toHaveLength(idle + 1);
  await server.clock.pass(1_000);
  expect(codes(socket).slice(5)).toEqual(numbers(0, 6));
  await takes(socket, 5);
  await server.clock.pass(120_000);
  expect(codes(socket)).toHaveLength(11);
  expect(names()).not.toContain("error");
});

test("a page that reports more than the server takes loses the oldest, and never floods it", async () => {
  const made = visitor({ visitorid: "ada" });
  const socket = await connected(made);
  for (let number = 0; number < 1_000; number += 1) made.reportError(problem(number));
  expect(codes(socket)).toEqual(numbers(0, 16));
  await takes(socket, 0);
  expect(codes(socket).slice(16)).toEqual(numbers(968, 984));
  await refuses(socket, 16, "ratelimited", 500);
  await server.clock.pass(499);
  expect(codes(socket)).toHaveLength(32);
  await server.clock.pass(1);
  expect(codes(socket).slice(32)).toEqual(numbers(968, 984));
});

test("what a server refuses for a minute is reported no more", async () => {
  const made = visitor({ visitorid: "ada" });
  const socket = await connected(made);
  made.reportError(problem(0));
  for (let second = 0; second < 60; second += 1) {
    await refuses(socket, second, "unready", 1_000);
    await server.clock.pass(1_000);
  }
  expect(codes(socket)).toHaveLength(60);
  await server.clock.pass(120_000);
  expect(codes(socket)).toHaveLength(60);
});

test("while there is no connection as many wait, for a minute", async () => {
  const made = visitor({ visitorid: "ada" });
  made.reportError(problem(0));
  await server.clock.pass(60_000);
  for (let number = 1; number < 60; number += 1) made.reportError(problem(number));
  const socket = await connected(made);
  for (let taken = 0; taken < 48; taken += 16) await takes(socket, taken);
  expect(codes(socket)).toEqual(numbers(12, 60));
});

test("one whose answer was lost with the connection may be known to watchers: it is not reported again", async () => {
  const made = visitor({ visitorid: "ada" });
  const socket = await connected(made);
  made.reportError(problem(0));
  made.reportSessionEnd("agent");
  await socket.drop();
  made.reportError(problem(1));
  await server.clock.pass(500);
  expect((await server.welcome()).sent.slice(1)).toEqual([{ type: "visitorerror", data: problem(1), request: expect.anything() }]);
});

test("one that could not be sent is reported on the next connection", async () => {
  const made = visitor({ visitorid: "ada" });
  const socket = await connected(made);
  socket.readyState = 2;
  made.reportError(problem(0));
  await settle();
  await socket.drop();
  await server.clock.pass(500);
  expect(codes(await server.welcome())).toEqual(["0"]);
});

test.each([
  ["the server knows them", "accepted", []],
  ["the server knows what was before", "displayed", ["accepted"]],
  ["the server knows nothing", null, ["accepted"]],
] as const)("of terms whose answer was lost the last word is told again, unless %s", async (_, terms, again) => {
  const made = visitor({ visitorid: "ada" });
  const socket = await connected(made);
  made.reportTerms("displayed");
  made.reportTerms("accepted");
  await socket.drop();
  await server.clock.pass(500);
  const next = await server.welcome({ terms });
  expect(next.all("terms").map((frame) => (frame["data"] as { status: string }).status)).toEqual(again);
});

test("that a call failed is told again: the server hears it once for each", async () => {
  const socket = await connected();
  await socket.say({ type: "invoke", id: "i", deadline: server.clock.now() + 5_000, func: "GLANCE.missing", args: null });
  expect(socket.all("failed")).toHaveLength(1);
  await socket.drop();
  await server.clock.pass(500);
  expect((await server.welcome()).last("failed")).toMatchObject({ id: "i", code: "unknownfunction" });
});

test("with the connection's end all that waits is over", async () => {
  const made = visitor({ visitorid: "ada" });
  const socket = await connected(made);
  made.reportError(problem(0));
  await refuses(socket, 0, "unready", 1_000);
  made.disconnect();
  expect(server.clock.delays).toEqual([]);
  expect(codes(await connected(made))).toEqual([]);
});
