import { beforeEach, describe, expect, test } from "vitest";
import { webStore } from "../core/storage";
import { FakePage, FakeServer, settle, type FakeSocket } from "../core/testing";
import type { VisitorEvents } from "./options";
import { Visitor } from "./visitor";

let server: FakeServer;
let page: FakePage;
let events: [keyof VisitorEvents, unknown][];

beforeEach(() => {
  server = new FakeServer();
  page = new FakePage();
  events = [];
});

function visitor(options: object = {}, on: FakePage = page): Visitor {
  const made = new Visitor({
    server: "http://presence.test",
    group: 12345,
    environment: server.environment,
    page: on.window,
    identity: on.identity,
    ...options,
  });
  const names = ["signal", "invoke", "focus", "blur", "uniqueid", "close", "error", "connected", "disconnected"] as const;
  for (const name of names) made.on(name, (data: unknown) => events.push([name, data]));
  return made;
}

const names = () => events.map(([name]) => name);

function signal(id: string, fields: object = {}): object {
  return { type: "signal", id, deadline: server.clock.now() + 5_000, data: { hello: id }, ...fields };
}

async function connected(made = visitor({ visitorid: "ada" })): Promise<FakeSocket> {
  const done = made.connect();
  const socket = await server.welcome();
  await done;
  return socket;
}

describe("hello", () => {
  test("connect listens; presence alone only reports; connect afterwards sends listen", async () => {
    const made = visitor({ visitorid: "ada" });
    const told = made.presence({ cart: 2 });
    const socket = await server.welcome();
    await told;
    expect(socket.url).toBe("ws://presence.test/v1/visitor?group=12345");
    expect(socket.last("hello")).toMatchObject({
      visitorid: "ada",
      tab: page.identity.tab,
      page: page.identity.current,
      visible: true,
      listen: false,
      data: { cart: 2, url: "http://shop.test/" },
    });
    expect(Object.keys(socket.last("hello").data as object).sort()).toEqual(
      ["browser", "browserver", "cart", "language", "platform", "referrer", "title", "url"].sort(),
    );
    const listening = made.connect();
    await settle();
    await socket.ok("listen");
    await listening;
    expect(socket.sent.map((frame) => frame.type)).toEqual(["hello", "listen"]);
  });

  test("connect called while the hello is on its way still listens", async () => {
    const made = visitor();
    void made.presence();
    server.socket.open();
    void made.connect();
    const hello = server.socket.last("hello");
    await server.socket.say({ type: "welcome", socket: "s", visitorid: hello.visitorid, epoch: 1, now: 0, focus: true, terms: null });
    await settle();
    expect(server.socket.all("listen")).toHaveLength(1);
  });

  test.each([
    ["refused", 1_000, (socket: FakeSocket) => socket.refuse("listen", "unready", { degraded: true, retry_ms: 1_000 })],
    ["not answered", 10_000, () => Promise.resolve()],
  ])("listening is asked for again while the server is away: %s", async (_, after, away) => {
    const made = visitor();
    const told = made.presence();
    const socket = await server.welcome();
    await told;
    const listening = made.connect();
    await settle();
    await away(socket);
    await server.clock.pass(after - 1);
    expect(socket.all("listen")).toHaveLength(1);
    await server.clock.pass(1);
    expect(socket.all("listen")).toHaveLength(2);
    await socket.ok("listen");
    await listening;
  });

  test("listening that was refused for another reason can be asked for again", async () => {
    const made = visitor();
    const told = made.presence();
    const socket = await server.welcome();
    await told;
    const refused = expect(made.connect()).rejects.toMatchObject({ code: "ratelimited" });
    await settle();
    await socket.refuse("listen", "ratelimited", { retry_ms: 1_000 });
    await refused;
    const listening = made.connect();
    await settle();
    await socket.ok("listen");
    await listening;
    expect(socket.all("listen")).toHaveLength(2);
  });

  test("an anonymous id stays; each reconnect tells the merged record", async () => {
    const made = visitor();
    void made.connect();
    const first = made.presence({ cart: 1 });
    let socket = await server.welcome();
    await first;
    void made.presence({ name: "Ada" });
    await settle();
    expect(socket.last("presence").data).toMatchObject({ name: "Ada", url: "http://shop.test/" });
    expect(socket.last("presence").data).not.toHaveProperty("cart");
    await socket.ok("presence");
    await socket.drop();
    await server.clock.pass(500);
    socket = await server.welcome();
    expect(socket.last("hello")).toMatchObject({ visitorid: made.visitorid, data: { cart: 1, name: "Ada" } });
    expect(made.visitorid).toMatch(/^~[0-9a-f]{32}$/);
  });

  test("presence in flight at a drop resolves with the next hello, without telling twice", async () => {
    const made = visitor();
    await connected(made);
    const told = made.presence({ cart: 7 });
    await settle();
    await server.socket.drop();
    await server.clock.pass(500);
    const socket = await server.welcome();
    await told;
    expect(socket.last("hello").data).toMatchObject({ cart: 7 });
    expect(socket.all("presence")).toHaveLength(0);
  });

  test("a prerendered page opens no socket before it is shown", async () => {
    Object.defineProperty(page.window.document, "prerendering", { configurable: true, value: true });
    const made = visitor();
    void made.connect();
    await server.clock.pass(60_000);
    expect(server.sockets).toHaveLength(0);
    expect(made.state).toBe("suspended");
    page.fire("prerenderingchange");
    expect(server.sockets).toHaveLength(1);
  });

  test("two objects of one page take different tab ids", async () => {
    void visitor().connect();
    const first = await server.welcome();
    void visitor().connect();
    const second = await server.welcome();
    expect(second.last("hello").tab).toBe(`${first.last("hello").tab}-1`);
  });

  test("a superseded page comes back under a new tab id", async () => {
    const socket = await connected();
    await socket.drop(4006);
    await server.clock.pass(500);
    const next = await server.welcome();
    expect(next.last("hello").tab).not.toBe(socket.last("hello").tab);
  });
});

describe("presence", () => {
  test("breaking a limit is refused here and merges nothing", async () => {
    const made = visitor();
    await expect(made.presence({ nested: {} as never })).rejects.toMatchObject({ code: "badrequest", field: "data.nested" });
    await expect(made.presence({ text: "a".repeat(1025) })).rejects.toMatchObject({ code: "toolarge" });
    expect(server.sockets).toHaveLength(0);
    expect(() => visitor({ visitorid: "a b" })).toThrow();
  });

  test("what the server refuses is taken out of the record", async () => {
    const made = visitor();
    const socket = await connected(made);
    const told = expect(made.presence({ cart: 1 })).rejects.toMatchObject({ code: "toolarge" });
    await settle();
    await socket.refuse("presence", "toolarge");
    await told;
    await socket.drop();
    await server.clock.pass(500);
    expect((await server.welcome()).last("hello").data).not.toHaveProperty("cart");
  });

  test("a changed page is reported each minute, an unchanged one is not", async () => {
    const made = visitor();
    void made.presence();
    const socket = await server.welcome();
    await server.clock.pass(120_000);
    expect(socket.all("presence")).toHaveLength(0);
    page.window.document.title = "Basket";
    await server.clock.pass(60_000);
    expect(socket.last("presence").data).toMatchObject({ title: "Basket", url: "http://shop.test/" });
    await socket.ok("presence");
    await server.clock.pass(120_000);
    expect(socket.all("presence")).toHaveLength(1);
  });

  test("a new address within the page is reported soon, and the page's history is its own", async () => {
    const { pushState } = page.window.history;
    const made = visitor();
    void made.presence();
    const socket = await server.welcome();
    page.window.history.pushState({}, "", "/basket");
    page.fire("click");
    await server.clock.pass(300);
    expect(socket.last("presence").data).toMatchObject({ url: "http://shop.test/basket" });
    expect(page.window.history.pushState).toBe(pushState);
  });
});

describe("signals", () => {
  test("marked, acknowledged, then handled; a repeat is acknowledged only", async () => {
    const made = visitor();
    const socket = await connected(made);
    let acknowledgedFirst = false;
    made.on("signal", () => (acknowledgedFirst = socket.all("ack").length === 1));
    await socket.say(signal("a"));
    expect(acknowledgedFirst).toBe(true);
    await socket.say(signal("a"));
    expect(events.filter(([name]) => name === "signal")).toEqual([["signal", { id: "a", data: { hello: "a" } }]]);
    expect(socket.all("ack").map((frame) => frame.ids)).toEqual([["a"], ["a"]]);
  });

  test("over a reload: the seen id is told, and the repeat runs no handler", async () => {
    const socket = await connected();
    await socket.say(signal("a"));
    page = page.next();
    events = [];
    const next = await connected();
    expect(next.last("hello").seen).toEqual(["a"]);
    await next.say(signal("a"));
    expect(names()).not.toContain("signal");
    // The welcome took the ids that the hello told.
    page = page.next();
    expect((await connected()).last("hello")).not.toHaveProperty("seen");
  });

  test("an acknowledgement that the server answered is not told again", async () => {
    const socket = await connected();
    await socket.say(signal("a"));
    await socket.ok("ack");
    page = page.next();
    expect((await connected()).last("hello")).not.toHaveProperty("seen");
  });

  test("a page that slept past the deadline drops the signal, by the server's clock", async () => {
    const made = visitor();
    void made.connect();
    const socket = await server.welcome({ now: server.clock.now() + 60_000 });
    await socket.say(signal("late", { deadline: server.clock.now() + 59_000 }));
    await socket.say(signal("good", { deadline: server.clock.now() + 61_000 }));
    expect(events.filter(([name]) => name === "signal")).toEqual([["signal", expect.objectContaining({ id: "good" })]]);
    expect(socket.all("ack").map((frame) => frame.ids)).toEqual([["good"]]);
  });

  test("with blocked storage a page still sees each signal once", async () => {
    const refuse = (): never => {
      throw new DOMException("blocked", "SecurityError");
    };
    page = new FakePage({ lasting: webStore(refuse), tab: webStore(refuse) });
    const socket = await connected();
    await socket.say(signal("a"));
    await socket.say(signal("a"));
    expect(names().filter((name) => name === "signal")).toHaveLength(1);
  });
});

describe("invocations", () => {
  const invoke = (id: string, func: string, args?: unknown) => ({ ...signal(id), type: "invoke", func, args });

  test("calls own functions only, and tells what failed", async () => {
    const calls: unknown[] = [];
    const owner = {
      greet(args: unknown) {
        calls.push([this === owner, args]);
      },
      break() {
        throw new Error("broken");
      },
      reject: () => Promise.reject(new Error("later")),
      value: 7,
    };
    Object.assign(page.window, { GLANCE: { Shop: owner, Authorization: { setToken: () => calls.push("token") } } });
    const socket = await connected();
    await socket.say(invoke("1", "GLANCE.Shop.greet", { name: "Ada" }));
    expect(calls).toEqual([[true, { name: "Ada" }]]);
    expect(socket.all("failed")).toEqual([]);
    const failures: [string, string][] = [
      ["GLANCE.Shop.break", "exception"],
      ["GLANCE.Shop.reject", "exception"],
      ["GLANCE.Shop.value", "unknownfunction"],
      ["GLANCE.Shop.missing.deep", "unknownfunction"],
      ["GLANCE.Shop.toString", "unknownfunction"],
      ["GLANCE.Shop.greet.call", "unknownfunction"],
      ["GLANCE.Shop.__proto__.toString", "forbiddenfunction"],
      ["GLANCE.constructor", "forbiddenfunction"],
      ["GLANCE.Authorization.setToken", "forbiddenfunction"],
      ["alert", "forbiddenfunction"],
    ];
    for (const [func, code] of failures) {
      await socket.say(invoke(func, func));
      expect(socket.last("failed")).toMatchObject({ id: func, code });
    }
    expect(socket.all("failed")).toHaveLength(failures.length);
    expect(calls).toHaveLength(1);
    expect(events).toContainEqual(["invoke", { id: "1", func: "GLANCE.Shop.greet", args: { name: "Ada" } }]);
  });
});

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
    page = page.next();
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
    page = page.next();
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

describe("help", () => {
  const HELP = "0190163d8694739b8a8c1e7ee7a2b3c6";
  const helped = (made: Visitor): string[] => {
    const told: string[] = [];
    made.on("help", ({ status, agent }) => told.push([status, agent].filter(Boolean).join(" ")));
    return told;
  };

  test("is asked for, told once however often it is said, and taken", async () => {
    const made = visitor({ visitorid: "ada" });
    const told = helped(made);
    const socket = await connected(made);
    const asked = made.askHelp("Which size?");
    await settle();
    expect(socket.last("askhelp")).toMatchObject({ text: "Which size?" });
    await socket.say({ type: "help", help: HELP, status: "pending" });
    await socket.ok("askhelp", { help: HELP, status: "pending" });
    expect(await asked).toMatchObject({ help: HELP, status: "pending" });
    expect(made.help).toEqual({ help: HELP, status: "pending" });
    await socket.say({ type: "help", help: HELP, status: "accepted", agent: "Ann" });
    expect(made.help).toEqual({ help: HELP, status: "accepted", agent: "Ann" });
    expect(told).toEqual(["pending", "accepted Ann"]);
  });

  test("is found by the next page, and what ended meanwhile is over", async () => {
    const made = visitor({ visitorid: "ada" });
    const told = helped(made);
    void made.connect();
    const socket = await server.welcome({ help: { help: HELP, status: "pending" } });
    expect(made.help?.status).toBe("pending");
    await socket.drop();
    await server.clock.pass(1_000);
    await server.welcome();
    expect(made.help).toBeUndefined();
    expect(told).toEqual(["pending", "unavailable"]);
  });

  test("is wanted no more", async () => {
    const made = visitor({ visitorid: "ada" });
    const told = helped(made);
    const socket = await connected(made);
    await socket.say({ type: "help", help: HELP, status: "pending" });
    const canceled = made.cancelHelp();
    await settle();
    await socket.say({ type: "help", help: HELP, status: "canceled" });
    await socket.ok("cancelhelp");
    await canceled;
    expect(told).toEqual(["pending", "canceled"]);
    expect(made.help).toBeUndefined();
  });

  test("is refused with the server's reason", async () => {
    const made = visitor({ visitorid: "ada" });
    const socket = await connected(made);
    const asked = made.askHelp();
    await settle();
    await socket.refuse("askhelp", "toomany");
    await expect(asked).rejects.toMatchObject({ code: "toomany" });
  });
});
