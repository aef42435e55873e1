import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FakeServer } from "../core/testing";
import { Agent } from "./agent";

let server: FakeServer;
let agent: Agent;
let calls: { address: string; method: string; token: string; body: unknown }[];
let answers: { status: number; body?: object }[];

beforeEach(() => {
  server = new FakeServer();
  calls = [];
  answers = [];
  vi.stubGlobal("fetch", async (address: string, init: RequestInit) => {
    const answer = answers.shift();
    if (!answer) throw new TypeError("no network");
    const { Authorization } = init.headers as Record<string, string>;
    calls.push({ address, method: init.method!, token: Authorization!, body: init.body && JSON.parse(init.body as string) });
    return new Response(answer.body && JSON.stringify(answer.body), { status: answer.status });
  });
  agent = new Agent({ server: "https://help.test", group: 12345, token: "token", environment: server.environment });
});
afterEach(() => {
  agent.disconnect();
  vi.unstubAllGlobals();
});

describe("an agent's session", () => {
  test("begins over REST, under the token of the connection, and gives a whole address to watch", async () => {
    answers.push({ status: 201, body: { session: "s1", ticket: "t", watch_url: "/watch/#t" } });
    const started = agent.startSession("ada", { permissions: { draw: false } });
    await server.welcome();
    await expect(started).resolves.toEqual({ session: "s1", watchUrl: "https://help.test/watch/#t" });
    const permissions = { point: true, draw: false, control: true };
    expect(calls).toEqual([
      { address: "https://help.test/v1/groups/12345/sessions", method: "POST", token: "Bearer token", body: { visitorid: "ada", permissions } },
    ]);
  });

  test("is with whom a code leads to, and ends by its id", async () => {
    answers.push({ status: 201, body: { session: "s1", watch_url: "https://other.test/watch/#t" } }, { status: 204 });
    const started = agent.startSession({ uniqueid: "123456" });
    await server.welcome();
    await expect(started).resolves.toMatchObject({ watchUrl: "https://other.test/watch/#t" });
    await agent.endSession("s1");
    expect(calls.map(({ method, address, body }) => [method, address.split("/v1")[1], body])).toEqual([
      ["POST", "/groups/12345/sessions", { uniqueid: "123456" }],
      ["DELETE", "/groups/12345/sessions/s1", undefined],
    ]);
  });

  test("has a code that leads to it, with as many digits as it takes to be offered in a chat", async () => {
    answers.push({ status: 201, body: { session: "s1", watch_url: "/watch/#t" } }, { status: 200, body: { session: "s1", code: "123456789" } });
    const started = agent.startSession("ada");
    await server.welcome();
    await started;
    await expect(agent.sessionCode("s1", 9)).resolves.toBe("123456789");
    expect(calls.map(({ method, address }) => [method, address.split("/v1")[1]])[1]).toEqual(["POST", "/groups/12345/sessions/s1/code?digits=9"]);
  });

  test("is refused with the server's code, or fails with the network", async () => {
    answers.push({ status: 403, body: { code: "scope", detail: "the token lacks session" } });
    const refused = agent.startSession("ada");
    await server.welcome();
    await expect(refused).rejects.toMatchObject({ code: "scope", message: "the token lacks session" });
    await expect(agent.startSession("ada")).rejects.toMatchObject({ code: "connection" });
  });

  test("may be handed to another agent, who hears of it, finds it later, and takes his seat", async () => {
    const heard: unknown[] = [];
    agent.on("sessionoffer", (offer) => heard.push(offer));
    const connected = agent.connect();
    const socket = await server.welcome();
    await connected;
    await socket.say({ type: "sessionoffer", visitorid: "ada", data: { session: "s1", from: "Ann", until: 5 } });
    const offer = { visitorid: "ada", session: "s1", from: "Ann", until: 5 };
    expect(heard).toEqual([offer]);

    const members = [{ user: 2, name: "Ann" }];
    const waiting = { session: "s1", visitorid: "ada", members, transfer: { from: 2, to: "bob", until: 5 } };
    answers.push({ status: 200, body: { sessions: [waiting], next: null } }, { status: 201, body: { session: "s1", ticket: "t", watch_url: "/watch/#t" } });
    await expect(agent.offers()).resolves.toEqual([offer]);
    await expect(agent.joinSession("s1")).resolves.toEqual({ session: "s1", watchUrl: "https://help.test/watch/#t" });
    expect(calls.map(({ method, address }) => [method, address.split("/v1")[1]])).toEqual([
      ["GET", "/groups/12345/sessions?offered=true"],
      ["POST", "/groups/12345/sessions/s1/tickets"],
    ]);
  });
});
