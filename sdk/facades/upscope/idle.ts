/** Notices that the visitor does nothing for a while, and that he is back. */

/** Browsers fire a longer timer at once. */
const LONGEST_MS = 2 ** 31 - 1;
const SIGNS = ["pointermove", "pointerdown", "keydown", "scroll", "touchstart", "focus"] as const;

export class Idleness {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private last = 0;
  private idle = false;

  constructor(
    private readonly page: Window,
    /** How long, in milliseconds; 0 is never. */
    private readonly limitMs: () => number,
    private readonly changed: (idle: boolean) => void,
  ) {
    for (const sign of SIGNS) page.addEventListener(sign, this.sign, { capture: true, passive: true });
    this.sign();
  }

  stop(): void {
    clearTimeout(this.timer);
    for (const sign of SIGNS) this.page.removeEventListener(sign, this.sign, { capture: true });
  }

  private readonly sign = (): void => {
    this.last = Date.now();
    if (this.idle) {
      this.idle = false;
      this.changed(false);
    }
    if (this.timer === undefined) this.wait(this.limitMs());
  };

  private wait(ms: number): void {
    if (ms > 0) this.timer = setTimeout(() => this.look(), Math.min(ms, LONGEST_MS));
  }

  private look(): void {
    this.timer = undefined;
    const left = this.last + this.limitMs() - Date.now();
    if (left > 0) return this.wait(left);
    this.idle = true;
    this.changed(true);
  }
}
