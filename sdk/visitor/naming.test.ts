import { describe, expect, test } from "vitest";
import { FakePage, settle } from "../core/testing";
import { connected, names, page, server, shows, visitor } from "./testing";

describe("identity", () => {
  test("identify is told, and each later hello says the new id", async () => {
    const made = visitor();
    let socket = await connected(made);
    const done = made.identify("ada");
    await settle();
    await socket.ok("identify", { visitorid: "ada", epoch: 2 });
    await done;
    await socket.drop();
    await server.clock.pass(500);
    socket = await server.welcome();
    expect(socket.last("hello").visitorid).toBe("ada");
    expect(socket.all("identify")).toHaveLength(0);
  });

  test("a known page tells the anonymous id of an earlier one until the server has it, then forgets it", async () => {
    const anonymous = (await connected(visitor())).last("hello").visitorid;
    shows(page.next());
    const made = visitor({ visitorid: "ada" });
    const done = made.connect();
    const lost = server.socket.open();
    expect(lost.last("hello")).toMatchObject({ visitorid: "ada", from: anonymous });
    await lost.drop();
    await server.clock.pass(500);
    const socket = await server.welcome();
    await done;
    expect(socket.last("hello")).toMatchObject({ visitorid: "ada", from: anonymous });
    await socket.drop();
    await server.clock.pass(500);
    expect((await server.welcome()).last("hello")).not.toHaveProperty("from");
    shows(page.next());
    const next = (await connected(visitor())).last("hello");
    expect(next.visitorid).toMatch(/^~/);
    expect(next.visitorid).not.toBe(anonymous);
    expect(next).not.toHaveProperty("from");
  });

  test("after identify the anonymous id is forgotten; an object that had it keeps it", async () => {
    const made = visitor();
    const socket = await connected(made);
    const anonymous = socket.last("hello").visitorid;
    const other = visitor({}, new FakePage(page.stores));
    expect(other.visitorid).toBe(anonymous);
    const done = made.identify("ada");
    await settle();
    await socket.ok("identify", { visitorid: "ada", epoch: 2 });
    await done;
    expect(other.visitorid).toBe(anonymous);
    expect(visitor({}, new FakePage(page.stores)).visitorid).not.toBe(anonymous);
  });

  test("identify before connecting, and while the hello is on its way", async () => {
    const made = visitor();
    await made.identify("ada");
    void made.connect();
    server.socket.open();
    const done = made.identify("bob");
    const socket = server.socket;
    expect(socket.last("hello").visitorid).toBe("ada");
    await socket.say({ type: "welcome", socket: "s", visitorid: "ada", epoch: 1, now: 0, focus: true, terms: null });
    expect(socket.last("identify").visitorid).toBe("bob");
    await socket.ok("identify");
    await done;
    expect(made.visitorid).toBe("bob");
  });

  test("a refused id is given up", async () => {
    const made = visitor({ visitorid: "ada" });
    const socket = await connected(made);
    const refused = expect(made.identify("bob")).rejects.toMatchObject({ code: "badrequest" });
    await settle();
    await socket.refuse("identify", "badrequest");
    await refused;
    expect(made.visitorid).toBe("ada");
  });
});

describe("signatures", () => {
  test("a text goes along with its visitor id, and with no other", async () => {
    const made = visitor({ visitorid: "ada", signature: "of ada" });
    let socket = await connected(made);
    expect(socket.last("hello")).toMatchObject({ visitorid: "ada", signature: "of ada" });
    const done = made.identify("bob", "of bob");
    await settle();
    expect(socket.last("identify")).toMatchObject({ visitorid: "bob", signature: "of bob" });
    await socket.ok("identify");
    await done;
    await socket.drop();
    await server.clock.pass(500);
    socket = await server.welcome();
    expect(socket.last("hello").signature).toBe("of bob");
    const unsigned = expect(made.identify("eve")).rejects.toMatchObject({ code: "signature" });
    await settle();
    expect(socket.last("identify")).not.toHaveProperty("signature");
    await socket.refuse("identify", "signature");
    await unsigned;
    expect(made.visitorid).toBe("bob");
  });

  test("a function is asked before each connection, and for each new id; never for an anonymous one", async () => {
    const asked: string[] = [];
    const signature = async (visitorid: string) => {
      asked.push(visitorid);
      return `${visitorid} ${asked.length}`;
    };
    const made = visitor({ signature });
    let socket = await connected(made);
    expect(socket.last("hello")).not.toHaveProperty("signature");
    const done = made.identify("ada");
    await settle();
    expect(socket.last("identify")).toMatchObject({ visitorid: "ada", signature: "ada 1" });
    await socket.ok("identify");
    await done;
    await socket.drop();
    await server.clock.pass(500);
    socket = await server.welcome();
    expect(socket.last("hello").signature).toBe("ada 2");
    expect(asked).toEqual(["ada", "ada"]);
  });

  test("a refusal ends the connection for good", async () => {
    const made = visitor({ visitorid: "ada" });
    const refused = expect(made.connect()).rejects.toMatchObject({ code: "signature" });
    await settle();
    await server.socket.open().drop(4506, { code: "signature" });
    await refused;
    expect(made.state).toBe("closed");
    expect(names()).toContain("error");
  });
});

describe("unique ids", () => {
  test("told once, asked again after a drop, ended by 4505", async () => {
    const made = visitor();
    const given = made.connectUnique({ data: { guestname: "Ada" } });
    let socket = await server.welcome();
    expect(socket.last("hello")).toMatchObject({ listen: true, data: { guestname: "Ada" } });
    await socket.ok("unique", { uniqueid: "123456", seconds: 300 });
    await expect(given).resolves.toEqual({ uniqueid: "123456", seconds: 300 });
    const extended = made.extendUnique();
    await settle();
    await socket.ok("extendunique", { uniqueid: "123456", seconds: 300 });
    await extended;
    await socket.drop();
    await server.clock.pass(500);
    socket = await server.welcome();
    await socket.ok("unique", { uniqueid: "123456", seconds: 250 });
    expect(names().filter((name) => name === "uniqueid")).toHaveLength(1);
    await socket.drop(4505);
    expect(names().slice(-2)).toEqual(["disconnected", "close"]);
    expect(names()).not.toContain("error");
    await expect(made.extendUnique()).rejects.toMatchObject({ code: "badrequest" });
  });
});
