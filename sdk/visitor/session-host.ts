/** What the visitor's SDK and the part that is loaded for sessions know of each other. */

import type { Connection } from "../core/connection";
import type { Emitter } from "../core/emitter";
import type { Environment } from "../core/environment";
import type { Frame } from "../core/frames";
import type { VisitorEvents } from "./options";
import type { SharingOptions } from "./sharing";

/** What a session needs of the visitor's connection and page. */
export interface GuestHost {
  readonly page: Window;
  readonly environment: Environment;
  /** The server's. */
  readonly origin: string;
  readonly group: string;
  /** Id of the tab on this connection. */
  tab(): string;
  readonly connection: Pick<Connection, "send" | "request">;
  readonly events: Emitter<VisitorEvents>;
  /** Takes part in place of what is loaded for sessions. */
  readonly join?: ((host: GuestHost, session: string) => SessionGuest) | undefined;
  /** What the page says of itself. */
  readonly sharing: SharingOptions;
  /** Something went wrong on this page. */
  problem(code: string, message: string): void;
}

/** A page in a session. */
export interface SessionGuest {
  /** The visitor's connection is there, again. */
  welcomed(): void;
  /** It is gone; `paged` when the page is being left. */
  away(paged: boolean): void;
  receive(frame: Frame): void;
  end(): void;
}
