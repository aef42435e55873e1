/** Those who wait for a connection. */

import type { VestibuleError } from "./errors";

export class Readiness {
  private waiters: { resolve(): void; reject(error: VestibuleError): void }[] = [];

  /** Resolves at the next `resolve()`, or fails at the next `reject()`. */
  wait(): Promise<void> {
    return new Promise((resolve, reject) => this.waiters.push({ resolve, reject }));
  }

  resolve(): void {
    for (const waiter of this.take()) waiter.resolve();
  }

  reject(error: VestibuleError): void {
    for (const waiter of this.take()) waiter.reject(error);
  }

  private take() {
    const { waiters } = this;
    this.waiters = [];
    return waiters;
  }
}
