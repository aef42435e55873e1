/**
 * Getting a code: at once, then after 1, 2, 4, 8 and 16 s, each a quarter more or less, and then not any more. When it is to
 * be tried, and what the page hears of it; how, others know.
 */

import type { Clock, TimerHandle } from "../../core/environment";

const DELAYS_MS = [1_000, 2_000, 4_000, 8_000, 16_000];
const JITTER = 0.25;
/** So long a frame may take to load and to get its code. */
const PATIENCE_MS = 15_000;

export interface Trying {
  /** Tries once; tells the outcome by `failed` or `succeeded`. */
  attempt(): void;
  /** It did not work and is tried again soon. */
  retries(reason: string): void;
  /** It is not tried any more. */
  givesUp(reason: string): void;
}

export class Attempts {
  private state: "idle" | "trying" | "waiting" | "done" | "over" = "idle";
  private failures = 0;
  private timer: TimerHandle;

  constructor(
    private readonly clock: Clock,
    private readonly random: () => number,
    private readonly trying: Trying,
  ) {}

  /** Begins, or begins anew after it was given up; else changes nothing. */
  start(): void {
    if (this.state !== "idle" && this.state !== "over") return;
    this.failures = 0;
    this.attempt();
  }

  succeeded(): void {
    this.enter("done");
  }

  /** There is no code, or none any more. */
  failed(reason: string, isFinal = false): void {
    if (this.state === "done") this.failures = 0;
    else if (this.state !== "trying") return;
    const delay = isFinal ? undefined : DELAYS_MS[this.failures];
    this.failures += 1;
    if (delay === undefined) {
      this.enter("over");
      return this.trying.givesUp(reason);
    }
    this.enter("waiting");
    this.timer = this.clock.after(delay * (1 + JITTER * (2 * this.random() - 1)), () => this.attempt());
    this.trying.retries(reason);
  }

  /** Nothing is tried from here on. */
  stop(): void {
    this.enter("idle");
  }

  private attempt(): void {
    this.enter("trying");
    this.timer = this.clock.after(PATIENCE_MS, () => this.failed("timeout"));
    this.trying.attempt();
  }

  private enter(state: Attempts["state"]): void {
    this.clock.cancel(this.timer);
    this.timer = undefined;
    this.state = state;
  }
}
