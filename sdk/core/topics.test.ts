import { afterEach, describe, expect, test, vi } from "vitest";
import { Visitor } from "../visitor/visitor";
import { FakePage, FakeServer, settle, type FakeSocket } from "./testing";
import { Topics, type TopicMessage } from "./topics";

afterEach(() => void vi.useRealTimers());

async function connected(): Promise<{ server: FakeServer; socket: FakeSocket; topics: Topics }> {
  const server = new FakeServer();
  const page = new FakePage();
  const visitor = new Visitor({ server: "http://s.test", group: "12345", visitorid: "ada", environment: server.environment, page: page.window, identity: page.identity });
  const topics = new Topics(visitor);
  visitor.presence().catch(() => {});
  return { server, socket: await server.welcome(), topics };
}

async function subscribed(filter = "a/+", options = {}): Promise<Awaited<ReturnType<typeof connected>> & { heard: TopicMessage[]; subscription: { position: unknown; unsubscribe(): void } }> {
  const parts = await connected();
  const heard: TopicMessage[] = [];
  const asked = parts.topics.subscribe(filter, (message) => heard.push(message), options);
  await settle();
  await parts.socket.ok("subscribe", { subscription: 1, position: { epoch: "e", offset: 4 } });
  return { ...parts, heard, subscription: await asked };
}

const message = (offset: number, fields = {}): object => ({ type: "topicmessage", subscription: 1, topic: "a/b", data: offset, at: 1, epoch: "e", offset, ...fields });

async function cut({ server, socket }: { server: FakeServer; socket: FakeSocket }): Promise<FakeSocket> {
  const before = server.sockets.length;
  await socket.drop();
  while (server.sockets.length === before) await server.clock.pass(200);
  return server.welcome();
}

describe("topics", () => {
  test("publishes, and tells where the message stands", async () => {
    const { socket, topics } = await connected();
    const published = topics.publish("a/b", { x: 1 }, { retain: true, expiry: 60 });
    await settle();
    expect(socket.last("publish")).toMatchObject({ topic: "a/b", data: { x: 1 }, retain: true, expiry: 60 });
    await socket.ok("publish", { position: { epoch: "e", offset: 7 } });
    expect(await published).toEqual({ epoch: "e", offset: 7 });
    const forbidden = topics.publish("a/c", 1);
    await settle();
    await socket.refuse("publish", "scope", { field: "topic" });
    await expect(forbidden).rejects.toMatchObject({ code: "scope", field: "topic" });
  });

  test("refuses what is no topic or filter before anything is sent", async () => {
    const { socket, topics } = await connected();
    await expect(topics.publish("a/+", 1)).rejects.toMatchObject({ code: "badrequest", field: "topic" });
    await expect(topics.subscribe("a/#/b", () => {})).rejects.toMatchObject({ code: "badrequest", field: "filter" });
    expect(socket.all("publish").length + socket.all("subscribe").length).toBe(0);
  });

  test("hands messages to the handler, and none of the wire's own words", async () => {
    const { socket, heard } = await subscribed();
    await socket.say(message(5));
    await socket.say({ ...message(6), subscription: 9 });
    expect(heard).toEqual([{ topic: "a/b", data: 5, at: 1, epoch: "e", offset: 5 }]);
  });

  test("goes on behind the last message after a cut", async () => {
    const parts = await subscribed("a/+", { noLocal: true, latest: true });
    await parts.socket.say(message(5));
    await parts.socket.say(message(6));
    const socket = await cut(parts);
    expect(socket.last("subscribe")).toMatchObject({ filter: "a/+", nolocal: true, latest: true, resume: { epoch: "e", offset: 6 } });
    await socket.ok("subscribe", { subscription: 1, position: { epoch: "e", offset: 6 } });
    await socket.say(message(7));
    expect(parts.heard.map(({ data }) => data)).toEqual([5, 6, 7]);
    const later = await cut({ server: parts.server, socket });
    expect(later.last("subscribe")).toMatchObject({ resume: { epoch: "e", offset: 7 } });
    expect(later.all("subscribe").length).toBe(1);
  });

  test("goes on behind the acknowledgement where no news came, and says which retained values did", async () => {
    const parts = await subscribed();
    expect(parts.subscription.position).toEqual({ epoch: "e", offset: 4, retained: 0 });
    await parts.socket.say(message(2, { retained: true }));
    let socket = await cut(parts);
    const resume = { epoch: "e", offset: 4, retained: 2 };
    expect(socket.last("subscribe").resume).toEqual(resume);
    await socket.ok("subscribe", { subscription: 1, position: { epoch: "e", offset: 4 } });
    expect(parts.subscription.position).toEqual(resume);
    await socket.say(message(3, { retained: true }));
    await socket.say(message(5));
    expect(parts.heard.map(({ data }) => data)).toEqual([2, 3, 5]);
    // News comes behind all of them.
    socket = await cut({ server: parts.server, socket });
    expect(socket.last("subscribe").resume).toEqual({ epoch: "e", offset: 5 });
  });

  test("who wants no retained values waits for none", async () => {
    const parts = await subscribed("a/+", { retained: false });
    const socket = await cut(parts);
    expect(socket.last("subscribe")).toMatchObject({ retained: false, resume: { epoch: "e", offset: 4 } });
    expect(socket.last("subscribe").resume).not.toHaveProperty("retained");
  });

  test("tells that messages were missed, once for each time, and goes on in the new row", async () => {
    const onmissed = vi.fn();
    const parts = await subscribed("a/+", { onmissed });
    const socket = await cut(parts);
    await socket.ok("subscribe", { subscription: 1, position: { epoch: "f", offset: 2 }, missed: true });
    expect(onmissed).toHaveBeenCalledTimes(1);
    expect(parts.subscription.position).toEqual({ epoch: "f", offset: 2, retained: 0 });
    await socket.say({ type: "missed", subscription: 1 });
    expect(onmissed).toHaveBeenCalledTimes(2);
  });

  test("a first answer that is lost is asked for again", async () => {
    const parts = await connected();
    const asked = parts.topics.subscribe("a", () => {});
    await settle();
    const socket = await cut(parts);
    expect(socket.all("subscribe").length).toBe(1);
    await socket.ok("subscribe", { subscription: 1, position: { epoch: "e", offset: 0 } });
    expect((await asked).position).toEqual({ epoch: "e", offset: 0, retained: 0 });
  });

  test("ends once, and leaves nothing to go on", async () => {
    const parts = await subscribed();
    parts.subscription.unsubscribe();
    parts.subscription.unsubscribe();
    await settle();
    expect(parts.socket.all("unsubscribe")).toMatchObject([{ subscription: 1 }]);
    await parts.socket.say(message(5));
    expect(parts.heard).toEqual([]);
    const socket = await cut(parts);
    expect(socket.all("subscribe")).toEqual([]);
  });

  test("an end inside a handler holds at once; a handler that throws disturbs nobody", async () => {
    vi.useFakeTimers();
    const { socket, topics } = await connected();
    const heard: unknown[] = [];
    const handlers = [
      topics.subscribe("a/b", () => {
        throw new Error("the page's own");
      }),
      topics.subscribe("a/#", ({ data }) => {
        heard.push(data);
        void handlers[1]?.then((subscription) => subscription.unsubscribe());
      }),
    ];
    await settle();
    const requests = socket.all("subscribe").map(({ request }) => request);
    for (const [at, request] of requests.entries()) await socket.say({ type: "ok", request, subscription: at + 1, position: { epoch: "e", offset: 0 } });
    await socket.say(message(1));
    await socket.say(message(1, { subscription: 2 }));
    await socket.say(message(2, { subscription: 2 }));
    expect(heard).toEqual([1]);
    expect(() => vi.runAllTimers()).toThrow("the page's own");
  });

  test("what is not allowed any more is told", async () => {
    const onended = vi.fn();
    const parts = await subscribed("a/+", { onended });
    await parts.socket.say({ type: "unsubscribed", subscription: 1 });
    expect(onended.mock.calls[0]?.[0]).toMatchObject({ code: "scope" });
    const socket = await cut(parts);
    expect(socket.all("subscribe")).toEqual([]);

    const other = await subscribed("a/+", { onended });
    const next = await cut(other);
    await next.refuse("subscribe", "scope", { field: "filter" });
    expect(onended).toHaveBeenCalledTimes(2);
  });

  test("what was refused for a while is asked for again", async () => {
    const parts = await subscribed();
    const socket = await cut(parts);
    vi.useFakeTimers();
    await socket.refuse("subscribe", "ratelimited", { retry_ms: 500 });
    expect(socket.all("subscribe").length).toBe(1);
    await vi.advanceTimersByTimeAsync(500);
    expect(socket.all("subscribe").length).toBe(2);
  });
});
