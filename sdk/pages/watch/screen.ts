/** What of the visitor is seen: one picture, and behind it the next one until it stands. */

import { readEnvelope } from "../../cobrowse/envelope";
import type { MaskedEvent } from "../../cobrowse/masking/events";
import { readEvents } from "./addresses";
import { Picture } from "./picture";

export interface ScreenHandlers {
  /** The thread is lost: a key frame is needed. */
  lost(): void;
  /** A picture took the place of the last one, or has another size. */
  shown(): void;
}

/** Longest payload that is let in, in bytes. */
const MOST_BYTES = 64 << 20;
/** A picture remembers each event; beyond so many it begins anew. */
const MOST_EVENTS = 20_000;

export class Screen {
  /** Address of the session's assets. */
  assets = "";
  private picture: Picture | undefined;
  private coming: Picture | undefined;
  private readonly sizes = new WeakMap<Picture, { readonly width: number; readonly height: number }>();
  private tail = Promise.resolve();
  private isLost = false;

  constructor(
    private readonly stage: HTMLElement,
    private readonly handlers: ScreenHandlers,
  ) {
    // Frames are not drawn while this document is hidden, so events would only pile up.
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.isLost) this.lose();
    });
  }

  /** Which of the visitor's pages is seen. */
  get epoch(): number | undefined {
    return this.picture?.epoch;
  }

  /** The visitor's window, in CSS pixels. */
  get size(): { readonly width: number; readonly height: number } | undefined {
    return this.picture && this.sizes.get(this.picture);
  }

  get scroll(): { readonly x: number; readonly y: number } {
    return this.picture?.scroll ?? { x: 0, y: 0 };
  }

  /** A message of the stream; they are applied in their order, however long each takes to inflate. */
  receive(message: Uint8Array): void {
    this.tail = this.tail.then(async () => {
      try {
        const { epoch, keyFrame, payload } = await readEnvelope(message, MOST_BYTES);
        this.apply(epoch, keyFrame, new TextDecoder().decode(payload));
      } catch {
        this.lose();
      }
    });
  }

  /** Nothing is shown any more. */
  clear(): void {
    this.coming?.remove();
    this.picture?.remove();
    this.coming = this.picture = undefined;
    this.handlers.shown();
  }

  private apply(epoch: number, keyFrame: boolean, payload: string): void {
    if (document.hidden) {
      this.isLost = true;
      return;
    }
    if (keyFrame) this.prepare(epoch);
    const picture = this.coming ?? this.picture;
    if (picture?.epoch !== epoch || this.isLost) {
      if (!this.isLost) this.lose();
      return;
    }
    let events: MaskedEvent[];
    try {
      events = readEvents(payload, epoch, this.assets, picture);
    } catch {
      return this.lose();
    }
    for (const event of events) picture.add(event);
    if (picture.length > MOST_EVENTS) this.handlers.lost();
  }

  /** The old picture stays until the new one stands. */
  private prepare(epoch: number): void {
    this.isLost = false;
    this.coming?.remove();
    const coming: Picture = new Picture(epoch, this.stage, {
      ready: () => {
        if (this.coming !== coming) return;
        this.picture?.remove();
        this.picture = coming;
        this.coming = undefined;
        coming.root.classList.add("shown");
        this.handlers.shown();
      },
      resized: (width, height) => {
        this.sizes.set(coming, { width, height });
        if (this.picture === coming) this.handlers.shown();
      },
    });
    this.coming = coming;
  }

  private lose(): void {
    this.isLost = true;
    this.handlers.lost();
  }
}
