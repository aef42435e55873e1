/** Signals on their way to the page: each one once, and none after its deadline. */

import type { Clock } from "../core/environment";
import { limits } from "../core/limits";
import type { SeenSignals } from "../core/seen";
import type { InvokeFrame, SignalFrame } from "./frames";

export class Inbox {
  /** Server's clock minus ours, in milliseconds. */
  private offsetMs = 0;
  private told: readonly string[] = [];

  constructor(
    private readonly seen: SeenSignals,
    private readonly clock: Clock,
    /** Sends the acknowledgement; resolves when the server has it, rejects when that is unknown. */
    private readonly acknowledge: (ids: string[]) => Promise<unknown>,
  ) {}

  /** Ids for the next `hello`. */
  unacknowledged(): string[] {
    const ids = this.seen.unacknowledged(limits.seenIds);
    this.told = ids;
    return ids;
  }

  /** The server took the hello and with it the ids that it told. */
  welcomed(now: number): void {
    this.offsetMs = now - this.clock.now();
    this.seen.confirm(this.told);
    this.told = [];
  }

  /**
   * Runs `handle` for a signal that is new and in time. The id is marked first: a handler that
   * leaves the page must not meet the same signal on the next one.
   */
  take(frame: SignalFrame | InvokeFrame, handle: () => void): void {
    const late = this.clock.now() + this.offsetMs > frame.deadline;
    if (late) return;
    const fresh = this.seen.mark(frame.id);
    this.acknowledge([frame.id]).then(
      () => this.seen.confirm([frame.id]),
      () => {},
    );
    if (fresh) handle();
  }
}
