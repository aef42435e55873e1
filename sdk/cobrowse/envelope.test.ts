import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { expect, test, vi } from "vitest";
import { HEAD_BYTES, readEnvelope, writeEnvelope } from "./envelope";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test("a short message is as the server's tests say", async () => {
  const envelope = { epoch: 0x01020304, keyFrame: true, payload: bytes("[]") };
  const message = await writeEnvelope(envelope);
  expect([...message]).toEqual([1, 1, 2, 3, 4, 0, 0, 0, 2, 0x5b, 0x5d]);
  await expect(readEnvelope(message, 2)).resolves.toEqual(envelope);
});

test("a long one is deflated", async () => {
  const payload = bytes(`[${'"again",'.repeat(500)}1]`);
  const message = await writeEnvelope({ epoch: 7, keyFrame: false, payload });
  expect(message[0]).toBe(2);
  expect(message.length).toBeLessThan(payload.length / 4);
  expect((await readEnvelope(message, 10_000)).payload).toEqual(payload);
});

test("a browser that cannot deflate sends it as it is", async () => {
  const payload = bytes(" ".repeat(1_000));
  for (const missing of [undefined, class { constructor() { throw new TypeError("deflate-raw is unknown"); } }]) {
    vi.stubGlobal("CompressionStream", missing);
    const message = await writeEnvelope({ epoch: 7, keyFrame: true, payload });
    vi.unstubAllGlobals();
    expect([message[0], message.length]).toEqual([1, HEAD_BYTES + 1_000]);
    await expect(readEnvelope(message, 1_000)).resolves.toMatchObject({ keyFrame: true });
  }
});

test("what is written is read", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(0xffffffff), fc.boolean(), fc.string({ unit: "grapheme" }), fc.nat(40), async (epoch, keyFrame, text, times) => {
      const envelope = { epoch, keyFrame, payload: bytes(text.repeat(times)) };
      await expect(readEnvelope(await writeEnvelope(envelope), 1 << 20)).resolves.toEqual(envelope);
    }),
    { numRuns: 50 },
  );
});

test("a bomb is refused before and while it inflates", async () => {
  const bomb = deflateRawSync(Buffer.alloc(10_000_000, " "));
  const message = (length: number): Uint8Array => {
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt8(2, 0);
    head.writeUInt32BE(length, 5);
    return new Uint8Array(Buffer.concat([head, bomb]));
  };
  await expect(readEnvelope(message(10_000_000), 1_000_000)).rejects.toThrow("at most 1000000");
  await expect(readEnvelope(message(1_000), 1_000_000)).rejects.toThrow("longer than its head says");
});

test.each([
  ["cut off", []],
  ["cut off", [0, 0, 0, 0, 1, 0, 0, 0]],
  ["as long as", [0, 0, 0, 0, 1, 0, 0, 0, 2, 0x5b]],
  ["unknown flags", [4, 0, 0, 0, 1, 0, 0, 0, 0]],
  ["at most 100", [0, 0, 0, 0, 1, 0, 0, 0, 101]],
])("what is wrong is named: %s", async (word, message) => {
  await expect(readEnvelope(new Uint8Array(message), 100)).rejects.toThrow(word);
});
