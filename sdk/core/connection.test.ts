import { beforeEach, describe, expect, test } from "vitest";
import type { Ending } from "./codes";
import { Connection, type ConnectionState } from "./connection";
import type { ConnectionOptions } from "./connection-options";
import { VestibuleError } from "./errors";
import { FakeServer, settle } from "./testing";

let server: FakeServer;
let states: ConnectionState[];
let ending: Ending | undefined;

beforeEach(() => {
  server = new FakeServer();
  states = [];
  ending = undefined;
});

function connect(options: Partial<ConnectionOptions> = {}): Connection {
  const connection = new Connection({
    environment: server.environment,
    url: () => "ws://server/",
    active: () => true,
    hello: () => ({ type: "hello" }),
    onWelcome: () => {},
    onFrame: () => {},
    onState: (state, reason) => {
      states.push(state);
      ending = reason ?? ending;
    },
    ...options,
  });
  connection.start();
  return connection;
}

describe("coming back", () => {
  test("says hello, is welcomed, and comes back fast after a healthy connection dropped", async () => {
    connect();
    const socket = await server.welcome();
    expect(states).toEqual(["connecting", "greeting", "connected"]);
    await server.clock.pass(5_000);
    await socket.drop();
    expect(server.clock.delays).toEqual([50]);
    await server.clock.pass(50);
    expect(server.sockets).toHaveLength(2);
  });

  test("failures in a row double the range of the jitter up to a fifth of the outage's age, 2 s to 10 s", async () => {
    connect();
    const delays: number[] = [];
    for (let attempt = 0; attempt < 8; attempt += 1) {
      await server.socket.drop();
      delays.push(server.clock.delays[0] as number);
      await server.clock.pass(10_000);
    }
    expect(delays).toEqual([125, 250, 500, 1000, 2000, 4000, 5000, 5000]);
  });

  test("while the outage is young nobody waits longer than 2 s", async () => {
    connect();
    await server.welcome();
    await server.clock.pass(60_000);
    const delays: number[] = [];
    for (let attempt = 0; attempt < 12; attempt += 1) {
      await server.socket.drop();
      const delay = server.clock.delays[0] as number;
      delays.push(delay);
      await server.clock.pass(delay);
    }
    expect(delays).toEqual([50, 125, 250, 500, ...Array<number>(8).fill(1_000)]);
  });

  test("a connection that lived less than 5 s does not reset the count", async () => {
    connect();
    await server.socket.drop();
    await server.clock.pass(125);
    const socket = await server.welcome();
    await server.clock.pass(4_999);
    await socket.drop();
    expect(server.clock.delays).toEqual([250]);
  });

  test("obeys the delay of a goaway frame and that of a close reason", async () => {
    connect();
    const socket = await server.welcome();
    await server.clock.pass(5_000);
    await socket.say({ type: "goaway", retry_ms: 1234 });
    await socket.drop(4000);
    expect(server.clock.delays).toEqual([1234]);
    await server.clock.pass(1234);
    await server.socket.open().drop(4004, { code: "ratelimited", retry_ms: 800 });
    expect(server.clock.delays).toEqual([800 + 125]);
  });

  test("waking ends the wait, but not one that the server ordered", async () => {
    const connection = connect();
    await server.socket.drop(4001, { code: "unready", retry_ms: 900 });
    connection.wake({ type: "test" });
    expect(server.sockets).toHaveLength(1);
    await server.clock.pass(900);
    expect(server.sockets).toHaveLength(2);
    await server.socket.drop();
    connection.wake({ type: "test" });
    expect(server.sockets).toHaveLength(3);
  });

  test("waking tests an open socket and replaces one that says nothing", async () => {
    const connection = connect();
    const socket = await server.welcome();
    connection.wake({ type: "visibility" });
    await socket.refuse("visibility", "badrequest");
    await server.clock.pass(20_000);
    expect(connection.state).toBe("connected");
    connection.wake({ type: "visibility" });
    await server.clock.pass(14_999);
    expect(connection.state).toBe("connected");
    await server.clock.pass(1_000);
    expect(server.sockets).toHaveLength(2);
    expect(socket.closedByClient).toBe(true);
  });

  test("tells of answers that are marked, until one is not or another node answers", async () => {
    const connection = connect();
    const socket = await server.welcome();
    const ask = () => connection.request({ type: "presence" });
    const answered = ask();
    await socket.ok("presence", { degraded: true });
    expect(await answered).toMatchObject({ degraded: true });
    expect(connection.degraded).toBe(true);
    const whole = ask();
    await socket.ok("presence");
    await whole;
    expect(connection.degraded).toBe(false);
    const away = ask().catch((error: unknown) => error);
    await socket.refuse("presence", "unready", { degraded: true, retry_ms: 1_000 });
    expect(await away).toMatchObject({ code: "unready", retryMs: 1_000, degraded: true });
    const wrong = ask().catch((error: unknown) => error);
    await socket.refuse("presence", "badrequest");
    expect(await wrong).toMatchObject({ code: "badrequest", degraded: false });
    expect(connection.degraded).toBe(true);
    await socket.drop();
    await server.clock.pass(1_000);
    await server.welcome();
    expect(connection.degraded).toBe(false);
  });

  test("gives up on a handshake that takes 15 s", async () => {
    connect();
    await server.clock.pass(15_000);
    expect(server.socket.closedByClient).toBe(true);
    await server.clock.pass(125);
    expect(server.sockets).toHaveLength(2);
  });

  test("a constructor that throws is a failed attempt", async () => {
    let opened = 0;
    const open = () => {
      opened += 1;
      throw new Error("refused by the page's policy");
    };
    connect({ environment: { ...server.environment, open } });
    await server.clock.pass(125);
    expect(opened).toBe(2);
  });

  test.each([4500, 4501, 4502, 4504, 4505, 1000, 1002, 1009])("%i is final", async (number) => {
    const connection = connect();
    await server.socket.drop(number);
    await server.clock.pass(60_000);
    expect(server.sockets).toHaveLength(1);
    expect(connection.state).toBe("closed");
    expect(ending?.again).toBe("no");
  });

  test("late events of a discarded socket are not heard", async () => {
    const connection = connect();
    const socket = await server.welcome();
    connection.stop();
    await socket.say({ type: "welcome" });
    await socket.drop();
    expect(connection.state).toBe("idle");
    expect(server.clock.delays).toEqual([]);
  });

  test("nothing is left after stop", async () => {
    const connection = connect();
    const socket = await server.welcome();
    connection.stop({ type: "disconnect" });
    expect(socket.sent.pop()).toEqual({ type: "disconnect" });
    expect(socket.closedWith).toBe(1000);
    expect(server.clock.delays).toEqual([]);
  });
});

describe("the page's life", () => {
  test("suspended at once when the page may hold no socket", () => {
    const connection = connect({ active: () => false });
    expect(states).toEqual(["suspended"]);
    expect(server.sockets).toHaveLength(0);
    connection.resume();
    expect(server.sockets).toHaveLength(1);
  });

  test("suspend closes the socket and resume opens one without a delay", async () => {
    const connection = connect();
    const socket = await server.welcome();
    connection.suspend();
    expect(socket.closedByClient).toBe(true);
    await server.clock.pass(60_000);
    expect(server.sockets).toHaveLength(1);
    connection.resume();
    expect(server.sockets).toHaveLength(2);
  });
});

describe("requests", () => {
  test("answers, errors and silence", async () => {
    const connection = connect();
    const socket = await server.welcome();
    const answered = connection.request({ type: "one" });
    const refused = connection.request({ type: "two" });
    const silent = connection.request({ type: "three" });
    await socket.ok("one", { value: 5 });
    await socket.refuse("two", "badrequest", { field: "data.cart", msg: "no" });
    await expect(answered).resolves.toMatchObject({ value: 5 });
    await expect(refused).rejects.toMatchObject({ code: "badrequest", field: "data.cart", message: "no" });
    const timeout = expect(silent).rejects.toMatchObject({ code: "timeout" });
    await server.clock.pass(10_000);
    await timeout;
  });

  test("a drop fails a request, and repeats one that may be repeated, once", async () => {
    const connection = connect({ onWelcome: () => void connection.request({ type: "again" }).catch(() => {}) });
    const socket = await server.welcome();
    const lost = expect(connection.request({ type: "once" })).rejects.toMatchObject({ code: "connection" });
    const kept = connection.request({ type: "more" }, { repeat: true });
    await socket.drop();
    await lost;
    await server.clock.pass(500);
    const second = await server.welcome();
    expect(second.sent.map((frame) => frame.type)).toEqual(["hello", "again", "more"]);
    await second.ok("more");
    await expect(kept).resolves.toBeDefined();
  });

  test("a frame that would end the connection is refused here", async () => {
    const connection = connect();
    await server.welcome();
    await expect(connection.request({ type: "signal", data: "a".repeat(65_536) })).rejects.toMatchObject({ code: "toolarge" });
  });

  test("all fail when the connection ends for good", async () => {
    const connection = connect();
    const socket = await server.welcome();
    const failed = expect(connection.request({ type: "more" }, { repeat: true })).rejects.toMatchObject({
      code: "authorization",
    });
    await socket.drop(4502);
    await failed;
  });
});

describe("tokens", () => {
  test("4503 asks for a fresh one and connects when it is there", async () => {
    const asked: boolean[] = [];
    let give: (() => void) | undefined;
    connect({
      renewable: true,
      prepare: (renew) => {
        asked.push(renew);
        return renew ? new Promise((resolve) => (give = resolve)) : Promise.resolve();
      },
    });
    const socket = await server.welcome();
    await socket.drop(4503);
    await server.clock.pass(200);
    expect(asked).toEqual([false, true]);
    expect(server.sockets).toHaveLength(1);
    give?.();
    await settle();
    expect(server.sockets).toHaveLength(2);
  });

  test("4503 is final when no fresh one can be had", async () => {
    const connection = connect();
    await server.socket.drop(4503);
    expect(connection.state).toBe("closed");
    expect(ending?.code).toBe("expired");
  });

  test("a token function that fails is asked again, one that refuses is final", async () => {
    let failures = 2;
    let refuse = false;
    const connection = connect({
      prepare: () => {
        if (refuse) return Promise.reject(new VestibuleError("authorization"));
        return failures-- > 0 ? Promise.reject(new Error("network")) : Promise.resolve();
      },
    });
    await server.clock.pass(1_000);
    await server.welcome();
    refuse = true;
    await server.socket.drop();
    await server.clock.pass(1_000);
    expect(connection.state).toBe("closed");
    expect(ending?.code).toBe("authorization");
  });
});
