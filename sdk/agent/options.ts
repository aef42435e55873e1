/** Options and events of an agent. */

import type { Environment } from "../core/environment";
import type { VestibuleError } from "../core/errors";
import type { AgentWelcome, SessionOffer, SignalOutcome } from "./frames";
import type { TokenSource } from "./token";

export interface AgentOptions {
  /** Host, `host:port` or address of the server; without a scheme, https is taken. */
  readonly server: string;
  /** The group, as text or number. */
  readonly group: string | number;
  /** The token, or a function that is called at each connect and before the token expires. */
  readonly token: TokenSource;
  /** After how long without a connection `outage` is told, in milliseconds; 15,000 by default. */
  readonly outageMs?: number;
  /** Clock, randomness and sockets; the browser's by default. */
  readonly environment?: Environment;
  /** The window; the current one by default. */
  readonly page?: Window;
}

export interface SendOptions {
  /** The page with the focus (default), or all of the visitor's pages. */
  readonly target?: "focus" | "all";
  /** Idempotency key, 1 to 64 characters; a random one by default. */
  readonly key?: string;
}

export interface AgentEvents {
  /** The server took the token, the first time and after each drop. */
  connected: AgentWelcome;
  /** The socket went. `retrying` tells whether the SDK comes back by itself. */
  disconnected: { readonly code: string; readonly retrying: boolean };
  /** There has been no connection for a while; told once an outage, and retried on. */
  outage: undefined;
  /**
   * Whether the server that several nodes share is away; told at each change. While it is, what is shown may be old and
   * much is refused as `unready`; it is over with the socket, too.
   */
  degraded: boolean;
  /** A signal of this socket has its final outcome. */
  outcome: SignalOutcome;
  /** Another agent hands this one his seat in a session; `joinSession` takes it. */
  sessionoffer: SessionOffer;
  /** The connection ended for good. */
  error: VestibuleError;
}
