/**
 * Shows the code that leads agents to the visitor in an element of the page: as soon as that appears, in each that takes its
 * place, and the next code where one has ended.
 */

import type { VestibuleError } from "../../core/errors";

export interface Code {
  readonly uniqueid: string;
  /** The life that is left to it. */
  readonly seconds: number;
}

/** When to ask again after a refusal that does not say it, in milliseconds. */
const AGAIN_MS = 30_000;

export class LookupDisplay {
  private readonly watch = new MutationObserver(() => this.look());
  private code: string | undefined;
  private filled: Element | undefined;
  /** Counts the questions: of an earlier one, nothing matters any more. */
  private turn = 0;
  private isAsked = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** Throws for a `place` that is no selector. */
  constructor(
    private readonly page: Window,
    private readonly place: string | Element,
    /** Asks for the visitor's code; undefined while he is not connected. */
    private readonly ask: () => Promise<Code> | undefined,
  ) {
    this.look();
    this.watch.observe(page.document, { childList: true, subtree: true });
  }

  /** The visitor is connected, perhaps with a service that has forgotten the code. */
  connected(): void {
    this.isAsked = false;
    this.look();
  }

  /** The code leads nowhere from here on: nobody is to read it out. */
  forget(): void {
    const { filled, code } = this;
    clearTimeout(this.timer);
    if (filled && filled.textContent === code) filled.textContent = "";
    this.filled = this.code = undefined;
    this.isAsked = false;
    this.turn += 1;
  }

  stop(): void {
    this.watch.disconnect();
    this.forget();
  }

  private look(): void {
    if (this.isAsked && this.filled?.isConnected) return;
    const element = typeof this.place === "string" ? this.page.document.querySelector(this.place) : this.place;
    if (!element?.isConnected) return;
    if (this.code !== undefined && element !== this.filled) this.fill(element, this.code);
    if (!this.isAsked) this.request(element);
  }

  private request(element: Element): void {
    const asked = this.ask();
    if (!asked) return;
    this.isAsked = true;
    const turn = (this.turn += 1);
    asked.then(
      ({ uniqueid, seconds }) => {
        if (turn !== this.turn) return;
        if (uniqueid !== this.code) this.fill(element, uniqueid);
        clearTimeout(this.timer);
        this.timer = setTimeout(() => {
          this.forget();
          this.look();
        }, 1_000 * (seconds + 1));
        // The page may have put another one in its place meanwhile.
        this.look();
      },
      ({ retryMs = AGAIN_MS }: VestibuleError) => {
        // Until then the element stays as it is.
        setTimeout(() => turn === this.turn && this.connected(), retryMs);
      },
    );
  }

  /** Once: what the page writes over it stays. */
  private fill(element: Element, code: string): void {
    this.filled = element;
    this.code = element.textContent = code;
  }
}
