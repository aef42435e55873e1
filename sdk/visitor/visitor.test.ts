import { describe, expect, test } from "vitest";
import { webStore } from "../core/storage";
import { FakePage, type FakeSocket, settle } from "../core/testing";
import { connected, events, names, page, server, shows, visitor } from "./testing";

function signal(id: string, fields: object = {}): object {
  return { type: "signal", id, deadline: server.clock.now() + 5_000, data: { hello: id }, ...fields };
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
    ["too fast", 400, (socket: FakeSocket) => socket.refuse("listen", "ratelimited", { retry_ms: 400 })],
    ["not answered", 10_000, () => Promise.resolve()],
  ])("listening is asked for again while the server cannot do it: %s", async (_, after, away) => {
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
    const refused = expect(made.connect()).rejects.toMatchObject({ code: "internal" });
    await settle();
    await socket.refuse("listen", "internal");
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

  test("where the page is now is told until the server knows, once", async () => {
    const made = visitor();
    void made.presence();
    const socket = await server.welcome();
    const go = async (path: string): Promise<void> => {
      page.window.history.pushState({}, "", path);
      page.fire("click");
      await server.clock.pass(300);
    };
    const told = (): string[] => socket.all("presence").map((frame) => new URL((frame.data as { url: string }).url).pathname);
    const refuse = (): Promise<void> => socket.refuse("presence", "unready", { degraded: true, retry_ms: 2_000 });
    await go("/basket");
    await refuse();
    await server.clock.pass(1_500);
    await go("/pay");
    await refuse();
    await server.clock.pass(199);
    expect(told()).toEqual(["/basket", "/pay"]);
    await server.clock.pass(1);
    expect(told()).toEqual(["/basket", "/pay", "/pay"]);
    await socket.ok("presence");
    await server.clock.pass(120_000);
    expect(told()).toHaveLength(3);
    expect(names()).not.toContain("error");
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
    shows(page.next());
    events.length = 0;
    const next = await connected();
    expect(next.last("hello").seen).toEqual(["a"]);
    await next.say(signal("a"));
    expect(names()).not.toContain("signal");
    // The welcome took the ids that the hello told.
    shows(page.next());
    expect((await connected()).last("hello")).not.toHaveProperty("seen");
  });

  test("an acknowledgement that the server answered is not told again", async () => {
    const socket = await connected();
    await socket.say(signal("a"));
    await socket.ok("ack");
    shows(page.next());
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
    shows(new FakePage({ lasting: webStore(refuse), tab: webStore(refuse) }));
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
