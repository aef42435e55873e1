/** What the SDK takes from the outside world; tests hand in their own. */

/** The part of a browser's `WebSocket` that is used. */
export interface SocketLike {
  readonly readyState: number;
  send(text: string): void;
  close(number?: number, reason?: string): void;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
  onerror: ((event: never) => void) | null;
}

export type TimerHandle = unknown;

export interface Clock {
  /** Unix milliseconds. */
  now(): number;
  after(delayMs: number, run: () => void): TimerHandle;
  cancel(timer: TimerHandle): void;
}

export interface Environment {
  readonly clock: Clock;
  /** At least 0, less than 1; spreads retries, never makes ids. */
  random(): number;
  open(url: string): SocketLike;
}

const browserClock: Clock = {
  now: () => Date.now(),
  after: (delayMs, run) => setTimeout(run, delayMs),
  cancel: (timer) => clearTimeout(timer as number),
};

/** The page's own clock, randomness and `WebSocket`. */
export const browserEnvironment: Environment = {
  clock: browserClock,
  random: () => Math.random(),
  open: (url) => new WebSocket(url) as unknown as SocketLike,
};

/** `bytes` random bytes as lower-case hexadecimal digits; unguessable. */
export function randomHex(bytes: number): string {
  const values = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(values, (value) => value.toString(16).padStart(2, "0")).join("");
}
