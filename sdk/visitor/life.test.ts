import { describe, expect, test } from "vitest";
import { type FakeSocket, settle } from "../core/testing";
import { connected, names, page, server, visitor } from "./testing";

describe("the page's life", () => {
  test("pagehide closes, pageshow connects with a new page id and everything known", async () => {
    const made = visitor({ visitorid: "ada" });
    void made.presence({ cart: 1 });
    const socket = await connected(made);
    page.fire("pagehide", { persisted: true });
    expect(socket.closedByClient).toBe(true);
    page.fire("pageshow", { persisted: true });
    const next = await server.welcome();
    expect(next.last("hello").page).not.toBe(socket.last("hello").page);
    expect(next.last("hello")).toMatchObject({ tab: socket.last("hello").tab, listen: true, data: { cart: 1 } });
  });

  test("visibility and activity are told; coming online retries now", async () => {
    const socket = await connected();
    page.show(false);
    page.show(true);
    page.fire("focus");
    expect(socket.sent.slice(1).map((frame) => frame.visibility ?? frame.type)).toEqual(["hidden", "visible", "activity"]);
    await socket.drop();
    await server.socket.drop();
    page.fire("online");
    expect(server.sockets).toHaveLength(2);
  });

  test.each([
    ["refused", 1_000, (socket: FakeSocket) => socket.refuse("visibility", "unready", { degraded: true, retry_ms: 1_000 })],
    ["too fast", 400, (socket: FakeSocket) => socket.refuse("visibility", "ratelimited", { retry_ms: 400 })],
    ["not answered", 10_000, () => Promise.resolve()],
  ])("that it is hidden is told until the server knows: %s", async (_, after, away) => {
    const socket = await connected();
    page.show(false);
    for (let told = 1; told <= 3; told += 1) {
      expect(socket.all("visibility").map((frame) => frame.visibility)).toEqual(Array<string>(told).fill("hidden"));
      await away(socket);
      await server.clock.pass(after - 1);
      expect(socket.all("visibility")).toHaveLength(told);
      await server.clock.pass(1);
    }
    await socket.ok("visibility");
    await server.clock.pass(30_000);
    expect(socket.all("visibility")).toHaveLength(4);
    expect(names()).not.toContain("error");
  });

  test("what is told again is what is so by then, once", async () => {
    const socket = await connected();
    page.show(false);
    await socket.refuse("visibility", "unready", { retry_ms: 1_000 });
    await server.clock.pass(500);
    page.show(true);
    await socket.refuse("visibility", "unready", { retry_ms: 1_000 });
    await server.clock.pass(999);
    expect(socket.all("visibility").map((frame) => frame.visibility)).toEqual(["hidden", "visible"]);
    await server.clock.pass(1);
    expect(socket.all("visibility").map((frame) => frame.visibility)).toEqual(["hidden", "visible", "visible"]);
    await socket.ok("visibility");
    await server.clock.pass(30_000);
    expect(socket.all("visibility")).toHaveLength(3);
    expect(server.sockets).toHaveLength(1);
  });

  test("changes that come too fast are told as it is when they may be, once, and nothing waits on", async () => {
    const socket = await connected();
    const calm = server.clock.delays.length;
    for (let change = 0; change < 50; change += 1) {
      page.show(change % 2 === 1);
      await socket.refuse("visibility", "ratelimited", { retry_ms: 400 });
    }
    page.show(false);
    await socket.refuse("visibility", "ratelimited", { retry_ms: 400 });
    expect(socket.all("visibility")).toHaveLength(51);
    await server.clock.pass(399);
    expect(socket.all("visibility")).toHaveLength(51);
    await server.clock.pass(1);
    expect(socket.all("visibility")).toHaveLength(52);
    expect(socket.last("visibility").visibility).toBe("hidden");
    await socket.ok("visibility");
    expect(server.clock.delays).toHaveLength(calm);
    await server.clock.pass(30_000);
    expect(socket.all("visibility")).toHaveLength(52);
    expect(names()).not.toContain("error");
  });

  test("a server that keeps a word for more than 10 s before it refuses it loses no socket", async () => {
    const socket = await connected();
    page.show(true);
    await server.clock.pass(12_500);
    await socket.refuse("visibility", "unready", { degraded: true, retry_ms: 1_000 });
    await server.clock.pass(1_000);
    await socket.ok("visibility");
    await server.clock.pass(30_000);
    expect(socket.all("visibility")).toHaveLength(2);
    expect(server.sockets).toHaveLength(1);
  });

  test("a hello tells it in place of what was refused, or under way", async () => {
    const socket = await connected();
    page.show(false);
    await socket.refuse("visibility", "unready", { retry_ms: 5_000 });
    await socket.drop();
    await server.clock.pass(500);
    const second = await server.welcome();
    expect(second.last("hello").visible).toBe(false);
    page.show(true);
    await second.drop();
    await server.clock.pass(500);
    const third = await server.welcome();
    expect(third.last("hello").visible).toBe(true);
    await server.clock.pass(30_000);
    expect([second.all("visibility").length, third.all("visibility").length]).toEqual([1, 0]);
  });

  test("a change between the hello and the welcome is told behind that", async () => {
    void visitor({ visitorid: "ada" }).connect();
    await settle();
    const socket = server.socket.open();
    page.show(false);
    expect(socket.last("hello").visible).toBe(true);
    expect(socket.all("visibility")).toEqual([]);
    await socket.say({ type: "welcome", socket: "s", visitorid: "ada", epoch: 1, now: 0, focus: true, terms: null });
    expect(socket.all("visibility").map((frame) => frame.visibility)).toEqual(["hidden"]);
  });

  test("a socket that is closing is told nothing, and the next one all", async () => {
    const made = visitor({ visitorid: "ada" });
    const socket = await connected(made);
    socket.readyState = 2;
    page.show(false);
    const asked = made.lookupCode();
    await server.clock.pass(500);
    expect(socket.all("visibility")).toEqual([]);
    await socket.drop();
    await server.clock.pass(500);
    const second = await server.welcome();
    expect(second.last("hello").visible).toBe(false);
    await second.ok("unique", { uniqueid: "0417", seconds: 3_600 });
    expect(await asked).toEqual({ uniqueid: "0417", seconds: 3_600 });
    expect(second.all("visibility")).toEqual([]);
  });

  test("after a disconnect nothing of it is told any more", async () => {
    const made = visitor({ visitorid: "ada" });
    const socket = await connected(made);
    page.show(false);
    await socket.refuse("visibility", "unready", { retry_ms: 1_000 });
    made.disconnect();
    const next = await connected(made);
    expect(next.last("hello").visible).toBe(false);
    await server.clock.pass(30_000);
    expect(next.all("visibility")).toEqual([]);
  });

  test("disconnect says so, ends everything, and forgets the data", async () => {
    const made = visitor();
    const socket = await connected(made);
    void made.presence({ cart: 1 });
    await settle();
    await socket.ok("presence");
    made.disconnect();
    expect(socket.sent.pop()).toEqual({ type: "disconnect" });
    await server.clock.pass(120_000);
    expect(server.clock.delays).toEqual([]);
    expect(server.sockets).toHaveLength(1);
    const next = await connected(made);
    expect(next.last("hello")).not.toHaveProperty("data");
    expect(names()).not.toContain("error");
  });

  test("disconnecting in a handler is final, whatever was under way", async () => {
    const made = visitor();
    made.on("connected", () => made.disconnect());
    const refused = expect(made.connect()).rejects.toMatchObject({ code: "closed" });
    await server.welcome();
    await refused;
    const second = visitor();
    void connected(second);
    await settle();
    await server.welcome();
    second.on("disconnected", () => second.disconnect());
    const lost = expect(second.presence({ cart: 1 })).rejects.toMatchObject({ code: "closed" });
    await settle();
    await server.socket.drop();
    await lost;
    await server.clock.pass(60_000);
    expect(server.sockets).toHaveLength(2);
    expect([made.state, second.state]).toEqual(["idle", "idle"]);
    expect(server.clock.delays).toEqual([]);
  });

  test("a final close rejects and is told; focus and blur are told once each", async () => {
    const made = visitor();
    const socket = await connected(made);
    await socket.say({ type: "blur" });
    await socket.say({ type: "blur" });
    await socket.say({ type: "focus" });
    await socket.drop(4500);
    expect(names()).toEqual(["focus", "connected", "blur", "focus", "disconnected", "error"]);
    const refused = expect(made.connect()).rejects.toMatchObject({ code: "group" });
    await server.socket.open().drop(4501);
    await refused;
  });

  test("a report that comes too fast is told again", async () => {
    const made = visitor({ visitorid: "ada" });
    const socket = await connected(made);
    made.reportTerms("displayed");
    await settle();
    await socket.refuse("terms", "ratelimited", { retry_ms: 400 });
    expect(socket.all("terms")).toHaveLength(1);
    await server.clock.pass(400);
    expect(socket.all("terms")).toHaveLength(2);
    expect(names()).not.toContain("error");
  });

  test("reports wait for a connection", async () => {
    const made = visitor();
    made.reportTerms("displayed");
    const socket = await connected(made);
    made.reportSessionEnd("agent");
    expect(socket.sent.slice(1)).toEqual([
      { type: "terms", data: { status: "displayed" }, request: 1 },
      { type: "visitorsessionend", data: { reason: "agent" }, request: 2 },
    ]);
    await socket.ok("visitorsessionend");
    await socket.drop();
    await server.clock.pass(500);
    expect((await server.welcome()).sent.slice(1).map((frame) => frame.type)).toEqual(["terms"]);
  });
});
