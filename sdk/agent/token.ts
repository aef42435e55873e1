/** The agent's token: fetched before each connection, renewed in band before it expires. */

import type { Clock, TimerHandle } from "../core/environment";
import { VestibuleError } from "../core/errors";

/** A token, or a function that gives a fresh one each time it is called. */
export type TokenSource = string | (() => string | Promise<string>);

const LONGEST_MARGIN_MS = 60_000;
const SHORTEST_RETRY_MS = 5_000;

export class TokenKeeper {
  /** The token that was last fetched. */
  current = "";
  private timer: TimerHandle;
  private expires: number | undefined;

  constructor(
    private readonly source: TokenSource,
    private readonly clock: Clock,
    /** Sends the fresh token; resolves to when it expires, on our clock. */
    private readonly renew: (token: string) => Promise<number>,
  ) {}

  /** Whether a fresh token can be had. */
  get renewable(): boolean {
    return typeof this.source === "function";
  }

  /**
   * Fetches the token for a new connection. Throws `authorization` when there is none, or when a
   * fresh one was needed and the source gave the former one again.
   */
  async fetch(fresh: boolean): Promise<void> {
    const token = typeof this.source === "function" ? await this.source() : this.source;
    if (!token) throw new VestibuleError("authorization", "there is no token");
    if (fresh && token === this.current) throw new VestibuleError("authorization", "the token is no longer good");
    this.current = token;
  }

  /** Renews in time for `expires`, on our clock; a fifth of the life ahead, at most a minute. */
  schedule(expires: number): void {
    this.cancel();
    const life = expires - this.clock.now();
    if (!this.renewable || life <= 0) return;
    this.expires = expires;
    this.attemptIn(life - Math.min(LONGEST_MARGIN_MS, life / 5));
  }

  /** Fetches now, and renews when the token is another one. */
  async attempt(): Promise<void> {
    const former = this.current;
    try {
      await this.fetch(true);
      this.schedule(await this.renew(this.current));
    } catch {
      // Without success the server closes at the end, and the connection says why.
      this.current = former;
      const left = (this.expires ?? 0) - this.clock.now();
      if (left > SHORTEST_RETRY_MS) this.attemptIn(Math.max(left / 4, SHORTEST_RETRY_MS));
    }
  }

  /** The connection is gone; the next one fetches for itself. */
  cancel(): void {
    this.expires = undefined;
    this.clock.cancel(this.timer);
  }

  private attemptIn(delayMs: number): void {
    this.clock.cancel(this.timer);
    this.timer = this.clock.after(delayMs, () => void this.attempt());
  }
}
