import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { offer, offerOf, type ChatMessage, type ChatView } from "../core/chat";
import { FakePage, FakeServer, settle } from "../core/testing";
import { VisitorChat } from "./chat";
import { Visitor } from "./visitor";

const CHAT = "0190163d8694739b8a8c1e7ee7a2b3c7";

let server: FakeServer;
let visitor: Visitor;
let chat: VisitorChat;
let told: unknown[];

const message = (n: number, text = `text ${n}`): ChatMessage => ({ n, at: n, from: "visitor", text });
const view = (status: ChatView["status"], ...messages: ChatMessage[]): ChatView => ({ chat: CHAT, status, messages });

/** Lets a call come to its request; `done` is its end. */
async function begun<Result>(call: Promise<Result>): Promise<{ readonly done: Promise<Result> }> {
  call.catch(() => {});
  await settle();
  return { done: call };
}

beforeEach(() => {
  server = new FakeServer();
  const page = new FakePage();
  visitor = new Visitor({ server: "http://v.test", group: 1, visitorid: "ada", environment: server.environment, page: page.window, identity: page.identity });
  chat = new VisitorChat(visitor);
  told = [];
  for (const event of ["button", "chat", "message", "typing"] as const) chat.on(event, (data) => told.push([event, data]));
});

afterEach(() => visitor.disconnect());

/** The visitor connects; the server knows of this chat, and of these buttons. */
async function connected(enabled: string[] = [], known?: ChatView): Promise<typeof server.socket> {
  if (visitor.state === "idle") void visitor.connect().catch(() => {});
  const socket = await server.welcome(known ? { chat: known } : {});
  await socket.ok("watchbuttons", { enabled });
  return socket;
}

test("buttons are known after each connect, and each change is told once", async () => {
  const socket = await connected(["sales"]);
  expect([...chat.enabled]).toEqual(["sales"]);
  await socket.say({ type: "button", button: "support", enabled: true });
  await socket.say({ type: "button", button: "sales", enabled: false });
  expect([...chat.enabled]).toEqual(["support"]);
  await socket.drop();
  await server.clock.pass(60_000);
  await connected(["sales"]);
  expect([...chat.enabled]).toEqual(["sales"]);
  expect(told.map((news) => (news as [string, { button: string; enabled: boolean }])[1])).toEqual([
    { button: "sales", enabled: true },
    { button: "support", enabled: true },
    { button: "sales", enabled: false },
    // Found out after the drop.
    { button: "support", enabled: false },
    { button: "sales", enabled: true },
  ]);
});

test("a chat is opened, spoken in and closed", async () => {
  const socket = await connected(["sales"]);
  told = [];
  const opened = await begun(chat.open("sales"));
  expect(socket.last("openchat")).toMatchObject({ button: "sales" });
  await socket.say({ type: "chat", chat: view("waiting") });
  await socket.ok("openchat", { chat: view("waiting") });
  expect((await opened.done).status).toBe("waiting");
  const said = await begun(chat.say("hello"));
  await socket.say({ type: "chatmessage", chat: CHAT, message: message(1, "hello") });
  await socket.ok("say", { n: 1, at: 1 });
  expect(await said.done).toEqual({ n: 1, at: 1 });
  await socket.say({ type: "chat", chat: { ...view("open", message(1, "hello")), agent: { name: "Ann" } } });
  await socket.say({ type: "typing", name: "Ann" });
  await socket.say({ type: "chatmessage", chat: CHAT, message: message(2) });
  // Repeated, as after a view that held it already.
  await socket.say({ type: "chatmessage", chat: CHAT, message: message(2) });
  await socket.say({ type: "chatmessage", chat: "another", message: message(3) });
  expect(chat.view?.messages.map(({ n }) => n)).toEqual([1, 2]);
  const closed = await begun(chat.close());
  await socket.say({ type: "chat", chat: { ...view("ended", message(1), message(2)), reason: "visitor" } });
  await socket.ok("closechat");
  await closed.done;
  expect(told.map((news) => (news as [string])[0])).toEqual(["chat", "message", "chat", "typing", "message", "chat"]);
  expect(chat.view).toMatchObject({ status: "ended", reason: "visitor" });
});

test("what is said is said once, however often the connection is lost", async () => {
  const first = await connected([], view("open"));
  const said = await begun(chat.say("hello"));
  const { id } = first.last("say");
  await first.drop();
  await server.clock.pass(60_000);
  const second = await connected([], view("open"));
  await settle();
  expect(second.last("say")).toMatchObject({ text: "hello", id });
  await second.ok("say", { n: 7, at: 7 });
  expect((await said.done).n).toBe(7);
});

test("a later page finds the chat, and learns that it ended while there was none", async () => {
  const socket = await connected([], view("open", message(1)));
  expect(chat.view?.messages).toHaveLength(1);
  await socket.drop();
  await server.clock.pass(60_000);
  await connected([]);
  expect(chat.view?.status).toBe("ended");
  expect(told.filter((news) => (news as [string])[0] === "chat")).toHaveLength(2);
});

test("a part that comes late asks; an invitation is answered; somebody else has none", async () => {
  const socket = await connected();
  const late = new VisitorChat(visitor);
  await settle();
  const asked = socket.all("watchbuttons");
  expect(asked).toHaveLength(2);
  await socket.say({ type: "ok", request: asked[1]?.request, enabled: ["x"] });
  expect([...late.enabled]).toEqual(["x"]);
  await socket.say({ type: "chat", chat: view("invited", message(1)) });
  // The first part hears a frame before the others; one object serves a page.
  const answered = await begun(chat.answer(true));
  await socket.ok("answerinvitation");
  await answered.done;
  expect(socket.last("answerinvitation").accepted).toBe(true);
  await socket.say({ type: "chat", chat: null });
  expect(chat.view).toBeUndefined();
});

test("a refusal carries the server's word", async () => {
  const socket = await connected();
  const opened = await begun(chat.open("sales"));
  await socket.refuse("openchat", "unavailable");
  await expect(opened.done).rejects.toMatchObject({ code: "unavailable" });
});

test("typing is told now and then", async () => {
  const socket = await connected([], view("open"));
  const now = vi.spyOn(Date, "now");
  for (const at of [10_000, 11_000, 12_999, 13_000]) {
    now.mockReturnValue(at);
    chat.typing();
  }
  now.mockRestore();
  expect(socket.all("typing")).toHaveLength(2);
});

test("an offer is a message of nothing else", () => {
  expect(offerOf(offer("123456789"))).toBe("123456789");
  expect(offerOf(" {start:123456789}\n")).toBe("123456789");
  for (const text of ["{start:12345678}", "{start:1234567890}", "go {start:123456789}", "{start:12345678a}", ""]) {
    expect(offerOf(text)).toBeUndefined();
  }
});
