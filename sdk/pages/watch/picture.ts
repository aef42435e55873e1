/** The replayed picture of one page of the visitor, from a key frame on. */

import { Replayer } from "@rrweb/replay";
import type { eventWithTime } from "@rrweb/types";
import { EventKind, Source, type MaskedEvent } from "../../cobrowse/masking/events";
import type { ReplayedPage } from "./addresses";

export interface PictureHandlers {
  /** The whole picture stands. */
  ready(): void;
  /** The visitor's window has this size, in CSS pixels. */
  resized(width: number, height: number): void;
}

const FOCUS = "data-vestibule-focus";
const RULES = [`[${FOCUS}] { outline: 3px solid #0b6bcb !important; outline-offset: 2px !important; }`];
/** How long a picture waits for its style sheets, in milliseconds. */
const STYLES_MS = 400;
const FOCUSED = 5;
const BLURRED = 6;

let focused: HTMLElement | undefined;
document.addEventListener("focusin", ({ target }) => (focused = target as HTMLElement));

function giveBackFocus(): void {
  if (focused?.isConnected) focused.focus({ preventScroll: true });
  else (document.activeElement as HTMLElement | null)?.blur();
}

export class Picture implements ReplayedPage {
  /** Where it stands in this document. */
  readonly root: HTMLElement;
  /** Events that were applied; the recording is begun anew before it grows too long. */
  length = 0;
  private readonly replayer: Replayer;
  private last = 0;
  private focused: Element | null = null;

  constructor(
    readonly epoch: number,
    parent: HTMLElement,
    handlers: PictureHandlers,
  ) {
    this.root = document.createElement("div");
    this.root.className = "picture";
    parent.append(this.root);
    this.replayer = new Replayer([], {
      root: this.root,
      liveMode: true,
      mouseTail: false,
      // The agent's own focus stays where it is; the visitor's is drawn.
      triggerFocus: false,
      pauseAnimation: false,
      showWarning: false,
      insertStyleRules: RULES,
      UNSAFE_replayCanvas: false,
      logger: { log: () => {}, warn: () => {} },
    });
    this.replayer.on("fullsnapshot-rebuilded", () => {
      this.replayer.iframe.title = "The visitor’s page";
      this.replayer.iframe.tabIndex = -1;
      void this.styled().then(() => handlers.ready());
    });
    this.replayer.on("resize", (size) => {
      const { width, height } = size as { width: number; height: number };
      handlers.resized(width, height);
    });
    this.replayer.on("event-cast", (event) => this.follow(event as MaskedEvent));
    this.last = Date.now();
    this.replayer.startLive(this.last);
  }

  element(id: number): Element | null {
    const node = this.replayer.getMirror().getNode(id);
    return node?.nodeType === 1 ? (node as Element) : (node?.parentElement ?? null);
  }

  /** Applied with the next frame: the visitor's clock does not matter, and nothing is waited for. */
  add(event: MaskedEvent): void {
    this.length += 1;
    if (event.type === EventKind.Meta && event.data.scheme) {
      // A frame's own preference follows the element that it is in.
      this.replayer.iframe.style.colorScheme = event.data.scheme === "dark" ? "dark" : "light";
    }
    this.last = Math.max(this.last, Date.now());
    this.replayer.addEvent({ ...event, timestamp: this.last } as unknown as eventWithTime);
  }

  /** Where the page is scrolled to. */
  get scroll(): { readonly x: number; readonly y: number } {
    const view = this.replayer.iframe.contentWindow;
    return { x: view?.scrollX ?? 0, y: view?.scrollY ?? 0 };
  }

  remove(): void {
    this.replayer.destroy();
    this.root.remove();
  }

  /** Style sheets that come as files are waited for, a little: a page without them is no picture of it. */
  private async styled(): Promise<void> {
    const links = this.replayer.iframe.contentDocument?.querySelectorAll<HTMLLinkElement>('link[rel="stylesheet"]') ?? [];
    const loads = [...links].filter(({ sheet }) => !sheet).map((link) => new Promise((resolve) => (link.onload = link.onerror = resolve)));
    if (loads.length) await Promise.race([Promise.all(loads), new Promise((resolve) => setTimeout(resolve, STYLES_MS))]);
  }

  private follow({ type, data }: MaskedEvent): void {
    // A dialog that opens in the picture takes the focus; it stays where the agent has it.
    if (document.activeElement === this.replayer.iframe) giveBackFocus();
    if (type !== EventKind.Incremental || data.source !== Source.MouseInteraction) return;
    if (data.type !== FOCUSED && data.type !== BLURRED) return;
    this.focused?.removeAttribute(FOCUS);
    this.focused = data.type === FOCUSED ? this.element(data.id) : null;
    this.focused?.setAttribute(FOCUS, "");
  }
}
