/** What the server writes into the frame's document. */

export interface Given {
  readonly group: string;
  /** Opens the first socket. */
  readonly ticket: string;
  /** Whose pages may hold the frame, beside the server's own. */
  readonly origins: readonly string[];
  /** Whether any page of this machine may. */
  readonly loopback?: boolean;
}

/** There is nothing to do here, and why. */
export interface Refused {
  readonly refused: string;
}

export type Facts = Given | Refused;

/** Whether a page of this origin may speak with the frame: `frame-ancestors` says the same to browsers that know it. */
export function mayHold({ origins, loopback }: Given, own: string, origin: string): boolean {
  if (origin === own || origins.includes(origin)) return true;
  return loopback === true && /^https?:\/\/(localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/.test(origin);
}
