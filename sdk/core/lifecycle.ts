/**
 * A page's life as its sockets see it. Registers no `unload` and no `beforeunload`, and ends the
 * socket in `pagehide`, so that the page stays fit for the back-forward cache.
 *
 * A hidden or frozen page is not gone: its browser goes on answering the server's pings, so neither
 * `visibilitychange` nor `freeze` closes anything. After `resume` the socket is only tested.
 */

export interface LifecycleHandlers {
  /** The page is being left, perhaps for the back-forward cache: close the socket, keep the state. */
  suspend(): void;
  /** The page is there again, or a prerendered page is shown for the first time. */
  resume(): void;
  /** The page was shown or hidden. */
  visibility(visible: boolean): void;
  /** The window got the focus. */
  activity(): void;
  /** The network or the page came back: retry now, or test the open socket. */
  wake(): void;
}

type PageDocument = Document & { readonly prerendering?: boolean };

export class Lifecycle {
  private readonly removals: (() => void)[] = [];
  private shown = true;

  /** Without a `page` (in Node) it is always active and visible and never calls a handler. */
  constructor(
    private readonly page: Window | undefined,
    private readonly handlers: LifecycleHandlers,
  ) {
    if (!page) return;
    const document = page.document as PageDocument;
    this.shown = !document.prerendering;
    this.listen(page, "pagehide", () => this.leave());
    this.listen(page, "pageshow", (event) => {
      if ((event as PageTransitionEvent).persisted) this.enter();
    });
    this.listen(document, "prerenderingchange", () => this.enter());
    this.listen(document, "visibilitychange", () => handlers.visibility(this.visible));
    this.listen(document, "resume", () => handlers.wake());
    this.listen(page, "online", () => handlers.wake());
    this.listen(page, "focus", () => handlers.activity());
  }

  /** Whether the page may hold a socket: not prerendered and not in the back-forward cache. */
  get active(): boolean {
    return this.shown;
  }

  get visible(): boolean {
    return !this.page || this.page.document.visibilityState === "visible";
  }

  dispose(): void {
    for (const remove of this.removals.splice(0)) remove();
  }

  private leave(): void {
    this.shown = false;
    this.handlers.suspend();
  }

  private enter(): void {
    if (this.shown) return;
    this.shown = true;
    this.handlers.resume();
  }

  private listen(target: EventTarget, event: string, handler: (event: Event) => void): void {
    target.addEventListener(event, handler);
    this.removals.push(() => target.removeEventListener(event, handler));
  }
}

/** The window, where there is one. */
export function currentPage(): Window | undefined {
  return typeof window === "undefined" ? undefined : window;
}
