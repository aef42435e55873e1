/** When to connect again: full jitter, as a pure function of what happened. */

export interface BackoffPolicy {
  /** Upper end of the first delay after a failed attempt, in milliseconds; doubles each time. */
  readonly baseMs: number;
  /** The delay never grows beyond this, in milliseconds. */
  readonly capMs: number;
  /** Nor, while the outage is young, beyond this or `youngShare` of the outage's age, whichever is more. */
  readonly youngMs: number;
  readonly youngShare: number;
  /** Upper end of the delay after a healthy connection dropped, in milliseconds. */
  readonly firstMs: number;
  /** A connection that lived this long was healthy: failures count from zero again. */
  readonly healthyMs: number;
}

/**
 * A server that restarts gives everybody one grace (5 s) to come back, from its start on. Whoever waits 2 s at most
 * comes back within it, is turned away once by the admission limit, and still comes back within it. That holds for
 * outages of up to 10 s; beyond, one waits a fifth of the time that it has lasted already, so that a server that stays
 * away is asked ever less often.
 */
export const defaultBackoff: BackoffPolicy = {
  baseMs: 250,
  capMs: 10_000,
  youngMs: 2_000,
  youngShare: 0.2,
  firstMs: 100,
  healthyMs: 5_000,
};

/** What happened until now. */
export interface Outage {
  /** Attempts in a row without a healthy connection. */
  readonly failures: number;
  /** Since when there is no healthy connection, in milliseconds before now. */
  readonly ageMs: number;
  /** A delay that the server asked for. */
  readonly orderedMs?: number | undefined;
}

/**
 * The delay in milliseconds until the next attempt. What the server asked for is a floor and the jitter comes on top of
 * it; after a healthy connection it is obeyed as it is, because the server has spread it already.
 */
export function retryDelay(policy: BackoffPolicy, outage: Outage, random: number): number {
  const { failures, ageMs, orderedMs } = outage;
  const cap = Math.min(policy.capMs, Math.max(policy.youngMs, ageMs * policy.youngShare));
  const grown = Math.min(cap, policy.baseMs * 2 ** Math.min(failures - 1, 30));
  if (orderedMs !== undefined) return failures === 0 ? orderedMs : orderedMs + random * grown;
  return random * (failures === 0 ? policy.firstMs : grown);
}
