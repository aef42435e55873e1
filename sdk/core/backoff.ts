/** When to connect again: full jitter, as a pure function of what happened. */

export interface BackoffPolicy {
  /** Upper end of the first delay after a failed attempt, in milliseconds; doubles each time. */
  readonly baseMs: number;
  /** The delay never grows beyond this, in milliseconds. */
  readonly capMs: number;
  /** Upper end of the delay after a healthy connection dropped, in milliseconds. */
  readonly firstMs: number;
  /** A connection that lived this long was healthy: failures count from zero again. */
  readonly healthyMs: number;
}

export const defaultBackoff: BackoffPolicy = { baseMs: 250, capMs: 10_000, firstMs: 100, healthyMs: 5_000 };

/**
 * The delay in milliseconds after `failures` attempts in a row without a healthy connection.
 * `orderedMs`, a delay that the server asked for, is a floor and the jitter comes on top of it;
 * after a healthy connection it is obeyed as it is, because the server has spread it already.
 */
export function retryDelay(policy: BackoffPolicy, failures: number, random: number, orderedMs?: number): number {
  const grown = Math.min(policy.capMs, policy.baseMs * 2 ** Math.min(failures - 1, 30));
  if (orderedMs !== undefined) return failures === 0 ? orderedMs : orderedMs + random * grown;
  return random * (failures === 0 ? policy.firstMs : grown);
}
