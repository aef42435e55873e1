/**
 * Packs events into messages: soon, few, in order, and never faster than the network takes them. When it does not, what
 * waits is dropped, and the picture begins anew once the network is free again.
 */

import type { Clock, TimerHandle } from "../core/environment";
import { writeEnvelope } from "./envelope";
import type { MaskedEvent } from "./masking/events";
import { EventKind } from "./masking/events";

export interface Outlet {
  /** False when there is no connection. */
  send(message: Uint8Array): boolean;
  /** Bytes that wait for the network. */
  readonly buffered: number;
}

/** Least time between two messages, in milliseconds; after a quiet time the next one goes at once. */
export const PACE_MS = 50;
/** Least time between two key frames that others ask for. */
export const KEY_FRAME_MS = 500;
/** So much may wait for the network, or twice as much as the last picture: else a large one would end in the next. */
const CONGESTED_BYTES = 1 << 20;
/** So much may wait to be deflated. */
const UNPACKED_BYTES = 32 << 20;
const CLEARED_BYTES = 1 << 16;
const LOOK_MS = 100;

export class Sender {
  private events: MaskedEvent[] = [];
  private hasKeyFrame = false;
  private timer: TimerHandle;
  private keyFrameTimer: TimerHandle;
  private look: TimerHandle;
  private sentAt = -Infinity;
  private keyFrameAt = -Infinity;
  private stalled = true;
  private stopped = false;
  private tail = Promise.resolve();
  /** Encoded, or being encoded, and not yet handed to the socket. */
  private waiting = 0;
  /** Length of the last key frame's message. */
  private pictureBytes = 0;
  private readonly encoder = new TextEncoder();

  constructor(
    private readonly epoch: number,
    private readonly clock: Clock,
    private readonly outlet: Outlet,
    /** Makes the recorder begin anew; it calls `add` with a whole picture. */
    private readonly takeKeyFrame: () => void,
    /** A picture of the page does not fit into a message. */
    private readonly tooLarge: (bytes: number) => void,
    private readonly maxBytes: () => number,
  ) {}

  /** The connection is there, or somebody lost his thread: begin with a key frame, soon. */
  requestKeyFrame(): void {
    if (this.stopped || this.keyFrameTimer !== undefined) return;
    const delay = Math.max(0, this.keyFrameAt + KEY_FRAME_MS - this.clock.now());
    if (delay === 0) return this.beginKeyFrame();
    this.keyFrameTimer = this.clock.after(delay, () => this.beginKeyFrame());
  }

  add(event: MaskedEvent): void {
    if (this.stopped) return;
    if (event.type === EventKind.Meta) {
      // What came before belongs to a picture that nobody needs any more.
      this.events = [];
      this.hasKeyFrame = true;
      this.stalled = false;
    }
    if (this.stalled) return;
    this.events.push(event);
    this.timer ??= this.clock.after(Math.max(0, this.sentAt + PACE_MS - this.clock.now()), () => this.flush());
  }

  /** Resolves when all that was flushed until now is packed and handed on. */
  get packed(): Promise<void> {
    return this.tail;
  }

  /** Nothing is sent from here on. */
  stop(): void {
    this.stopped = true;
    this.events = [];
    for (const timer of [this.timer, this.keyFrameTimer, this.look]) this.clock.cancel(timer);
  }

  private beginKeyFrame(): void {
    this.clock.cancel(this.keyFrameTimer);
    this.keyFrameTimer = undefined;
    this.keyFrameAt = this.clock.now();
    this.takeKeyFrame();
  }

  private flush(): void {
    this.timer = undefined;
    const { events, hasKeyFrame } = this;
    if (!events.length) return;
    this.events = [];
    this.hasKeyFrame = false;
    this.sentAt = this.clock.now();
    const congested = Math.max(CONGESTED_BYTES, 2 * this.pictureBytes);
    if (this.outlet.buffered > congested || this.waiting > UNPACKED_BYTES) return this.stall();
    const payload = this.encoder.encode(JSON.stringify(events));
    if (payload.length <= this.maxBytes()) return this.send(payload, hasKeyFrame);
    if (hasKeyFrame) {
      this.stalled = true;
      return this.tooLarge(payload.length);
    }
    // A picture of the page as it is now is smaller than what led there.
    this.stalled = true;
    this.requestKeyFrame();
  }

  /** Deflating takes turns of its own; the chain keeps the order. */
  private send(payload: Uint8Array, keyFrame: boolean): void {
    this.waiting += payload.length;
    this.tail = this.tail
      .then(async () => {
        const message = await writeEnvelope({ epoch: this.epoch, keyFrame, payload });
        if (keyFrame) this.pictureBytes = message.length;
        if (!this.stopped && !this.outlet.send(message)) this.stalled = true;
      })
      .catch(() => {
        this.stalled = true;
        this.requestKeyFrame();
      })
      .then(() => void (this.waiting -= payload.length));
  }

  private stall(): void {
    this.stalled = true;
    this.look = this.clock.after(LOOK_MS, () => {
      if (this.outlet.buffered > CLEARED_BYTES) this.stall();
      else this.requestKeyFrame();
    });
  }
}
