import { describe, expect, test } from "vitest";
import { settle } from "../core/testing";
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
