/**
 * Messages of `/v1/stream`: nine bytes, then an array of the recorder's events as JSON.
 *
 *    0       1                    5                    9
 *   | flags | page epoch, u32 BE | length, u32 BE     | payload
 *
 * `length` is the payload's before it was deflated (RFC 1951), so that a reader knows beforehand what he lets in.
 */

export const HEAD_BYTES = 9;
const KEY_FRAME = 1;
const DEFLATED = 2;
/** Shorter payloads are not worth the work. */
const WORTH_DEFLATING = 512;

export interface Envelope {
  readonly epoch: number;
  /** Whether it begins with a whole picture of the page. */
  readonly keyFrame: boolean;
  /** Events as JSON, in UTF-8. */
  readonly payload: Uint8Array;
}

/** The message; deflated where the browser can, and where that makes it shorter. */
export async function writeEnvelope({ epoch, keyFrame, payload }: Envelope): Promise<Uint8Array> {
  // Some browsers have the stream and not this form of it.
  const deflated = payload.length > WORTH_DEFLATING ? await deflate(payload).catch(() => payload) : payload;
  const body = deflated.length < payload.length ? deflated : payload;
  const message = new Uint8Array(HEAD_BYTES + body.length);
  const head = new DataView(message.buffer);
  head.setUint8(0, (keyFrame ? KEY_FRAME : 0) | (body === payload ? 0 : DEFLATED));
  head.setUint32(1, epoch);
  head.setUint32(5, payload.length);
  message.set(body, HEAD_BYTES);
  return message;
}

/** Rejected for a message that is none, or whose payload is not as long as its head says or longer than `most` bytes. */
export async function readEnvelope(message: Uint8Array, most: number): Promise<Envelope> {
  if (message.length < HEAD_BYTES) throw new Error("the message is cut off");
  const head = new DataView(message.buffer, message.byteOffset, HEAD_BYTES);
  const flags = head.getUint8(0);
  const length = head.getUint32(5);
  if (flags & ~(KEY_FRAME | DEFLATED)) throw new Error("the message has unknown flags");
  if (length > most) throw new Error(`the payload has ${length} bytes; at most ${most} are allowed`);
  const body = message.subarray(HEAD_BYTES);
  const payload = flags & DEFLATED ? await inflate(body, length) : body;
  if (payload.length !== length) throw new Error("the payload is not as long as its head says");
  return { epoch: head.getUint32(1), keyFrame: (flags & KEY_FRAME) !== 0, payload };
}

async function deflate(bytes: Uint8Array): Promise<Uint8Array> {
  return collect(through(bytes, new CompressionStream("deflate-raw")), Infinity);
}

function inflate(bytes: Uint8Array, most: number): Promise<Uint8Array> {
  return collect(through(bytes, new DecompressionStream("deflate-raw")), most);
}

function through(bytes: Uint8Array, transform: GenericTransformStream): ReadableStream<Uint8Array> {
  const source = new ReadableStream({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
  return source.pipeThrough(transform as ReadableWritablePair<Uint8Array, Uint8Array>);
}

/** Stops as soon as there is more than was promised. */
async function collect(stream: ReadableStream<Uint8Array>, most: number): Promise<Uint8Array> {
  const reader = stream.getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > most) {
      await reader.cancel();
      throw new Error("the payload is longer than its head says");
    }
    parts.push(value);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
