// @vitest-environment happy-dom
import { beforeEach, describe, expect, test, vi } from "vitest";
import { installAgent } from "./install";
import { answers, calls, freshPage, glance, lastSocket, script, settle, sockets, tag, welcome } from "./testing";

const SRC = "https://help.test/cobrowse/CobrowseJS.ashx?groupid=12345&script=PresenceAgent";

beforeEach(freshPage);

function agent(params: object = { visitorid: "ada" }, src = SRC): any {
  installAgent(window, script(src));
  return new (glance().Presence.Agent)(params);
}

const record = (told: unknown[]) => ({
  onsuccess: (answer: unknown) => told.push(["success", answer]),
  onfail: (reason: unknown) => told.push(["fail", reason]),
});

describe("calls", () => {
  test("lookup, signal and invoke need no connection", async () => {
    const one = agent();
    glance().Authorization.setToken("secret");
    answers.push({ status: 200, body: { visitorid: "ada" } }, { status: 200, body: {} }, { status: 200, body: {} });
    const told: unknown[] = [];
    one.lookupVisitor(record(told));
    one.signalVisitor({ data: { hello: 1 }, ...record(told) });
    one.invokeVisitor({ func: "GLANCE.Shop.greet", args: { name: "Ada" }, ...record(told) });
    await settle();
    const query = "?groupid=12345&visitorid=ada";
    expect(calls).toEqual([
      { address: `https://help.test/lookupvisitor${query}`, method: "GET", token: "Bearer secret", body: undefined },
      {
        address: `https://help.test/signalvisitor${query}`,
        method: "POST",
        token: "Bearer secret",
        body: { mtype: "signal", data: { hello: 1 } },
      },
      {
        address: `https://help.test/signalvisitor${query}`,
        method: "POST",
        token: "Bearer secret",
        body: { mtype: "invoke", data: { func: "GLANCE.Shop.greet", args: { name: "Ada" } } },
      },
    ]);
    expect(told).toEqual([["success", { visitorid: "ada" }], ["success", {}], ["success", {}]]);
    expect(sockets).toHaveLength(0);
  });

  test("reasons are bare strings", async () => {
    const one = agent({ uniqueid: 123456, groupid: 7, presenceserver: "presence.test" });
    const told: unknown[] = [];
    one.lookupVisitor(record(told));
    await settle();
    glance().Authorization.setToken("secret");
    answers.push({ status: 404, body: { error: "visitornotpresent" } }, { status: 401, body: null }, undefined);
    answers.push({ status: 403, body: {} }, { status: 500, body: {} });
    for (let call = 0; call < 5; call += 1) {
      one.signalVisitor({ data: 1, ...record(told) });
      await settle();
    }
    expect(told.map((entry) => (entry as string[])[1])).toEqual([
      "authorization",
      "visitornotpresent",
      "authorization",
      "connection",
      "authorization",
      "error",
    ]);
    expect(calls[0]?.address).toBe("https://presence.test/signalvisitor?groupid=7&uniqueid=123456");
    glance().Presence.Agent.query(record(told));
    expect(told.pop()).toEqual(["fail", "error"]);
    expect(() => new (glance().Presence.Agent)({})).toThrow(TypeError);
  });
});

describe("events", () => {
  const event = (type: string, sequence: number, data: object, fields: object = {}) => ({
    type,
    visitorid: "ada",
    epoch: 5,
    sequence,
    time: 0,
    data,
    ...fields,
  });

  test("each event has its handler, read when it comes; agents share a socket", async () => {
    tag({ "data-groupid": "7", "data-authtoken": "tagged" });
    const one = agent({ visitorid: "ada" }, "http://help.test/PresenceAgent.js");
    const told: unknown[] = [];
    const names = ["visitorconn", "visitorsock", "presence", "terms", "visibility"];
    names.push("visitorsessionstart", "visitorsessionend", "visitorerror");
    for (const name of names) one[`on${name}`] = (data: unknown) => told.push([name, data]);
    one.connect();
    one.connect();
    new (glance().Presence.Agent)({ visitorid: "bob" }).connect();
    const socket = await welcome();
    expect(sockets).toHaveLength(1);
    expect(socket.url).toBe("ws://help.test/v1/agent?group=7");
    expect(socket.last("hello").token).toBe("tagged");
    expect(socket.all("watch").map((frame) => frame.visitorid)).toEqual(["ada", "bob"]);
    const data = [{ connected: true }, { connected: true, sockets: 1 }, { url: "/" }, { status: "displayed" }];
    data.push({ visibility: "hidden" } as never, {} as never, { reason: "agent" } as never, { code: "service", msg: "" } as never);
    for (let at = 0; at < names.length; at += 1) await socket.say(event(names[at] as string, at + 1, data[at] as object));
    expect(told).toEqual(names.map((name, at) => [name, data[at]]));
    one.onterms = null;
    await socket.say(event("terms", 20, { status: "accepted" }));
    one.disconnect();
    await socket.say(event("presence", 21, { url: "/x" }));
    expect(told).toHaveLength(names.length);
    expect(socket.closedByClient).toBe(false);
  });

  test("what is sent goes over the open socket, in order, and under the known id once a visitor was joined", async () => {
    const one = agent({ visitorid: "~0123456789abcdef0123456789abcdef" });
    glance().Authorization.setToken("secret");
    one.connect();
    const socket = await welcome();
    await socket.ok("watch", { visitorid: "~0123456789abcdef0123456789abcdef" });
    const told: unknown[] = [];
    one.signalVisitor({ data: 1, ...record(told) });
    one.invokeVisitor({ func: "GLANCE.Shop.greet", ...record(told) });
    expect(calls).toEqual([]);
    await socket.ok("signal", { id: "s1", visitorid: "ada", outcome: "held" });
    await socket.refuse("invoke", "scope");
    expect(told).toEqual([["success", { id: "s1", visitorid: "ada", outcome: "held" }], ["fail", "authorization"]]);
    await socket.say({ ...event("visitorjoined", 2, { visitorid: "ada" }), visitorid: "~0123456789abcdef0123456789abcdef" });
    one.signalVisitor({ data: 2 });
    expect(socket.last("signal")).toMatchObject({ visitorid: "ada", data: 2 });
  });

  test("no token is connfail at once; after setToken connect works", async () => {
    const one = agent();
    const errors: unknown[] = [];
    one.onerror = (error: unknown) => errors.push(error);
    one.connect();
    await settle();
    expect(errors).toEqual([{ error: "connfail", detail: "authorization" }]);
    expect(sockets).toHaveLength(0);
    glance().Authorization.setToken("secret");
    one.connect();
    const socket = await welcome();
    expect(socket.last("hello").token).toBe("secret");
    expect(socket.all("watch")).toHaveLength(1);
    glance().Authorization.setToken("fresh");
    await settle();
    expect(socket.last("renew").token).toBe("fresh");
    await socket.ok("renew", { expires: Date.now() + 60_000 });
    await socket.drop(4503);
    await vi.advanceTimersByTimeAsync(500);
    expect(errors).toHaveLength(2);
    expect(errors[1]).toEqual({ error: "connfail", detail: "authorization" });
  });

  test("a lost network is told once, and come back from", async () => {
    const one = agent();
    glance().Authorization.setToken("secret");
    const errors: unknown[] = [];
    one.onerror = (error: unknown) => errors.push(error);
    one.connect();
    await settle();
    for (let second = 0; second < 40; second += 1) {
      if (lastSocket().readyState !== 3) await lastSocket().drop();
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(errors).toEqual([{ error: "connfail", detail: "connection" }]);
    await vi.advanceTimersByTimeAsync(10_001);
    expect(lastSocket().readyState).toBe(0);
  });

  test("a refused watch is connfail with error", async () => {
    const one = agent({ uniqueid: "000000" });
    glance().Authorization.setToken("secret");
    const errors: unknown[] = [];
    one.onerror = (error: unknown) => errors.push(error);
    one.connect();
    const socket = await welcome();
    await socket.refuse("watch", "visitornotpresent");
    expect(errors).toEqual([{ error: "connfail", detail: "error" }]);
  });
});

describe("authorize", () => {
  test("posts the credentials and keeps the token", async () => {
    const one = agent();
    const told: unknown[] = [];
    const credentials = { partnerid: 12345, partneruserid: "sam", loginkey: "$1$x$y" };
    answers.push({ status: 200, body: { authToken: "fresh", authTokenExp: "2030-01-01T00:00:00.0000000Z" } });
    glance().Authorization.authorize({ service: "presence", groupid: 12345, duration: 90, credentials, ...record(told) });
    await settle();
    expect(calls[0]).toEqual({
      address: "https://help.test/authorization?service=presence&duration=90&groupid=12345",
      method: "POST",
      token: undefined,
      body: credentials,
    });
    expect(told).toEqual([["success", expect.objectContaining({ authToken: "fresh" })]]);
    answers.push({ status: 200, body: {} });
    one.lookupVisitor(record(told));
    await settle();
    expect(calls[1]?.token).toBe("Bearer fresh");
    expect(told.pop()).toEqual(["success", {}]);
  });

  test("fails with a reason, and goes to the given server", async () => {
    agent();
    const told: unknown[] = [];
    answers.push({ status: 401, body: { error: "authorization" } }, undefined, { status: 200, body: {} });
    for (let call = 0; call < 3; call += 1) {
      glance().Authorization.authorize({ webserver: "web.test:81", credentials: { username: "sam" }, ...record(told) });
      await settle();
    }
    expect(told).toEqual([
      ["fail", "authorization"],
      ["fail", "connection"],
      ["fail", "authorization"],
    ]);
    expect(calls[0]?.address).toBe("https://web.test:81/authorization?service=presence&duration=60&groupid=12345");
  });
});
