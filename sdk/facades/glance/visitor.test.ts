// @vitest-environment happy-dom
import { beforeEach, describe, expect, test } from "vitest";
import { installVisitor } from "./install";
import { freshPage, glance, lastSocket, script, settle, sockets, tag, welcome } from "./testing";

const SRC = "http://help.test:8080/cobrowse/CobrowseJS.ashx?group=12345&site=staging&script=PresenceVisitor";

beforeEach(freshPage);

const install = (src = SRC, attributes: Record<string, string> = {}): void => installVisitor(window, script(src, attributes));

describe("defaults", () => {
  test("server and group come from the script's address", async () => {
    install();
    new (glance().Presence.Visitor)({ visitorid: "ada" }).connect();
    await settle();
    expect(lastSocket().url).toBe("ws://help.test:8080/v1/visitor?group=12345");
    expect((await welcome()).last("hello").visitorid).toBe("ada");
  });

  test("parameters go before globals, globals before the tag, the tag before the address", async () => {
    tag({ "data-groupid": "2", "data-visitorid": "tagged", "data-presenceserver": "presence.test" });
    install("https://help.test/PresenceVisitor.js?groupid=1");
    const connect = async (params?: object) => {
      new (glance().Presence.Visitor)(params).connect();
      const { url } = lastSocket();
      return [url, (await welcome()).last("hello").visitorid];
    };
    expect(await connect()).toEqual(["wss://presence.test/v1/visitor?group=2", "tagged"]);
    Object.assign(window, { GLANCE_COBROWSE: { groupid: 3, visitorid: "global" } });
    expect(await connect()).toEqual(["wss://presence.test/v1/visitor?group=3", "global"]);
    expect(await connect({ groupid: 4, visitorid: 55, presenceserver: "ws://other.test:81" })).toEqual([
      "ws://other.test:81/v1/visitor?group=4",
      "55",
    ]);
  });

  test("the signature of the visitor id comes from the parameters, a global or the tag", async () => {
    tag({ "data-groupid": "2", "data-visitorid": "ada", "data-visitorsignature": "tagged" });
    install("https://help.test/x.js");
    const said = async (params?: object) => {
      new (glance().Presence.Visitor)(params).connect();
      await settle();
      return (await welcome()).last("hello").signature;
    };
    expect(await said()).toBe("tagged");
    Object.assign(window, { GLANCE_COBROWSE: { visitorid: "bob", visitorsignature: "global" } });
    expect(await said()).toBe("global");
    expect(await said({ visitorid: "eve", signature: () => "asked" })).toBe("asked");
    glance().Presence.Visitor.setVisitorId("grace", "set");
    await settle();
    expect(lastSocket().last("identify")).toMatchObject({ visitorid: "grace", signature: "set" });
  });

  test("the older element id is accepted", async () => {
    tag({ "data-groupid": "7" }, "cobrowsescript");
    install("http://help.test/x.js");
    new (glance().Presence.Visitor)().connect();
    await settle();
    expect(lastSocket().url).toContain("group=7");
  });

  test("without a group the call fails, the constructor does not", async () => {
    install("http://help.test/x.js");
    const visitor = new (glance().Presence.Visitor)({ visitorid: "ada" });
    const errors: unknown[] = [];
    visitor.onerror = (error: unknown) => errors.push(error);
    visitor.connect();
    await settle();
    expect(errors).toEqual([{ error: "group", detail: "the group is not known" }]);
  });
});

describe("loading", () => {
  test("on: starts by itself under the known id", async () => {
    tag({ "data-groupid": "12345", "data-presence": "on", "data-visitorid": "ada" });
    install("http://help.test/x.js");
    const socket = await welcome();
    expect(socket.last("hello")).toMatchObject({ visitorid: "ada", listen: true });
    expect(socket.last("hello").data).toHaveProperty("url");
    expect(glance().Presence.Visitor.instance).toBeDefined();
  });

  test("on, by the script's own attribute and without an id: anonymous", async () => {
    install(SRC, { "data-presence": "on" });
    expect((await welcome()).last("hello").visitorid).toMatch(/^~[0-9a-f]{32}$/);
  });

  test.each(["api", "off", undefined])("%s: nothing happens by itself", async (presence) => {
    tag({ "data-groupid": "1", "data-visitorid": "ada", ...(presence && { "data-presence": presence }) });
    install("http://help.test/CobrowseJS.ashx?group=1");
    await settle();
    expect(sockets).toHaveLength(0);
    expect(glance().Presence.Visitor).toBeTypeOf("function");
  });

  test("loaded twice it installs once, and keeps what else is under the global", () => {
    Object.assign(window, { GLANCE: { Guest: { joinSession() {} } } });
    install();
    const { Visitor } = glance().Presence;
    install();
    expect(glance().Presence.Visitor).toBe(Visitor);
    expect(glance().Guest.joinSession).toBeTypeOf("function");
    expect(glance().VERSION).toBeTypeOf("string");
  });
});

describe("the object", () => {
  test("objects for the same visitor share a socket, another visitor has his own", async () => {
    install();
    const { Visitor } = glance().Presence;
    new Visitor({ visitorid: "ada" }).connect();
    const second = new Visitor({ visitorid: "ada" });
    second.presence({ data: { cart: 1 } });
    await settle();
    expect(sockets).toHaveLength(1);
    expect(Visitor.instance).toBe(second);
    new Visitor({ visitorid: "bob" }).connect();
    await settle();
    expect(sockets).toHaveLength(2);
  });

  test("presence reports success, and failure through onerror", async () => {
    install();
    const visitor = new (glance().Presence.Visitor)({ visitorid: "ada" });
    const told: unknown[] = [];
    visitor.onerror = (error: unknown) => told.push(error);
    visitor.presence({ data: { cart: 2 }, onsuccess: () => told.push("success") });
    const socket = await welcome();
    expect(socket.last("hello")).toMatchObject({ listen: false, data: { cart: 2 } });
    visitor.presence({ data: { nested: {} } });
    await settle();
    expect(told).toEqual(["success", { error: "badrequest", detail: "a value is text or a finite number" }]);
  });

  test("handlers are read when the event comes", async () => {
    install();
    const visitor = new (glance().Presence.Visitor)({ visitorid: "ada" });
    const told: unknown[] = [];
    visitor.onsignal = () => told.push("first");
    visitor.onfocus = () => told.push("focus");
    visitor.onconnect = () => told.push("connect");
    visitor.onblur = () => told.push("blur");
    visitor.connect();
    const socket = await welcome();
    const signal = (id: string) => socket.say({ type: "signal", id, deadline: Date.now() + 5_000, data: { hello: id } });
    visitor.onsignal = (data: unknown) => told.push(data);
    await signal("a1");
    visitor.onsignal = null;
    await signal("a2");
    await socket.say({ type: "blur" });
    expect(told).toEqual(["focus", "connect", { hello: "a1" }, "blur"]);
  });

  test("connectUnique gives the id and the seconds as two arguments; onclose at its end only", async () => {
    install();
    const visitor = new (glance().Presence.Visitor)();
    const told: unknown[] = [];
    visitor.onuniqueid = (...args: unknown[]) => told.push(args);
    visitor.onclose = () => told.push("close");
    visitor.onerror = (error: unknown) => told.push(error);
    visitor.connectUnique({ data: { guestname: "Ada" } });
    const socket = await welcome();
    await socket.ok("unique", { uniqueid: "123456", seconds: 300 });
    visitor.extendUnique();
    await settle();
    await socket.ok("extendunique", { uniqueid: "123456", seconds: 300 });
    expect(told).toEqual([["123456", 300]]);
    await socket.drop(4505);
    expect(told).toEqual([["123456", 300], "close"]);
    visitor.connect();
    await welcome();
    visitor.disconnect();
    await settle();
    expect(told).toHaveLength(2);
  });

  test("a final refusal is one connfail", async () => {
    install();
    const visitor = new (glance().Presence.Visitor)({ visitorid: "ada" });
    const errors: unknown[] = [];
    visitor.onerror = (error: unknown) => errors.push(error);
    visitor.presence();
    visitor.connect();
    await settle();
    await lastSocket().open().drop(4500);
    expect(errors).toEqual([{ error: "connfail", detail: "authorization" }]);
  });

  test("setVisitorId changes the living object and later ones", async () => {
    install();
    const { Visitor } = glance().Presence;
    new Visitor({ visitorid: "ada" }).connect();
    const socket = await welcome();
    Visitor.setVisitorId("bob");
    await settle();
    expect(socket.last("identify").visitorid).toBe("bob");
    await socket.ok("identify");
    new Visitor({ visitorid: "ada" }).connect();
    await settle();
    expect(sockets).toHaveLength(1);
  });
});
