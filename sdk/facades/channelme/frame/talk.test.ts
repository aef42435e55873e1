import { beforeEach, expect, test } from "vitest";
import { VestibuleError } from "../../../core/errors";
import { Emitter } from "../../../core/emitter";
import { settle } from "../../../core/testing";
import type { VisitorEvents } from "../../../visitor/options";
import type { Frame } from "./frame";
import { Talk } from "./talk";

const CODE = "123456789";

let said: string[];
let ids: string[];
let refuses: string | undefined;
let events: Emitter<VisitorEvents>;
let start: () => Promise<string>;
let frame: Frame;
let talk: Talk;

beforeEach(async () => {
  [said, ids, events, start, refuses] = [[], [], new Emitter(), async () => "s", undefined];
  const request = async ({ type, text, id }: { type: string; text?: string; id?: string }): Promise<object> => {
    if (type === "say") ids.push(id!);
    if (type === "say" && refuses) throw new VestibuleError(refuses);
    if (type === "say") said.push(text!);
    return type === "watchbuttons" ? { enabled: [] } : { n: said.length, at: 1 };
  };
  frame = {
    layout: "open",
    tree: { on: () => {}, publish: () => {} },
    send: () => {},
    visitor: {
      on: events.on.bind(events),
      attach: () => ({ persist: (step: () => Promise<unknown>) => step(), request }),
      startSession: () => start(),
    },
  } as unknown as Frame;
  talk = new Talk(frame, () => {});
  talk.chat.receive({ type: "chat", chat: { chat: "c", status: "open", messages: [] } } as never);
});

test("the visitor's offer is said once the page is in its session", async () => {
  await talk.offer();
  expect(said).toEqual([]);
  frame.onEntered(CODE);
  frame.onEntered(CODE);
  await settle();
  expect(said).toEqual([`{start:${CODE}}`]);
});

test("who says something learns whether it was taken", async () => {
  expect(await talk.say("hello")).toBe(true);
  refuses = "ratelimited";
  expect(await talk.say("again")).toBe(false);
  expect([talk.trouble, talk.pending]).toEqual(["ratelimited", []]);
});

test("what may have been said is said again under the id that it had", async () => {
  refuses = "timeout";
  expect(await talk.say("hello", "a")).toBe(false);
  refuses = undefined;
  expect(await talk.say("hello", "a")).toBe(true);
  await talk.say("hello");
  expect(ids.slice(0, 2)).toEqual(["a", "a"]);
  expect(ids[2]).toMatch(/^[0-9a-f]{32}$/);
});

test("what the server would not take is not sent", async () => {
  expect(await talk.say("ü".repeat(2_000))).toBe(true);
  expect(await talk.say("ü".repeat(2_001))).toBe(false);
  expect([talk.trouble, said.length]).toEqual(["toolarge", 1]);
});

test("one that is refused is over: a later session is nobody's offer", async () => {
  start = async () => {
    throw new VestibuleError("ratelimited");
  };
  await talk.offer();
  expect(talk.trouble).toBe("ratelimited");
  frame.onEntered(CODE);
  expect(said).toEqual([]);
});

test.each([
  ["its session ends before the page is in it", () => events.emit("sessionend", { session: "s" })],
  ["the chat ends", () => talk.chat.receive({ type: "chat", chat: { chat: "c", status: "ended", messages: [] } } as never)],
  ["the session is one that no offer leads to", () => frame.onEntered("123456")],
])("it is over, too, when %s", async (_, happens) => {
  await talk.offer();
  happens();
  frame.onEntered(CODE);
  await settle();
  expect(said).toEqual([]);
});
