import { afterEach, beforeEach, expect, test } from "vitest";
import type { ChatMessage } from "../core/chat";
import { FakeServer, settle, type FakeSocket } from "../core/testing";
import { Agent } from "./agent";
import { AgentChats, type ChatRow } from "./chats";

const CHAT = "0190163d8694739b8a8c1e7ee7a2b3c7";
const OTHER = "0190163d8694739b8a8c1e7ee7a2b3c8";

let server: FakeServer;
let agent: Agent;
let chats: AgentChats;

const row = (chat: string, status: ChatRow["status"], subject?: string, since = 1): ChatRow => ({
  chat,
  visitorid: "ada",
  status,
  since,
  messages: 0,
  ...(subject && { agent: { subject } }),
});
const message = (n: number): ChatMessage => ({ n, at: n, from: "visitor", text: `text ${n}` });
const view = (...messages: ChatMessage[]) => ({ visitorid: "ada", chat: { chat: CHAT, status: "open", messages } });

/** Lets a call come to its request; `done` is its end. */
async function begun<Result>(call: Promise<Result>): Promise<{ readonly done: Promise<Result> }> {
  call.catch(() => {});
  await settle();
  return { done: call };
}

beforeEach(() => {
  server = new FakeServer();
  agent = new Agent({ server: "http://v.test", group: 1, token: async () => "token", environment: server.environment });
  chats = new AgentChats(agent);
  void agent.connect().catch(() => {});
});

afterEach(() => agent.disconnect());

/** The agent is connected, and sees this. */
async function sees(...rows: ChatRow[]): Promise<FakeSocket> {
  const socket = await server.welcome();
  await settle();
  if (socket.all("available").length) await socket.ok("available", { buttons: socket.last("available").buttons });
  await socket.ok("watchchats", { buttons: [] });
  await socket.say({ type: "chats", reset: true, put: rows });
  return socket;
}

test("the queue and the agent's own chats follow what is told", async () => {
  const socket = await sees(row(CHAT, "waiting", undefined, 5), row(OTHER, "waiting", undefined, 3));
  expect(chats.waiting.map(({ chat }) => chat)).toEqual([OTHER, CHAT]);
  await socket.say({ type: "chats", put: [row(CHAT, "open", "sam")], remove: [OTHER] });
  expect([chats.waiting, chats.own.map(({ chat }) => chat)]).toEqual([[], [CHAT]]);
  await socket.say({ type: "chats", put: [{ ...row(CHAT, "ended", "sam"), reason: "visitor" }] });
  expect(chats.own[0]).toMatchObject({ status: "ended", reason: "visitor" });
  chats.dismiss(CHAT);
  expect(chats.own).toEqual([]);
});

test("a chat is claimed, spoken in and ended", async () => {
  const socket = await sees(row(CHAT, "waiting"));
  const claimed = await begun(chats.claim(CHAT));
  await socket.ok("claimchat", view(message(1)));
  expect(await claimed.done).toMatchObject({ visitorid: "ada", messages: [message(1)] });
  const said = await begun(chats.say(CHAT, "hello"));
  await socket.ok("say", { n: 2, at: 2 });
  expect(await said.done).toEqual({ n: 2, at: 2 });
  await socket.say({ type: "chatmessage", chat: CHAT, visitorid: "ada", message: message(2) });
  await socket.say({ type: "chatmessage", chat: CHAT, visitorid: "ada", message: message(2) });
  expect(chats.view(CHAT)?.messages).toHaveLength(2);
  const ended = await begun(chats.end(CHAT));
  await socket.refuse("endchat", "notfound");
  await ended.done;
});

test("another agent was faster", async () => {
  const socket = await sees(row(CHAT, "waiting"));
  const claimed = await begun(chats.claim(CHAT));
  await socket.refuse("claimchat", "taken");
  await expect(claimed.done).rejects.toMatchObject({ code: "taken" });
});

test("after a drop the agent is available as before, and reads what he missed", async () => {
  const first = await sees(row(CHAT, "open", "sam"));
  const set = await begun(chats.setAvailable(["support", "sales"]));
  await first.ok("available", { buttons: ["sales", "support"] });
  await set.done;
  const read = await begun(chats.read(CHAT));
  await first.ok("readchat", view(message(1)));
  await read.done;
  await first.drop();
  await server.clock.pass(60_000);
  const second = await sees(row(CHAT, "open", "sam"));
  expect(second.last("available").buttons).toEqual(["sales", "support"]);
  await second.ok("readchat", view(message(1), message(2)));
  await settle();
  expect(chats.view(CHAT)?.messages).toHaveLength(2);
});

test("what he says on another desk holds here", async () => {
  const socket = await sees();
  const heard: string[][] = [];
  chats.on("available", (buttons) => heard.push([...buttons]));
  await socket.say({ type: "available", buttons: ["sales"] });
  await socket.say({ type: "available", buttons: ["sales"] });
  expect(heard).toEqual([["sales"]]);
  expect([...chats.available]).toEqual(["sales"]);
});

test("a visitor who becomes known keeps his chat, and an invitation is one", async () => {
  const socket = await sees();
  const invited = await begun(chats.invite("~1", "May I help?", "sales"));
  expect(socket.last("invitechat")).toMatchObject({ visitorid: "~1", text: "May I help?", button: "sales" });
  await socket.ok("invitechat", { ...view(message(1)), visitorid: "~1" });
  expect((await invited.done).visitorid).toBe("~1");
  const heard: string[] = [];
  chats.on("chat", ({ visitorid }) => heard.push(visitorid));
  await socket.say({ type: "chats", put: [row(CHAT, "open", "sam")] });
  expect(heard).toEqual(["ada"]);
  expect(chats.view(CHAT)?.visitorid).toBe("ada");
});
