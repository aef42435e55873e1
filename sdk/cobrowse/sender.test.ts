import { beforeEach, describe, expect, test } from "vitest";
import { FakeClock, settle } from "../core/testing";
import { readEnvelope } from "./envelope";
import type { MaskedEvent } from "./masking/events";
import { KEY_FRAME_MS, PACE_MS, Sender } from "./sender";

let clock: FakeClock;
let sent: Uint8Array[];
let network: { connected: boolean; buffered: number };
let tooLarge: number[];
let keyFrames: number;
let maxBytes: number;
let sender: Sender;

const change = (n: number): MaskedEvent => ({ type: 3, timestamp: n, data: { source: 3, id: n, x: 0, y: 0 } });
const picture = (size = 1): MaskedEvent[] => [
  { type: 4, timestamp: 0, data: { href: "https://shop.test/", width: 1, height: 1 } },
  { type: 2, timestamp: 0, data: { node: { text: "x".repeat(size) } } },
];

beforeEach(() => {
  clock = new FakeClock();
  sent = [];
  tooLarge = [];
  keyFrames = 0;
  maxBytes = 1 << 20;
  network = { connected: true, buffered: 0 };
  const outlet = {
    send: (message: Uint8Array) => {
      if (network.connected) sent.push(message);
      return network.connected;
    },
    get buffered() {
      return network.buffered;
    },
  };
  const take = (): void => {
    keyFrames += 1;
    for (const event of picture()) sender.add(event);
  };
  sender = new Sender(7, clock, outlet, take, (bytes) => tooLarge.push(bytes), () => maxBytes);
});

/** Lets what is being deflated arrive. */
async function arrive(): Promise<void> {
  await settle();
  await sender.packed;
}

async function read(): Promise<{ keyFrame: boolean; ids: unknown[] }[]> {
  await arrive();
  return Promise.all(
    sent.map(async (message) => {
      const { epoch, keyFrame, payload } = await readEnvelope(message, 1 << 24);
      expect(epoch).toBe(7);
      const events = JSON.parse(new TextDecoder().decode(payload)) as MaskedEvent[];
      return { keyFrame, ids: events.map(({ type, data }) => (type === 3 ? data.id : type)) };
    }),
  );
}

async function begun(): Promise<void> {
  sender.requestKeyFrame();
  await clock.pass(PACE_MS);
  await arrive();
}

describe("packing", () => {
  test("a picture goes at once, as a key frame of its own kind", async () => {
    sender.requestKeyFrame();
    await clock.pass(0);
    expect(await read()).toEqual([{ keyFrame: true, ids: [4, 2] }]);
  });

  test("nothing goes before the first picture", async () => {
    sender.add(change(1));
    await clock.pass(1_000);
    expect(await read()).toEqual([]);
  });

  test("after a quiet time a change goes at once, and what follows within the pace goes together", async () => {
    await begun();
    await clock.pass(1_000);
    sender.add(change(1));
    await clock.pass(0);
    sender.add(change(2));
    sender.add(change(3));
    await clock.pass(PACE_MS - 1);
    expect((await read()).slice(1)).toEqual([{ keyFrame: false, ids: [1] }]);
    await clock.pass(1);
    expect((await read()).slice(2)).toEqual([{ keyFrame: false, ids: [2, 3] }]);
  });

  test("a long message that is being deflated is not overtaken by a short one", async () => {
    await begun();
    for (const event of picture(300_000)) sender.add(event);
    await clock.pass(PACE_MS);
    sender.add(change(1));
    await clock.pass(PACE_MS);
    expect((await read()).slice(1)).toEqual([
      { keyFrame: true, ids: [4, 2] },
      { keyFrame: false, ids: [1] },
    ]);
  });

  test("a new picture replaces what waits", async () => {
    await begun();
    sender.add(change(1));
    for (const event of picture()) sender.add(event);
    await clock.pass(PACE_MS);
    expect((await read()).slice(1)).toEqual([{ keyFrame: true, ids: [4, 2] }]);
  });
});

test("key frames on demand are taken at most twice a second", async () => {
  await begun();
  for (let asked = 0; asked < 10; asked += 1) sender.requestKeyFrame();
  expect(keyFrames).toBe(1);
  await clock.pass(KEY_FRAME_MS);
  expect(keyFrames).toBe(2);
  await clock.pass(KEY_FRAME_MS * 4);
  expect(keyFrames).toBe(2);
});

describe("a network that is slower than the page", () => {
  test("stops it, and the picture begins anew when it is free again", async () => {
    await begun();
    network.buffered = 2 << 20;
    sender.add(change(1));
    await clock.pass(PACE_MS);
    for (let n = 2; n < 100; n += 1) sender.add(change(n));
    await clock.pass(5_000);
    expect(await read()).toHaveLength(1);
    expect(keyFrames).toBe(1);
    network.buffered = 1_000;
    await clock.pass(1_000);
    expect(await read()).toEqual([{ keyFrame: true, ids: [4, 2] }, { keyFrame: true, ids: [4, 2] }]);
    sender.add(change(100));
    await clock.pass(PACE_MS);
    expect((await read())[2]).toEqual({ keyFrame: false, ids: [100] });
  });

  test("is given the time that a large picture takes, and no second one meanwhile", async () => {
    await begun();
    maxBytes = 16 << 20;
    const noise = Array.from({ length: 3 << 20 }, () => String.fromCharCode(32 + Math.random() * 90)).join("");
    sender.add(picture()[0]!);
    sender.add({ type: 2, timestamp: 0, data: { node: { text: noise } } });
    await clock.pass(PACE_MS);
    // It is still being deflated.
    sender.add(change(1));
    await clock.pass(PACE_MS);
    await arrive();
    network.buffered = sent[1]!.length;
    expect(network.buffered).toBeGreaterThan(2 << 20);
    sender.add(change(2));
    await clock.pass(PACE_MS);
    expect((await read()).map(({ ids }) => ids)).toEqual([[4, 2], [4, 2], [1], [2]]);
    expect(keyFrames).toBe(1);
  });

  test("that is gone leaves nothing to send until the next picture", async () => {
    await begun();
    network.connected = false;
    sender.add(change(1));
    await clock.pass(PACE_MS);
    await arrive();
    network.connected = true;
    sender.add(change(2));
    await clock.pass(PACE_MS);
    expect(await read()).toHaveLength(1);
  });
});

describe("what does not fit into a message", () => {
  test("is replaced by a picture, when it is changes", async () => {
    await begun();
    maxBytes = 200;
    for (let n = 1; n < 20; n += 1) sender.add(change(n));
    await clock.pass(KEY_FRAME_MS);
    expect(keyFrames).toBe(2);
    expect(tooLarge).toEqual([]);
  });

  test("is told, when it is a picture", async () => {
    maxBytes = 50;
    await begun();
    expect(tooLarge).toHaveLength(1);
    expect(await read()).toEqual([]);
  });
});

test("once stopped, nothing more goes, not even what is being deflated", async () => {
  await begun();
  for (const event of picture(300_000)) sender.add(event);
  await clock.pass(PACE_MS);
  sender.stop();
  sender.add(change(1));
  sender.requestKeyFrame();
  await clock.pass(5_000);
  expect(await read()).toHaveLength(1);
  expect(clock.delays).toEqual([]);
});
