import type { Clock, TimerHandle } from "./environment";

/** For a while nothing is said, and then `over` is called; one at a time. */
export class Pause {
  private timer: TimerHandle;

  constructor(
    private readonly clock: Clock,
    private readonly over: () => void,
  ) {}

  get isOn(): boolean {
    return this.timer !== undefined;
  }

  /** From now on, for `ms` milliseconds. */
  begin(ms: number): void {
    this.end();
    this.timer = this.clock.after(ms, () => {
      this.timer = undefined;
      this.over();
    });
  }

  /** Ends it; `over` is not called. */
  end(): void {
    this.clock.cancel(this.timer);
    this.timer = undefined;
  }
}
