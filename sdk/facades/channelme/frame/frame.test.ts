import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakePage, FakeSocket, settle } from "../../../core/testing";
import type { Greeting, ToFrame, ToPage } from "../messages";
import { Frame } from "./frame";

const ORIGIN = 4500;
const UNREADY = 4001;
const SESSION = "0190163d8694739b8a8c1e7ee7a2b3c5";

/** The browser's socket, whose end several hear of. */
class FakeWebSocket extends FakeSocket {
  private readonly listeners: ((event: { code: number; reason: string }) => void)[] = [];

  constructor(url: string) {
    super(url);
    sockets.push(this);
  }

  addEventListener(_: "close", listener: (event: { code: number; reason: string }) => void): void {
    this.listeners.push(listener);
  }

  override async drop(code = 1006): Promise<void> {
    for (const listener of this.listeners) listener({ code, reason: "" });
    await super.drop(code);
  }

  /** The server takes the hello. */
  async welcome(fields: object = {}): Promise<void> {
    this.open();
    const { visitorid } = this.last("hello");
    await this.say({ type: "welcome", socket: "s", now: Date.now(), visitorid, epoch: 1, focus: false, terms: null, ...fields });
  }
}

let sockets: FakeWebSocket[];
let tickets: string[];
let told: ToPage[];
let port: { postMessage(message: ToPage): void; onmessage: ((event: MessageEvent<ToFrame>) => void) | null };

beforeEach(() => {
  [sockets, tickets, told] = [[], ["fresh 1", "fresh 2"], []];
  vi.stubGlobal("WebSocket", FakeWebSocket);
  vi.stubGlobal("fetch", async () => ({ ok: true, text: async () => tickets.shift() }));
  vi.spyOn(console, "warn").mockImplementation(() => {});
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

async function make(kept: Greeting["kept"] = {}): Promise<void> {
  const { window } = new FakePage();
  port = { postMessage: (message) => void told.push(message), onmessage: null };
  const facts = { group: "12345", ticket: "written", origins: [] };
  const place = { url: "https://shop.test/", title: "Shop", referrer: "" };
  const topics = { subscribe: async () => ({ unsubscribe: () => {} }), publish: async () => ({}) };
  const frame = new Frame(window, facts, port as unknown as MessagePort, { channel: "vestibule.site_connect.1", place, kept }, () => topics);
  frame.tree.subscribe("~pagesession/#");
  await settle();
}

const says = (message: ToFrame): void => port.onmessage?.({ data: message } as MessageEvent<ToFrame>);
const socket = (): FakeWebSocket => sockets[sockets.length - 1]!;
const heard = (say: ToPage["say"]): ToPage[] => told.filter((message) => message.say === say);
const topicsHeard = (): string[] => heard("message").map((message) => (message as { topic: string }).topic);

test("it is present and listens for nothing: signals are for the page's own scripts", async () => {
  await make();
  await socket().welcome();
  expect(socket().last("hello")).toMatchObject({ listen: false, ticket: "written", data: { url: "https://shop.test/" } });
  expect(socket().all("listen")).toEqual([]);
});

test("a ticket that has grown old with the document is replaced by a fresh one; if that is refused, it is for good", async () => {
  await make();
  await socket().drop(ORIGIN);
  expect(sockets).toHaveLength(2);
  expect(heard("failed")).toEqual([]);
  expect(socket().open().last("hello")["ticket"]).toBe("fresh 1");
  await socket().drop(ORIGIN);
  expect([sockets.length, heard("failed")]).toEqual([2, [{ say: "failed", reason: "origin", isFinal: true }]]);
});

test("the end of an earlier try's socket, told late, does not end the next", async () => {
  await make();
  const [first] = sockets;
  await socket().drop(UNREADY);
  expect(heard("failed")).toEqual([{ say: "failed", reason: "unready", isFinal: false }]);
  says({ say: "again" });
  await settle();
  expect(sockets).toHaveLength(2);
  await first!.drop(1006);
  await socket().welcome();
  expect(heard("failed")).toHaveLength(1);
  expect(socket().closedByClient).toBe(false);
});

test("a loss between the welcome and the code ends no session that runs", async () => {
  await make({ cobrowsing: SESSION });
  await socket().welcome({ session: SESSION });
  expect(heard("join")).toHaveLength(1);
  await socket().drop(1006);
  expect(heard("end")).toEqual([]);
  expect(topicsHeard()).toEqual([]);
});

test("a page that shows a session of before hears that it is over when no session runs any more", async () => {
  await make({ cobrowsing: SESSION });
  expect(heard("end")).toEqual([]);
  await socket().welcome();
  expect(heard("end")).toHaveLength(1);
  expect(topicsHeard()).toEqual(["~pagesession/cobrowsing/stop"]);
});

test("a stop that is asked for before the session is known ends it as soon as it is, and no later one", async () => {
  await make({ cobrowsing: SESSION });
  says({ say: "stop" });
  says({ say: "stop" });
  await socket().welcome({ session: SESSION });
  await socket().ok("endsession");
  expect(socket().all("endsession")).toHaveLength(1);
  expect(heard("end")).toHaveLength(1);
  expect(topicsHeard()).toEqual(["~pagesession/cobrowsing/stop"]);
  await socket().say({ type: "session", session: SESSION.replace("0", "1") });
  expect(socket().all("endsession")).toHaveLength(1);
});
