/** One page of a visitor while it is shown: recorder, sender, assets and the stream's socket, for one epoch. */

import { socketAddress } from "../core/address";
import type { Environment } from "../core/environment";
import type { Frame } from "../core/frames";
import { Stream } from "../core/stream";
import { Assets } from "./assets";
import { Secrecy } from "./masking/secrecy";
import type { Overlay, PointerFrame } from "./ui/overlay";
import { startRecording, type Recording } from "./recorder";
import { Sender } from "./sender";
import type { Rules } from "./settings";

export interface SharingOptions {
  readonly page: Window;
  readonly origin: string;
  readonly group: string;
  readonly tab: string;
  readonly environment: Environment;
  readonly rules: Rules;
  readonly secrecy: Secrecy;
  readonly overlay: Overlay;
  /** The server does not let this page on any more; it is to ask again. */
  onRefused(code: string): void;
  onProblem(code: string, message: string): void;
}

/** What the server orders: `record`, on. */
export interface Order {
  readonly epoch: number;
  readonly ticket: string;
}

const LEAST_MAX_BYTES = 4 << 20;

export class Sharing {
  private readonly stream: Stream;
  private readonly sender: Sender;
  private readonly assets: Assets;
  private recording: Recording | undefined;
  private maxBytes = LEAST_MAX_BYTES;
  private stopped = false;

  constructor(
    private readonly options: SharingOptions,
    order: Order,
  ) {
    const { page, environment, rules, origin } = options;
    this.stream = new Stream({
      environment,
      url: () => socketAddress(origin, "/v1/stream", options.group),
      active: () => true,
      hello: () => ({ type: "hello", ticket: order.ticket, tab: options.tab }),
      onWelcome: (frame) => this.welcomed(frame as Frame & { max_message_bytes?: number }),
      onFrame: (frame) => this.receive(frame),
      onState: (state, ending) => {
        if (state !== "connected") options.overlay.clear();
        if (state === "closed" && !this.stopped) options.onRefused(ending?.code ?? "closed");
      },
    });
    const { stream } = this;
    this.assets = new Assets({
      tell: (frame) => stream.send(frame),
      put: (sha256, content) =>
        fetch(`${origin}/v1/assets/${sha256}`, {
          method: "PUT",
          headers: { Authorization: `Ticket ${order.ticket}`, "Content-Type": content.type },
          body: content,
          credentials: "omit",
        }),
      fetch: (address, init) => fetch(address, init),
      origin: page.location.origin,
      patterns: rules.patterns,
    });
    const outlet = {
      send: (message: Uint8Array) => stream.sendBytes(message),
      get buffered() {
        return stream.buffered;
      },
    };
    this.sender = new Sender(
      order.epoch,
      environment.clock,
      outlet,
      () => this.begin(),
      (bytes) => options.onProblem("toolarge", `a picture of this page has ${bytes} bytes`),
      () => this.maxBytes,
    );
    stream.start();
  }

  /** At once: nothing of the page leaves it from here on. */
  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.recording?.stop();
    this.sender.stop();
    this.assets.stop();
    this.stream.stop();
    this.options.overlay.clear();
  }

  private welcomed({ max_message_bytes }: { max_message_bytes?: number }): void {
    if (max_message_bytes) this.maxBytes = max_message_bytes;
    this.assets.announce();
    this.sender.requestKeyFrame();
  }

  private begin(): void {
    if (this.stopped || this.stream.state !== "connected") return;
    if (this.recording) return this.recording.keyFrame();
    const { page, rules, secrecy } = this.options;
    if (page.document.readyState === "loading") {
      page.document.addEventListener("DOMContentLoaded", () => this.begin(), { once: true });
      return;
    }
    this.recording = startRecording({
      page,
      rules,
      secrecy,
      nameAsset: this.assets.name,
      emit: (event) => this.sender.add(event),
      onOutdated: () => this.sender.requestKeyFrame(),
    });
  }

  private receive(frame: Frame): void {
    switch (frame.type) {
      case "keyframe":
        return this.sender.requestKeyFrame();
      case "want":
        return this.assets.wanted((frame as Frame & { sha256: string }).sha256);
      case "cursor":
      case "spotlight":
      case "stroke":
        return this.options.overlay.show(frame as PointerFrame);
    }
  }
}
