/** The page's end of the channel to the frame: puts the frame into the page, keeps it there, knows it, and speaks with it. */

import type { Clock, TimerHandle } from "../../core/environment";
import { CHANNEL, isOfChannel, type Greeting, type Layout, type ToFrame, type ToPage } from "./messages";

/** A frame whose document is there, and that has not knocked by then, is none of ours: the browser or the server refused it. */
const KNOCK_MS = 1_000;
/** What the page says before the frame is there. */
const MOST_EARLY = 100;

/** Looks of the frame, by layout. */
const LOOKS: Readonly<Record<Layout, Partial<CSSStyleDeclaration>>> = {
  open: { display: "block", width: "min(380px, calc(100vw - 24px))", height: "min(560px, calc(100vh - 24px))", borderRadius: "16px" },
  minimized: { display: "block", width: "196px", height: "52px", borderRadius: "26px" },
  hidden: { display: "none" },
};

export interface FrameLinkOptions {
  readonly page: Window;
  readonly clock: Clock;
  readonly address: URL;
  /** Our frame has come: of this group, it says. */
  knocked(group: string | undefined): void;
  /** What the frame is told when it comes. */
  greeting(): Omit<Greeting, "channel">;
  /** The frame is there and can be spoken with. */
  connected(): void;
  receive(message: ToPage): void;
  /** There is no frame of ours at the address. */
  refused(): void;
  /** Something cannot be sent as a message. */
  unsendable(message: ToFrame): void;
}

export class FrameLink {
  private readonly host: HTMLElement;
  private readonly frame: HTMLIFrameElement;
  private readonly watch: MutationObserver;
  private port: MessagePort | undefined;
  private early: ToFrame[] = [];
  private knocking: TimerHandle;
  /** Where the focus was before it went to the frame. */
  private focused: HTMLElement | null = null;
  private readonly hear = (event: MessageEvent<unknown>): void => this.knocked(event);

  constructor(private readonly options: FrameLinkOptions) {
    const { document } = options.page;
    this.host = document.createElement("div");
    // Agents see a box in its place: what stands in it is no part of the site.
    this.host.dataset["vestibuleBlock"] = "";
    this.frame = document.createElement("iframe");
    this.frame.title = "Contact";
    this.frame.allow = "";
    Object.assign(this.frame.style, { position: "fixed", right: "12px", bottom: "12px", border: "0", zIndex: "2147483000", boxShadow: "0 8px 32px rgb(0 0 0 / 0.28)" });
    this.frame.addEventListener("load", () => this.loaded());
    this.host.append(this.frame);
    this.show("hidden");
    // A single-page site may put another body in place, and the frame with the old one out of it.
    this.watch = new MutationObserver(() => this.keep());
    this.watch.observe(document, { childList: true });
    this.watch.observe(document.documentElement, { childList: true });
    options.page.addEventListener("message", this.hear);
  }

  /** Whether a frame has knocked and is spoken with. */
  get isConnected(): boolean {
    return this.port !== undefined;
  }

  /** Loads the frame, or loads it again. */
  load(): void {
    this.hangUp();
    this.frame.src = this.options.address.href;
    this.keep();
  }

  /** Puts the frame back where it was taken out. */
  keep(): void {
    const { body } = this.options.page.document;
    if (!body || this.host.isConnected || !this.frame.src) return;
    this.hangUp();
    body.append(this.host);
    this.watch.observe(body, { childList: true });
  }

  send(message: ToFrame): void {
    if (!this.port) {
      // A frame asks for all else when it comes.
      const isKept = message.say === "stop" ? !this.early.some(({ say }) => say === "stop") : message.say === "publish" && this.early.length < MOST_EARLY;
      if (isKept) this.early.push(message);
      return;
    }
    try {
      this.port.postMessage(message);
    } catch {
      this.options.unsendable(message);
    }
  }

  /** What the frame is called. */
  name(title: string): void {
    this.frame.title = title;
  }

  /** `isAsked`: the page wanted it, so the focus goes there; it comes back when the frame is closed under it. */
  show(layout: Layout, isAsked = false): void {
    const { document } = this.options.page;
    Object.assign(this.frame.style, LOOKS[layout]);
    if (layout === "open" && isAsked && document.activeElement !== this.frame) {
      this.focused = document.activeElement as HTMLElement | null;
      this.frame.focus();
    } else if (layout !== "open" && document.activeElement === this.frame) {
      this.focused?.focus();
    }
  }

  remove(): void {
    this.watch.disconnect();
    this.options.page.removeEventListener("message", this.hear);
    this.options.clock.cancel(this.knocking);
    this.hangUp();
    this.host.remove();
  }

  private hangUp(): void {
    this.port?.close();
    this.port = undefined;
  }

  private loaded(): void {
    const { clock } = this.options;
    clock.cancel(this.knocking);
    this.knocking = clock.after(KNOCK_MS, () => {
      if (!this.port) this.options.refused();
    });
  }

  /** Anybody may post to a window: what counts is which window it was, and whose page is in it. */
  private knocked({ source, origin, data }: MessageEvent<unknown>): void {
    const { contentWindow } = this.frame;
    if (!contentWindow || source !== contentWindow || origin !== this.options.address.origin || !isOfChannel(data)) return;
    this.hangUp();
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = (event: MessageEvent<ToPage>) => {
      if (this.port === port1) this.options.receive(event.data);
    };
    this.port = port1;
    this.options.knocked(data.group);
    const greeting: Greeting = { channel: CHANNEL, ...this.options.greeting() };
    contentWindow.postMessage(greeting, this.options.address.origin, [port2]);
    this.options.connected();
    for (const message of this.early.splice(0)) this.send(message);
  }
}
