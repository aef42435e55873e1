/** States of a connection, and what its owner gives it. */

import type { BackoffPolicy } from "./backoff";
import type { Ending } from "./codes";
import type { Environment } from "./environment";
import type { ClientFrame, Frame } from "./frames";

export type ConnectionState =
  /** Nobody wants a connection. */
  | "idle"
  /** Wanted, but the page is prerendered or in the back-forward cache. */
  | "suspended"
  /** Wanted; the next attempt comes after a delay. */
  | "waiting"
  /** Preparing the hello, then opening the socket. */
  | "connecting"
  /** The hello is sent and not yet answered. */
  | "greeting"
  /** Welcomed. */
  | "connected"
  /** Ended by the server for good; `start()` tries anew. */
  | "closed";

export interface ConnectionOptions {
  readonly environment: Environment;
  readonly backoff?: BackoffPolicy;
  /** Address of the socket, asked for at each attempt. */
  url(): string;
  /** Whether the page may hold a socket now. */
  active(): boolean;
  /**
   * Runs before each attempt; `renew` says that the last token has expired or was revoked. A thrown
   * `authorization` ends the connection, anything else counts as a failed attempt.
   */
  prepare?(renew: boolean): Promise<void>;
  /** Whether a close that asks for a fresh token can be followed by one. */
  readonly renewable?: boolean;
  /** The first frame, made when the socket is open. */
  hello(): ClientFrame;
  /** The server took the hello; requests sent from here come before repeated ones. */
  onWelcome(frame: Frame): void;
  /** Any frame that is not an answer. */
  onFrame(frame: Frame): void;
  /** The state changed; `ending` tells why a socket or an attempt ended. */
  onState(state: ConnectionState, ending?: Ending): void;
}
